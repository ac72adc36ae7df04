"""Replies -> verdict, and the verdict of a request that could not be judged."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from judgestream.core.errors import JudgestreamError
from judgestream.core.modes import Mode, Pass
from judgestream.core.parsing import read
from judgestream.core.reconcile import verdict_id
from judgestream.core.types import PassResult, Release, Reply, Request, Status, Verdict


@dataclass(frozen=True, kw_only=True, slots=True)
class Effort:
    """What the judgement took: tries, seconds from the first try, and when it ended."""

    attempts: int
    latency_s: float
    ended_at: datetime


def settle(
    *,
    request: Request,
    mode: Mode,
    release: Release,
    passes: Sequence[Pass],
    replies: Sequence[Reply],
    effort: Effort,
) -> Verdict:
    """Read every reply, put it back into the request's order, and settle.

    Args:
        replies: one per pass, in the passes' order.
    """
    results = tuple(
        PassResult(
            name=one.name, reading=one.transform.restore(read(reply, one.grammar)), reply=reply
        )
        for one, reply in zip(passes, replies, strict=True)
    )
    settlement = mode.settle(request, results)
    explanation = replies[0].text.partition("\n")[2].strip() if request.options.explain else ""
    return Verdict(
        verdict_id=verdict_id(request.request_id, release.name, request.mode),
        request_id=request.request_id,
        mode=request.mode,
        status=settlement.status,
        reason=settlement.reason,
        winner=settlement.winner,
        tie=settlement.tie,
        scores=settlement.scores,
        p_win=settlement.p_win,
        p_tie=settlement.p_tie,
        p_lose=settlement.p_lose,
        confidence=settlement.confidence,
        flipped=settlement.flipped,
        explanation=explanation,
        passes=results,
        release=release.name,
        checkpoint_digest=release.checkpoint_digest,
        template_id=release.template_id,
        input_tokens=sum(reply.input_tokens for reply in replies),
        output_tokens=sum(reply.output_tokens for reply in replies),
        latency_s=effort.latency_s,
        attempts=effort.attempts,
        requested_at=request.requested_at,
        judged_at=effort.ended_at,
        metadata=request.metadata,
    )


def failed(
    *,
    request_id: str,
    request: Request | None,
    requested_at: datetime,
    release: Release,
    error: JudgestreamError,
    effort: Effort,
) -> Verdict:
    """The verdict that tells a producer that its request is in the dead letters, and why.

    It carries the id that a scored verdict would have, so that the verdict of a replay takes its place. That
    holds where the request could be read: without one, the mode is "" and the id stands for that.

    Args:
        request: None when the record's fields could not be made into a request.
        requested_at: the record's own time, for when there is no request.
    """
    mode = request.mode if request is not None else ""
    return Verdict(
        verdict_id=verdict_id(request_id, release.name, mode),
        request_id=request_id,
        mode=mode,
        status=Status.FAILED,
        error_class=error.code,
        error_message=str(error),
        release=release.name,
        checkpoint_digest=release.checkpoint_digest,
        template_id=release.template_id,
        latency_s=effort.latency_s,
        attempts=effort.attempts,
        requested_at=request.requested_at if request is not None else requested_at,
        judged_at=effort.ended_at,
        metadata=request.metadata if request is not None else {},
    )
