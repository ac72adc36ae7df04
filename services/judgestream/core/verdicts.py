"""Verdicts: built from replies, or for a request that could not be judged."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, TypeVar

from judgestream.core import identity, limits
from judgestream.core.checks import metadata_problems
from judgestream.core.costs import total_cost
from judgestream.core.errors import JudgestreamError
from judgestream.core.limits import cut
from judgestream.core.modes import Mode
from judgestream.core.passes import explanation_in
from judgestream.core.reconcile import Settlement
from judgestream.core.style import style_of
from judgestream.core.types import (
    PROBE_KEY,
    CandidateScore,
    MemberReading,
    PassResult,
    Release,
    Reply,
    Request,
    Status,
    Unreadable,
    Verdict,
)

D = TypeVar("D", Verdict, PassResult, Reply, Unreadable, MemberReading)


@dataclass(frozen=True, kw_only=True, slots=True)
class Effort:
    """The cost of a judgement: attempts, seconds since the first attempt, and its end."""

    attempts: int
    latency_s: float
    ended_at: datetime


def build_verdict(
    *,
    request: Request,
    mode: Mode,
    release: Release,
    results: Sequence[PassResult],
    effort: Effort,
    verdict_id: str,
    content_digest: str,
) -> Verdict:
    """Settle the results of all passes.

    Args:
        results: as `Pass.result` gives them, in the order of the mode's plan.
        verdict_id, content_digest: of this request and release, by `core.identity`.
    """
    settlement = mode.settle(request, results)
    replies = [result.reply for result in results]
    explanation = settlement.explanation
    if explanation is None:
        explanation = explanation_in(results[0]) if request.options.explain else ""
    return replace(
        settled(
            request=request,
            release=release,
            settlement=settlement,
            effort=effort,
            verdict_id=verdict_id,
            content_digest=content_digest,
        ),
        explanation=explanation,
        passes=tuple(results),
        input_tokens=sum(reply.input_tokens for reply in replies),
        output_tokens=sum(reply.output_tokens for reply in replies),
        cost=total_cost([reply.cost for reply in replies]),
    )


def settled(
    *,
    request: Request,
    release: Release,
    settlement: Settlement,
    effort: Effort,
    verdict_id: str,
    content_digest: str,
) -> Verdict:
    """The outcome of a request as a verdict, without what its judges read and wrote."""
    return Verdict(
        verdict_id=verdict_id,
        request_id=request.request_id,
        mode=request.mode,
        status=settlement.status,
        reason=settlement.reason,
        winner=settlement.winner,
        tie=settlement.tie,
        scores=_styled(request, settlement.scores),
        p_win=settlement.p_win,
        p_tie=settlement.p_tie,
        p_lose=settlement.p_lose,
        confidence=settlement.confidence,
        flipped=settlement.flipped,
        method=settlement.method,
        release=release.name,
        checkpoint_digest=release.checkpoint_digest,
        template_id=release.template_id,
        latency_s=effort.latency_s,
        attempts=effort.attempts,
        requested_at=request.requested_at,
        judged_at=effort.ended_at,
        metadata=request.metadata,
        content_digest=content_digest,
        prompt_digest=identity.prompt_digest(request),
        passed=settlement.passed,
    )


def _styled(request: Request, scores: Sequence[CandidateScore]) -> tuple[CandidateScore, ...]:
    """The scores with each answer's style."""
    styles = {candidate.id: style_of(candidate) for candidate in request.candidates}
    return tuple(replace(score, style=styles.get(score.candidate_id)) for score in scores)


def limited(verdict: Verdict) -> tuple[Verdict, int]:
    """The verdict with every text within its limit, and the number of the judge's texts that were cut.

    The readings come from the whole replies; only the published text is cut. All replies together stay
    within `limits.REPLIES`, so that a mode of many passes fits the topic too.
    """
    share = min(limits.REPLY, limits.REPLIES // max(1, len(verdict.passes)))
    passes = tuple(_limited_pass(result, share) for result in verdict.passes)
    explanation = cut(verdict.explanation, limits.REPLY)
    count = sum(
        new.reply.text != old.reply.text for new, old in zip(passes, verdict.passes, strict=True)
    )
    return (
        _changed(
            verdict,
            passes=passes,
            explanation=explanation,
            request_id=cut(verdict.request_id, limits.ID),
            mode=cut(verdict.mode, limits.MODE),
            reason=cut(verdict.reason, limits.DETAIL),
            error_message=cut(verdict.error_message, limits.MESSAGE),
            metadata=_limited_metadata(verdict),
            members=tuple(_limited_member(member) for member in verdict.members),
        ),
        count + (explanation != verdict.explanation),
    )


def _limited_pass(result: PassResult, share: int) -> PassResult:
    reply = _changed(
        result.reply,
        text=cut(result.reply.text, share),
        finish_reason=cut(result.reply.finish_reason, limits.DETAIL),
    )
    reading = result.reading
    if isinstance(reading, Unreadable):
        reading = _changed(reading, detail=cut(reading.detail, limits.DETAIL))
    return _changed(result, reply=reply, reading=reading)


def _limited_member(member: MemberReading) -> MemberReading:
    return _changed(
        member,
        reason=cut(member.reason, limits.DETAIL),
        error_message=cut(member.error_message, limits.DETAIL),
    )


def _changed(value: D, **fields: Any) -> D:
    """The value with these fields: itself where all of them are equal, since a copy costs more."""
    changes = {name: field for name, field in fields.items() if field != getattr(value, name)}
    return replace(value, **changes) if changes else value


def _limited_metadata(verdict: Verdict) -> Mapping[str, str]:
    """All metadata. If the request was refused for its metadata, only the mark of a probe."""
    if not any(metadata_problems(verdict.metadata)):
        return verdict.metadata
    return {PROBE_KEY: "…[cut]"} if verdict.is_probe else {}


def failed(
    *,
    request_id: str,
    request: Request | None,
    requested_at: datetime,
    release: Release,
    error: JudgestreamError,
    effort: Effort,
    raw_digest: str = "",
) -> Verdict:
    """The failed verdict of a dead-lettered request, with the reason.

    It has the id of the scored verdict, so that the verdict of a replay replaces it. Without a request the
    mode is "", and the digest of the record's bytes replaces that of the content.

    Args:
        request: None if the record could not be decoded into a request.
        requested_at: the record's time, used without a request.
        raw_digest: of the record's bytes, used without a request.
    """
    mode = request.mode if request is not None else ""
    content = identity.content_digest(request) if request is not None else ""
    return Verdict(
        verdict_id=identity.verdict_id(request_id, release.name, mode, content or raw_digest),
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
        content_digest=content,
        prompt_digest=identity.prompt_digest(request) if request is not None else "",
    )
