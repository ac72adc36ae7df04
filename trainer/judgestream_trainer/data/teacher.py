"""A teacher's judgement as data sets hold it: its text, and the scores that somebody read from it."""

from judgestream.core.parsing import UNPARSED, parse_strict, parse_tolerant
from judgestream_trainer.data.example import Judgement
from judgestream_trainer.data.outcomes import Reason, in_range

ERROR = "error"
"""What JudgeLM's data has for the text of a call that failed; its trainer drops such records, too."""


def judgement(text: str | None, score: tuple[float, float] | None) -> Judgement | Reason:
    """The judgement, or why it cannot be used.

    The text is a score line and, below it, the explanation; blank lines between them are not kept. Text
    and score must say the same. Either may be missing.
    """
    text = (text or "").strip()
    if text.lower() == ERROR:
        return Reason.TEACHER_ERROR
    if score == UNPARSED:
        return Reason.MARKED_UNREADABLE
    if score is not None and not in_range(score):
        return Reason.OUT_OF_RANGE
    if not text:
        return Reason.NO_JUDGEMENT if score is None else Judgement(scores=score)
    line, _, explanation = text.partition("\n")
    read = _scores(line)
    if isinstance(read, Reason):
        return read
    if score is not None and score != read:
        return Reason.SCORES_DISAGREE
    return Judgement(scores=read, explanation=explanation.strip())


def _scores(line: str) -> tuple[float, float] | Reason:
    scores = parse_tolerant(line, 2)
    if scores is not None:
        return scores[0], scores[1]
    strict = parse_strict(line.strip())
    return Reason.UNPARSABLE if strict == UNPARSED else Reason.OUT_OF_RANGE
