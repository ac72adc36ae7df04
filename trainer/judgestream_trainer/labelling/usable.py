"""Teacher replies as judgements to train on, or the reason why they are unusable."""

import re
from enum import StrEnum

from judgestream.core.parsing import parse_tolerant
from judgestream.core.templates.base import Grammar
from judgestream_trainer.data.example import Judgement
from judgestream_trainer.labelling.journal import Entry

_DECLINES = re.compile(
    r"^\W*(?:i(?:['\u2019]m| am) (?:very |so )?(?:sorry|unable|not able)|sorry\b|i apologi[sz]e"
    r"|i (?:can\s?not|can['\u2019]t|won['\u2019]t|will not)\b|as an ai\b|unfortunately, i\b)",
    re.IGNORECASE,
)


class Unusable(StrEnum):
    """Why a reply is not a judgement. Refused prompts are counted by their code from `core.errors`."""

    NO_REPLY = "empty_reply"
    DECLINED = "teacher_declined"  # an apology instead of scores
    UNREADABLE = "unreadable"  # does not begin with a line of two scores
    OFF_SCALE = "off_scale"  # scores that the trained judge could not generate
    CUT_OFF = "cut_off"  # the explanation is truncated


def judgement_of(entry: Entry, grammar: Grammar) -> Judgement | str:
    """The judgement, or else an `Unusable` or the code of the error that refused the prompt.

    The score line may be in any readable form (`7/10, 8/10`); the lines below it are the explanation.
    """
    if entry.refused:
        return entry.refused
    text = entry.text.strip()
    if not text:
        return Unusable.NO_REPLY
    scores = parse_tolerant(text, grammar.count)
    if scores is None:
        return Unusable.DECLINED if _DECLINES.match(text) else Unusable.UNREADABLE
    first, second = scores
    if not {first, second} <= set(grammar.values):
        return Unusable.OFF_SCALE
    if entry.finish == "length":
        return Unusable.CUT_OFF
    _, _, explanation = text.partition("\n")
    return Judgement(scores=(first, second), explanation=explanation.strip())


def is_readable(entry: Entry, grammar: Grammar) -> bool:
    """Whether the reply has a score line."""
    return not entry.refused and parse_tolerant(entry.text, grammar.count) is not None
