"""Every command in README and docs exists, with the options that it is shown with."""

import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer

from judgestream.apps.cli import main
from tests.paths import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]

_BLOCK = re.compile(r"^```(?:sh|shell|bash|console)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`((?:\.venv/bin/)?judgestream [^`]+)`")
_VARIABLE = re.compile(r"[A-Z_]+=\S*")
_ENDS = {"|", ">", "<", "&&", "||", ";", "&", "2>", ">>"}


def shown(page: Path) -> Iterator[str]:
    """The command lines of a page that call judgestream."""
    text = page.read_text(encoding="utf-8")
    for block in _BLOCK.findall(text):
        for raw in block.replace("\\\n", " ").splitlines():
            if "judgestream " in raw:
                yield raw.removeprefix("$ ")
    yield from _INLINE.findall(text)


COMMANDS = sorted({(page.name, one) for page in PAGES for one in shown(page)})


def words(text: str) -> list[str]:
    """The words of the judgestream call in a line, up to a pipe or a redirection."""
    lexer = shlex.shlex(text, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    found = [word for word in lexer if not _VARIABLE.fullmatch(word)]
    start = next(
        (k for k, word in enumerate(found) if word.rpartition("/")[2] == "judgestream"), None
    )
    if start is None:
        return []
    rest = found[start + 1 :]
    end = next((k for k, word in enumerate(rest) if set(word) <= set("|<>&;")), len(rest))
    return rest[:end]


@cache
def tree() -> Any:
    """The root of all commands, which typer builds anew at each call."""
    return typer.main.get_command(main)


def problem(arguments: list[str]) -> str | None:
    """What is wrong with a shown call, or None."""
    command = tree()
    names = list(arguments)
    while hasattr(command, "commands") and names and not names[0].startswith("-"):
        name = names.pop(0)
        if "|" in name:  # `dlq list|inspect`: every alternative
            missing = [one for one in name.split("|") if one not in command.commands]
            return f"no command {missing}" if missing else None
        if name not in command.commands:
            return f"no command {name!r}"
        command = command.commands[name]
    known = {option for param in command.params for option in (*param.opts, *param.secondary_opts)}
    known |= {"-h", "--help"}
    wrong = [word for word in names if word.startswith("-") and word.partition("=")[0] not in known]
    wrong = [word for word in wrong if word != "-" and not re.fullmatch(r"-\d+", word)]
    return f"no option {wrong}" if wrong else None


@pytest.mark.parametrize(("page", "text"), COMMANDS, ids=[f"{p}: {t}"[:80] for p, t in COMMANDS])
def test_a_documented_command_exists_with_its_options(page: str, text: str) -> None:
    assert problem(words(text)) is None


def test_the_readme_shows_commands_at_all() -> None:
    assert len([1 for page, _ in COMMANDS if page == "README.md"]) >= 8


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("judgestream submit pairs.jsonl --wait   # comment", None),
        ("A=b .venv/bin/judgestream up --nonsense", "no option ['--nonsense']"),
        ("judgestream verdict tail", "no command 'verdict'"),
        ("judgestream verdicts export > verdicts.jsonl", None),
        ("judgestream dlq list|replay", None),
    ],
)
def test_a_wrong_command_would_be_found(text: str, found: str | None) -> None:
    assert problem(words(text)) == found
