"""A teacher's judgement as data sets store it: its text, and the scores parsed from it."""

from judgestream.core.parsing import UNPARSED, parse_strict, parse_tolerant
from judgestream_trainer.data.example import Judgement
from judgestream_trainer.data.outcomes import Reason, in_range

ERROR = "error"
"""The text of a failed call in JudgeLM's data; its trainer drops such records as well."""


def judgement(text: str | None, score: tuple[float, float] | None) -> Judgement | Reason:
    """The judgement, or the reason why it is unusable.

    The text is a score line followed by the explanation; blank lines between them are dropped. Either of
    text and score may be missing. When both are given, they must agree.
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
    parsed = _scores(line)
    if isinstance(parsed, Reason):
        return parsed
    if score is not None and score != parsed:
        return Reason.SCORES_DISAGREE
    return Judgement(scores=parsed, explanation=explanation.strip())


def judgement_text(judgement: Judgement) -> str:
    """The inverse of `judgement`: the score line, then the explanation, as in JudgeLM's targets."""
    line = " ".join(f"{score:g}" for score in judgement.scores)
    return f"{line}\n{judgement.explanation}"


def _scores(line: str) -> tuple[float, float] | Reason:
    scores = parse_tolerant(line, 2)
    if scores is not None:
        return scores[0], scores[1]
    strict = parse_strict(line.strip())
    return Reason.UNPARSABLE if strict == UNPARSED else Reason.OUT_OF_RANGE
