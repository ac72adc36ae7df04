"""One verdict of a jury from the verdicts of its members: see `core.jury` for the rules."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from judgestream.core.cascade import judges_alone
from judgestream.core.costs import total_cost
from judgestream.core.errors import JudgestreamError
from judgestream.core.jury import JuryRecord
from judgestream.core.jury_settling import Outcome, settle_jury, voters
from judgestream.core.modes import Mode
from judgestream.core.types import MemberReading, PassResult, Release, Request, Status, Verdict
from judgestream.core.verdicts import Effort, settled


def jury_verdict(
    *,
    request: Request,
    mode: Mode,
    release: Release,
    record: JuryRecord,
    outcomes: Sequence[Outcome],
    effort: Effort,
    verdict_id: str,
    content_digest: str,
) -> Verdict:
    """Settle the verdicts of the members that were asked, in the order of the record. Costs and tokens are
    theirs.

    Raises:
        JudgestreamError: every member that was asked refused the request; the first one's error.
    """
    verdicts = [one.result for one in outcomes if isinstance(one.result, Verdict)]
    if not verdicts:
        raise next(one.result for one in outcomes if isinstance(one.result, JudgestreamError))
    settlement = settle_jury(request, mode, record, outcomes)
    voted = [one.result for one in voters(record, outcomes) if isinstance(one.result, Verdict)]
    methods = {verdict.method for verdict in voted}
    heard = voted if voted and judges_alone(record, len(outcomes)) else verdicts
    cuts = [verdict.answers_cut_to for verdict in heard if verdict.answers_cut_to]
    return replace(
        settled(
            request=request,
            release=release,
            settlement=settlement,
            effort=effort,
            verdict_id=verdict_id,
            content_digest=content_digest,
        ),
        method=methods.pop() if len(methods) == 1 else "",
        explanation=next((one.explanation for one in heard if one.explanation), ""),
        passes=tuple(_passes(outcomes)),
        input_tokens=sum(verdict.input_tokens for verdict in verdicts),
        output_tokens=sum(verdict.output_tokens for verdict in verdicts),
        answers_cut_to=min(cuts, default=0),
        cost=total_cost([verdict.cost for verdict in verdicts]),
        passed=next((one.passed for one in settlement.scores if one.passed is not None), None),
        members=tuple(map(_member, outcomes)),
    )


def _passes(outcomes: Sequence[Outcome]) -> Iterator[PassResult]:
    for one in outcomes:
        if isinstance(one.result, Verdict):
            for result in one.result.passes:
                yield replace(result, release=one.release.name)


def _member(one: Outcome) -> MemberReading:
    verdict = one.result
    if not isinstance(verdict, Verdict):
        return MemberReading(
            release=one.release.name,
            checkpoint_digest=one.release.checkpoint_digest,
            template_id=one.release.template_id,
            weight=one.juror.weight,
            status=Status.FAILED,
            error_class=verdict.code,
            error_message=str(verdict),
        )
    return MemberReading(
        release=one.release.name,
        checkpoint_digest=verdict.checkpoint_digest,
        template_id=verdict.template_id,
        weight=one.juror.weight,
        status=verdict.status,
        reason=verdict.reason,
        winner=verdict.winner,
        tie=verdict.tie,
        p_win=verdict.p_win,
        p_tie=verdict.p_tie,
        p_lose=verdict.p_lose,
        scores=verdict.scores,
        flipped=verdict.flipped,
        input_tokens=verdict.input_tokens,
        output_tokens=verdict.output_tokens,
        cost=verdict.cost,
    )
