"""Phrases that a native-speaking engineer would not write, and a search for them.

    python -m tests.structure.english [FOLDER...]

prints every hit and a count per folder.
"""

import re
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.paths import ROOT

PHRASES: dict[str, str] = {
    r"mend(?:s|ed|ing)?": "fix, repair, or 'how to fix it'",
    r"(?<!there\s)(?:is|are|was|were) no "
    r"(?!longer|more|less|doubt|faster|slower|better|worse|larger|smaller)\w+": "'X is not a Y'",
    r"ha(?:s|ve) the word": "name who decides",
    r"at hand": "available, given, or nothing",
    r"of ours": "our",
    r"go(?:es)? on": "continue",
    r"so many(?! \w+ that)": "the number",
    r"of (?:its|their) own": "its own, separate",
    r"what it took": "duration, cost",
    r"(?:is|are|was|be) told": "receives, is notified",
    r"let(?:s|ting)? go(?! of)": "release, drop",
    r"whoever": "the caller, the user, the process that",
    r"nobody is": "name who is not",
    r"for good": "permanently",
    r"says what it is": "describes",
}
"""A pattern by the words to use instead. A space stands for any white space, also over a line end."""

ALLOWED = (
    "if it goes on for weeks",  # an answer that judges read
    "for good measure",
    "for good reason",
    "is no-op",
    "is no_",
)
"""Parts of lines in which a pattern is right."""

OPENINGS = re.compile(
    r"(?:\s|#[^\n]*\n)*[rR]?(?:\"{3}|'{3}|\"|')\s*"
    r"(?P<opening>(?:What|How|Where|Whether|When|Who|Which|One \w+'s way)\b)"
)
"""The start of a module whose docstring does not open with a noun phrase."""

FOLDERS = (
    "deploy",
    "services",
    "trainer",
    "triton_models",
    "tests",
    "docs",
    "examples",
    ".ci",
    ".github",
)
FILES = (
    "README.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "CHANGELOG.md",
    "Makefile",
    "pyproject.toml",
)
SUFFIXES = {".py", ".md", ".yaml", ".yml", ".toml", ".pbtxt", ".proto"}
EXEMPT = (
    "services/judgestream/v1",  # generated
    "tests/structure/english.py",
    "tests/structure/test_english.py",
)

_GAP = r"\s+(?:#\s+)?"
_PATTERNS = {
    re.compile(r"(?<![\w-])" + phrase.replace(" ", _GAP) + r"(?![\w])", re.IGNORECASE): instead
    for phrase, instead in PHRASES.items()
}
_ANY = re.compile(r"\b(?:" + "|".join(PHRASES).replace(" ", _GAP) + r")\b")
"""In lower case. Most files have no phrase, and one search takes a tenth of one for each phrase."""


@dataclass(frozen=True, kw_only=True)
class Hit:
    path: str
    line: int
    found: str
    instead: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.found!r}: {self.instead}"


def hits_in(text: str, path: str = "") -> Iterator[Hit]:
    """Every forbidden phrase of a text, in order of the table."""
    if not _ANY.search(text.lower()):
        return
    for pattern, instead in _PATTERNS.items():
        for match in pattern.finditer(text):
            start = text.rfind("\n", 0, match.start()) + 1
            end = text.find("\n", match.end())
            lines = text[start : len(text) if end < 0 else end]
            if not any(allowed in lines for allowed in ALLOWED):
                line = text.count("\n", 0, match.start()) + 1
                found = " ".join(match.group().split())
                yield Hit(path=path, line=line, found=found, instead=instead)


def opening(text: str, path: str = "") -> Iterator[Hit]:
    """A module docstring that does not open with a noun phrase."""
    if match := OPENINGS.match(text):
        yield Hit(path=path, line=1, found=match["opening"], instead="open with a noun phrase")


def texts() -> Iterator[Path]:
    """The files that people read, without generated code and without this list."""
    found = [ROOT / name for name in FILES]
    for folder in FOLDERS:
        found += sorted((ROOT / folder).rglob("*"))
    for path in found:
        name = str(path.relative_to(ROOT))
        if path.is_file() and (path.suffix in SUFFIXES or name in FILES):
            if not any(name == exempt or name.startswith(f"{exempt}/") for exempt in EXEMPT):
                yield path


def hits() -> Iterator[Hit]:
    for path in texts():
        text, name = path.read_text(encoding="utf-8"), str(path.relative_to(ROOT))
        yield from hits_in(text, name)
        if path.suffix == ".py" and not path.name.startswith("test_"):
            yield from opening(text, name)


def main(folders: list[str]) -> None:
    found = [hit for hit in hits() if not folders or hit.path.startswith(tuple(folders))]
    counts = Counter(str(Path(hit.path).parent) for hit in found)
    lines = [*map(str, found), "", *(f"{n:5} {folder}" for folder, n in sorted(counts.items()))]
    sys.stdout.write("\n".join([*lines, f"{len(found):5} in all", ""]))


if __name__ == "__main__":
    main(sys.argv[1:])
