"""`Verdict` messages <-> verdicts, with a `PassReading` for each pass."""

from math import isfinite

from judgestream.contracts.codecs.members import member_from_message, member_to_message
from judgestream.contracts.codecs.outcomes import (
    STATUS,
    STATUS_OUT,
    score_from_message,
    score_to_message,
    uint32,
)
from judgestream.contracts.codecs.times import moment, timestamp
from judgestream.core import limits
from judgestream.core.limits import quoted
from judgestream.core.transforms import Transform
from judgestream.core.types import (
    PassResult,
    Reading,
    Reply,
    Unread,
    Unreadable,
    Verdict,
)
from judgestream.v1 import judging_pb2 as pb

ROUNDING = 1e-6
"""Tolerance of a probability beyond 0 to 1."""


def verdict_to_message(verdict: Verdict) -> pb.Verdict:
    message = pb.Verdict(
        verdict_id=verdict.verdict_id,
        request_id=verdict.request_id,
        mode=verdict.mode,
        status=STATUS_OUT[verdict.status],
        reason=verdict.reason,
        error_class=verdict.error_class,
        error_message=verdict.error_message,
        winner=verdict.winner,
        tie=verdict.tie,
        scores=[score_to_message(score) for score in verdict.scores],
        p_win=verdict.p_win,
        p_tie=verdict.p_tie,
        p_lose=verdict.p_lose,
        confidence=verdict.confidence,
        explanation=verdict.explanation,
        passes=[_pass_to_message(result) for result in verdict.passes],
        release=verdict.release,
        checkpoint_digest=verdict.checkpoint_digest,
        template_id=verdict.template_id,
        input_tokens=uint32(verdict.input_tokens),
        output_tokens=uint32(verdict.output_tokens),
        latency_s=verdict.latency_s,
        attempts=uint32(verdict.attempts),
        requested_at=timestamp(verdict.requested_at),
        judged_at=timestamp(verdict.judged_at),
        metadata=verdict.metadata,
        content_digest=verdict.content_digest,
        answers_cut_to=verdict.answers_cut_to,
        method=verdict.method,
        cost=verdict.cost,
        members=[member_to_message(member) for member in verdict.members],
        prompt_digest=verdict.prompt_digest,
        both_orders_probability=verdict.both_orders_probability,
    )
    if verdict.passed is not None:
        message.passed = verdict.passed
    if verdict.flipped is not None:
        message.flipped = verdict.flipped
    return message


def verdict_from_message(message: pb.Verdict) -> Verdict:
    """The published verdict. The raw score distribution of a pass is not published.

    Raises:
        ValueError: no id, an unknown status, an implausible time, a number that is not finite or out of
            range. The message names the field.
    """
    if not message.verdict_id.strip() or not message.request_id.strip():
        raise ValueError("a verdict needs a verdict_id and a request_id")
    if message.status not in STATUS:
        raise ValueError(f"status {message.status} is unknown: a newer version may have written it")
    if message.tie and message.winner:
        raise ValueError(f"names the winner {quoted(message.winner)} and a tie")
    _check_numbers(message)
    return Verdict(
        verdict_id=message.verdict_id,
        request_id=message.request_id,
        mode=message.mode,
        status=STATUS[message.status],
        reason=message.reason,
        error_class=message.error_class,
        error_message=message.error_message,
        winner=message.winner,
        tie=message.tie,
        scores=tuple(score_from_message(score) for score in message.scores),
        p_win=message.p_win if message.HasField("p_win") else None,
        p_tie=message.p_tie if message.HasField("p_tie") else None,
        p_lose=message.p_lose if message.HasField("p_lose") else None,
        confidence=message.confidence if message.HasField("confidence") else None,
        flipped=message.flipped if message.HasField("flipped") else None,
        explanation=message.explanation,
        passes=tuple(
            _pass_from_message(result, len(message.scores) or 2) for result in message.passes
        ),
        release=message.release,
        checkpoint_digest=message.checkpoint_digest,
        template_id=message.template_id,
        input_tokens=message.input_tokens,
        output_tokens=message.output_tokens,
        latency_s=message.latency_s,
        attempts=message.attempts,
        requested_at=moment(message.requested_at),
        judged_at=moment(message.judged_at),
        metadata=dict(message.metadata),
        content_digest=message.content_digest,
        answers_cut_to=message.answers_cut_to,
        method=message.method,
        passed=message.passed if message.HasField("passed") else None,
        cost=message.cost if message.HasField("cost") else None,
        members=tuple(member_from_message(member) for member in message.members),
        prompt_digest=message.prompt_digest,
        both_orders_probability=message.both_orders_probability
        if message.HasField("both_orders_probability")
        else None,
    )


