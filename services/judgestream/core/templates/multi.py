"""Forms that show any number of answers in one prompt and score each of them.

JudgeLM's form is its own for three and more answers: the pair form with more answer blocks, another number
word and a longer list of names (baaivision/JudgeLM, Apache-2.0). The published checkpoints were not trained
on it.
"""

import re
from collections.abc import Callable, Sequence

from judgestream.core.templates import chat, judgelm
from judgestream.core.templates.base import Form, Grammar, Layout

WORDS = (
    *("one", "two", "three", "four", "five", "six", "seven", "eight"),
    *("nine", "ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen"),
)
"""Number words from 1: the most answers that a prompt shows is their number."""

MOST = len(WORDS)

_TWO = re.compile(r"\btwo\b")
_NAMES = "for Assistant 1 and 2"

Escape = Callable[[str], str]
"""Text under judgement -> the same with every marker of the family escaped."""


def judgelm_form(labels: tuple[str, ...], escape: Escape) -> Form:
    """JudgeLM's prompt of any number of answers; of two it is the pair form."""

    def layout(question: str, answers: Sequence[str], reference: str | None) -> Layout:
        instruction = judgelm_instruction(len(answers))
        return judgelm.material(question, answers, reference, instruction, escape)

    return Form(layout=layout, grammar=Grammar(labels=labels, count=2), score_per_answer=True)


def judgelm_instruction(answers: int) -> str:
    """JudgeLM's instruction for a number of answers, 2 to `MOST`."""
    names = ", ".join(map(str, range(1, answers))) + f" and {answers}"
    text = judgelm.INSTRUCTION.replace(_NAMES, f"for Assistant {names}")
    return _TWO.sub(WORDS[answers - 1], text)


def chat_form(escape: Escape) -> Form:
    """The chat family's prompt of any number of answers."""

    def layout(question: str, answers: Sequence[str], reference: str | None) -> Layout:
        task = chat.MULTI.replace("{count}", WORDS[len(answers) - 1])
        return chat.material(question, answers, reference, task, escape)

    grammar = Grammar(labels=chat.SCORE_LABELS, count=2)
    return Form(layout=layout, grammar=grammar, score_per_answer=True)
