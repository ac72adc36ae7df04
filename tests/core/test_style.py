"""Counts of an answer's style."""

import pytest

from judgestream.core.conversation import Turn
from judgestream.core.style import style_of
from judgestream.core.types import Candidate, Style


@pytest.mark.parametrize(
    ("text", "style"),
    [
        ("", Style()),
        ("two words", Style(words=2)),
        ("# Title\n## Part\n#tag", Style(words=5, headers=2)),
        ("- a\n* b\n  1. c\n2) d\n-e", Style(words=9, list_items=4)),
        ("**bold** and __also__, not ** this **", Style(words=7, bold=2)),
        ("```\n# a comment\n- x\n```\n# Title", Style(words=9, headers=1)),
        ("```\n# never closed", Style(words=4)),
    ],
)
def test_counts(text: str, style: Style) -> None:
    assert style_of(Candidate(id="1", text=text)) == style


def test_a_conversation_counts_what_the_assistant_says() -> None:
    turns = (Turn(role="user", text="# not mine"), Turn(role="assistant", text="**yes**"))
    assert style_of(Candidate(id="1", turns=turns)) == Style(words=1, bold=1)


@pytest.mark.parametrize("text", ["**" * 50_000, "__a" * 50_000, "```\n" * 30_000, "#" * 200_000])
def test_hostile_texts_are_counted(text: str) -> None:
    """In linear time: a quadratic pattern would take minutes here."""
    assert style_of(Candidate(id="1", text=text)).words >= 1