def _pass_to_message(result: PassResult) -> pb.PassReading:
    reply = result.reply
    message = pb.PassReading(
        name=result.transform.name,
        text=reply.text,
        finish_reason=reply.finish_reason,
        input_tokens=uint32(reply.input_tokens),
        output_tokens=uint32(reply.output_tokens),
        latency_s=reply.latency_s,
        release=result.release,
        reasonings=uint32(reply.reasonings),
        because_unsure=result.because_unsure,
    )
    reading = result.reading
    if isinstance(reading, Unreadable):
        message.unreadable = reading.reason
        message.detail = reading.detail
        return message
    message.means.extend(reading.means)
    message.greedy.extend(reading.greedy)
    message.outside = reading.outside
    message.values.extend(reading.values)
    message.p_best.extend(reading.p_best)
    if reading.win is not None and reading.tie is not None and reading.lose is not None:
        message.p_win, message.p_tie, message.p_lose = reading.win, reading.tie, reading.lose
    return message


def _check_numbers(message: pb.Verdict) -> None:
    """Probabilities are from 0 to 1 and scores are finite, because a NaN would spoil every mean."""
    for part in (message, *message.passes, *message.members):
        for name in ("p_win", "p_tie", "p_lose"):
            if part.HasField(name) and not -ROUNDING <= getattr(part, name) <= 1 + ROUNDING:
                raise ValueError(f"{name} is {getattr(part, name)}: it must be from 0 to 1")
    if message.HasField("confidence") and not -ROUNDING <= message.confidence <= 1 + ROUNDING:
        raise ValueError(f"confidence is {message.confidence}: it must be from 0 to 1")
    if message.HasField("both_orders_probability") and not 0 < message.both_orders_probability <= 1:
        told = message.both_orders_probability
        raise ValueError(f"both_orders_probability is {told}: it must be above 0 and at most 1")
    scores = [member.weight for member in message.members]
    for cost in (message.cost, *(member.cost for member in message.members)):
        if not 0 <= cost <= limits.NUMBER:
            raise ValueError(f"cost is {cost}: it must be from 0 to {limits.NUMBER:g} dollars")
    for candidate in (*message.scores, *(one for m in message.members for one in m.scores)):
        scores += (candidate.score, candidate.low, candidate.high)
        _check_share(candidate.p_best)
        for criterion in candidate.criteria:
            scores += (criterion.score, criterion.low, criterion.high)
    for result in message.passes:
        scores += (*result.means, *result.greedy, result.outside, *result.values)
        for share in result.p_best:
            _check_share(share)
    if not all(map(isfinite, scores)):
        raise ValueError("a score or a weight is not a finite number")


def _check_share(share: float) -> None:
    if not -ROUNDING <= share <= 1 + ROUNDING:
        raise ValueError(f"p_best is {share}: it must be from 0 to 1")


def _unread(reason: str) -> Unread:
    """The reason of a missing reading; `OTHER` for one that only a newer version knows."""
    try:
        return Unread(reason)
    except ValueError:
        return Unread.OTHER


def _pass_from_message(message: pb.PassReading, candidates: int) -> PassResult:
    reading: Reading | Unreadable
    if message.unreadable:
        reading = Unreadable(reason=_unread(message.unreadable), detail=message.detail)
    else:
        reading = Reading(
            means=tuple(message.means),
            greedy=tuple(message.greedy),
            win=message.p_win if message.HasField("p_win") else None,
            tie=message.p_tie if message.HasField("p_tie") else None,
            lose=message.p_lose if message.HasField("p_lose") else None,
            outside=message.outside,
            values=tuple(message.values),
            p_best=tuple(message.p_best),
        )
    reply = Reply(
        text=message.text,
        finish_reason=message.finish_reason,
        input_tokens=message.input_tokens,
        output_tokens=message.output_tokens,
        latency_s=message.latency_s,
        reasonings=message.reasonings,
    )
    transform = Transform.from_name(message.name, candidates)
    return PassResult(
        transform=transform,
        reading=reading,
        reply=reply,
        release=message.release,
        because_unsure=message.because_unsure,
    )
