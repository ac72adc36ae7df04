"""Conversations under judgement, and as the text that a judge is shown."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

USER, ASSISTANT, SYSTEM, TOOL, JUDGE = "user", "assistant", "system", "tool", "judge"
ROLES = (USER, ASSISTANT, SYSTEM, TOOL)
"""The roles of a conversation under judgement."""
DISCUSSION_ROLES = (JUDGE, USER)
"""The roles of a discussion with the judge, which alternate in this order."""


class Focus(StrEnum):
    """What of a conversation is judged.

    whole      every turn of the assistant
    last_turn  the assistant's last turn; the turns before it are context
    """

    WHOLE = "whole"
    LAST_TURN = "last_turn"


@dataclass(frozen=True, kw_only=True, slots=True)
class Turn:
    """One message. Its role is one of `ROLES`, of `DISCUSSION_ROLES`, or as a file has it."""

    role: str
    text: str


HEADING = "[Turn {number}: {role}]"
_FORGED = re.compile(r"\[(?=\s*turn\s+\d)", re.IGNORECASE)


def escaped_headings(text: str) -> str:
    """The text with a space inside every heading of a turn, so that a turn cannot forge another one."""
    return _FORGED.sub("[ ", text)


def transcript(turns: Sequence[Turn], escape: Callable[[str], str] = escaped_headings) -> str:
    """The conversation as one text: each turn below a heading such as `[Turn 2: Assistant]`.

    A turn starts with what a user or another side says, so the assistant's reply has the number of the
    message that it answers.
    """
    parts = []
    number = 0
    replied = True
    for turn in turns:
        if (replied and turn.role == USER) or number == 0:
            number += 1
        replied = turn.role == ASSISTANT
        heading = HEADING.format(number=number, role=turn.role.capitalize())
        parts.append(f"{heading}\n{escape(turn.text)}")
    return "\n\n".join(parts)


def said_length(turns: Sequence[Turn]) -> int:
    """Characters in the assistant's turns."""
    return sum(len(turn.text) for turn in turns if turn.role == ASSISTANT)
