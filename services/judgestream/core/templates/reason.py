"""The chat family's judge that reasons before its scores, for models that judge better after some thought.

The scores stand behind the last `MARKER`, on the last line. See `core.parsing` for how it is found.
"""

from collections.abc import Sequence
from types import MappingProxyType

from judgestream.core.templates import chat
from judgestream.core.templates.base import (
    Form,
    Grammar,
    Layout,
    Reasoning,
    Template,
    framed,
    marker_escaper,
)

MARKER = "Final scores:"
PAIR = (
    "First work it out in at most 200 words: solve the task yourself, check each answer against that, and"
    " name the faults that you found. Then give each answer a whole number from 1 (useless) to 10 (cannot be"
    " better). Equally good answers get the same number. End with one line of this form, where the first"
    " answer's number comes first, and write nothing after it:\n"
    "Final scores: <first number> <second number>"
)
SINGLE = (
    "First work it out in at most 200 words: check the answer against the correct answer above, and name the"
    " faults that you found. Then give it a whole number from 1 (useless) to 10 (as good as the correct"
    " answer above). End with one line of this form, and write nothing after it:\n"
    "Final scores: <number>"
)
REASONING = Reasoning(max_tokens=600)
MARKERS = (*chat.MARKERS, MARKER)

_escape = marker_escaper(MARKERS)


def _layout(question: str, answers: Sequence[str], reference: str | None, task: str) -> Layout:
    asked = chat.QUESTION.replace("{question}", _escape(question))
    if reference is not None:
        asked += chat.REFERENCE.replace("{reference}", _escape(reference))
    return framed(
        chat.SYSTEM + chat.USER + asked,
        lambda k: chat.ANSWER.replace("{k}", str(k)),
        [_escape(answer) for answer in answers],
        chat.CLOSE + task + "\n",
    )


def _pair(question: str, answers: Sequence[str], reference: str | None) -> Layout:
    return _layout(question, answers, reference, PAIR)


def _single(question: str, answers: Sequence[str], reference: str | None) -> Layout:
    """One answer against the reference."""
    if reference is None:
        raise ValueError("the single form needs a reference answer")
    return _layout(question, answers, reference, SINGLE)


def _grammar(count: int) -> Grammar:
    return Grammar(labels=chat.SCORE_LABELS, count=count, lead=" ", marker=MARKER)


CHAT_REASON = Template(
    id="chat-reason-v1",
    markers=MARKERS,
    forms=MappingProxyType(
        {
            "pair": Form(layout=_pair, grammar=_grammar(2), reasoning=REASONING),
            "single": Form(layout=_single, grammar=_grammar(1), reasoning=REASONING),
        }
    ),
)
