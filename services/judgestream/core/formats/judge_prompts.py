"""Question, answers and reference read back from the prompts that FastChat's judge was given."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from judgestream.core.formats.conversation import numbered

_QUESTION = re.compile(
    r"\A(?:\[Instruction\]\n.*?\n\n)?\[(?:User )?Question\]\n(?P<question>.*?)\n\n"
    r"(?:\[The Start of Reference Answer\]\n(?P<reference>.*?)\n\[The End of Reference Answer\]\n\n)?"
    r"(?P<answers>\[The Start of Assistant.*)\Z",
    re.DOTALL,
)
_ANSWER = re.compile(
    r"\[The Start of Assistant(?: [AB])?'s Answer\]\n(.*?)\n\[The End of Assistant(?: [AB])?'s Answer\]",
    re.DOTALL,
)
_TALK = re.compile(
    r"<\|The Start of (?:Assistant [AB]'s Conversation with User|(?P<reference>Reference Answer))\|>\n\n"
    r"(?P<text>.*?)\n\n<\|The End of (?:Assistant [AB]'s Conversation with User|Reference Answer)\|>",
    re.DOTALL,
)
_SAID = re.compile(r"(?:\A|\n\n)### (User|Assistant [AB]|Reference answer):\n")


@dataclass(frozen=True, kw_only=True, slots=True)
class Judged:
    """The texts of a judge's prompt. With two turns, every text is numbered by turn."""

    question: str
    answers: tuple[str, ...]
    reference: str | None


def judged(prompt: str, answers: int) -> Judged | None:
    """The texts of a prompt with this number of answers; None for an unknown form, or when a marker
    inside an answer leaves the borders open."""
    talks = list(_TALK.finditer(prompt))
    return _conversations(talks, answers) if talks else _single_turn(prompt, answers)


def _single_turn(prompt: str, answers: int) -> Judged | None:
    match = _QUESTION.match(prompt)
    if match is None:
        return None
    texts = _ANSWER.findall(match["answers"])
    if len(texts) != answers or match["answers"].count("[The Start of Assistant") != answers:
        return None
    return Judged(question=match["question"], answers=tuple(texts), reference=match["reference"])


def _conversations(talks: Sequence[re.Match[str]], answers: int) -> Judged | None:
    read = [(match["reference"] is not None, _turns(match["text"])) for match in talks]
    texts = [turns for is_reference, turns in read if not is_reference and turns is not None]
    references = [turns for is_reference, turns in read if is_reference and turns is not None]
    if len(texts) != answers or len(texts) + len(references) != len(read) or len(references) > 1:
        return None
    questions = texts[0][0]
    if any(asked != questions for asked, _ in (*texts, *references)):
        return None
    return Judged(
        question=numbered(questions),
        answers=tuple(numbered(replies) for _, replies in texts),
        reference=numbered(references[0][1]) if references else None,
    )


def _turns(text: str) -> tuple[list[str], list[str]] | None:
    """The user's and the assistant's texts, turn by turn."""
    parts = _SAID.split(text)
    names, said = parts[1::2], parts[2::2]
    if not names or len(names) % 2 or any(n != "User" for n in names[::2]) or "User" in names[1::2]:
        return None
    return said[::2], said[1::2]
