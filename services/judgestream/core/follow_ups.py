"""Follow-up questions: from a verdict and its request to a request of mode `follow_up`."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from judgestream.core import limits
from judgestream.core.conversation import JUDGE, USER, Turn
from judgestream.core.errors import InvalidRequest
from judgestream.core.limits import quoted
from judgestream.core.rubric import Rubric
from judgestream.core.types import FOLLOW_UP, PassResult, Request, Status, Verdict

DISCUSSED = ("pairwise", "single", "multi", "multi_turn", "rubric", FOLLOW_UP)
"""Modes whose verdicts can be asked about: those with one prompt that the whole reply belongs to, or, of a
rubric, one per criterion."""

ABOUT = "judgestream.follow_up_of"
"""Metadata key with the id of the verdict that a question is about."""


def follow_up(
    request: Request,
    verdict: Verdict,
    question: str,
    *,
    request_id: str,
    at: datetime,
    criterion: str = "",
    max_tokens: int = 0,
) -> Request:
    """A question about a verdict. About an answer of the judge, it continues that discussion.

    The discussion holds at most `limits.DISCUSSION` messages: of a longer one the oldest questions are left
    out with their answers; the judgement itself stays.

    Args:
        criterion: of a rubric's verdict: the criterion to ask about; "": the first one.
        max_tokens: of the answer; 0: as the request says.

    Raises:
        InvalidRequest: the verdict cannot be discussed; the message says why.
    """
    if problem := _problem(verdict):
        raise InvalidRequest(f"verdict {quoted(verdict.verdict_id)}: {problem}")
    discussion, rubric = request.discussion, request.rubric
    if verdict.mode == FOLLOW_UP:
        discussion = (*discussion, Turn(role=JUDGE, text=verdict.explanation))
    else:
        reply = _judged_pass(verdict, criterion)
        if rubric is not None:
            chosen = [one for one in rubric.criteria if one.id == reply.transform.criterion]
            rubric = Rubric(criteria=tuple(chosen))
        discussion = (Turn(role=JUDGE, text=limits.clean(reply.reply.text)),)
    return replace(
        request,
        request_id=request_id,
        mode=FOLLOW_UP,
        requested_at=at,
        options=replace(
            request.options,
            max_explanation_tokens=max_tokens or request.options.max_explanation_tokens,
        ),
        rubric=rubric,
        discussion=_bounded((*discussion, Turn(role=USER, text=question))),
        metadata={ABOUT: verdict.verdict_id},
    )


def _problem(verdict: Verdict) -> str:
    if verdict.status is not Status.SCORED:
        return f"it is {verdict.status}, so there is no judgement to ask about"
    if verdict.mode not in DISCUSSED:
        return f"mode {verdict.mode} has no single prompt to continue: ask about {', '.join(DISCUSSED)}"
    if verdict.members:
        return "it is a jury's, whose members judge apart: ask about a verdict of one release"
    if verdict.mode != FOLLOW_UP and not verdict.passes:
        return "it has no pass, so the judge's reply is not known"
    return ""


def _judged_pass(verdict: Verdict, criterion: str) -> PassResult:
    """The first pass, or the first about this criterion."""
    if not criterion:
        return verdict.passes[0]
    for result in verdict.passes:
        if result.transform.criterion == criterion:
            return result
    known = dict.fromkeys(one.transform.criterion for one in verdict.passes)
    raise InvalidRequest(
        f"verdict {quoted(verdict.verdict_id)} has no criterion {quoted(criterion)}:"
        f" it has {', '.join(filter(None, known)) or 'none'}"
    )


def _bounded(discussion: Sequence[Turn]) -> tuple[Turn, ...]:
    """The judgement and the latest questions, with the answers between them."""
    judgement, *rest = discussion
    # questions and answers alternate and a question is last, so an odd number of messages is left
    return (judgement, *rest[-(limits.DISCUSSION - 1) :])
