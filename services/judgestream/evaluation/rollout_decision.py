"""The moves that follow from a candidate's evidence under a policy, and the permission for other moves."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from math import isfinite

from judgestream.core.rollout.moves import IllegalMove, Move, apply
from judgestream.core.rollout.state import (
    CANDIDATE,
    Action,
    Evidence,
    Finding,
    Placed,
    Rollout,
    Stage,
)
from judgestream.evaluation.gate import Decision, Outcome, Policy
from judgestream.evaluation.required_guards import ENOUGH, required
from judgestream.evaluation.rollout_watch import is_watched, watch_moves

STABLE, BEST = "stable", "best"
"""Names of the comparisons: with the stable release, and with the best release so far."""

NEEDS_EVIDENCE = frozenset({Action.CANARY, Action.PROMOTE})
WORDS: Mapping[Outcome, str] = {
    Outcome.BETTER: "better",
    Outcome.NOT_WORSE: "not worse by a margin",
    Outcome.WORSE: "worse",
    Outcome.UNDECIDED: "undecided",
}
REASONS = 3
"""Reasons that the sentence names. The findings have all of them."""


def baselines(rollout: Rollout, candidate: str) -> dict[str, str]:
    """The releases that a candidate is compared with, by the name of the comparison.

    The best release so far takes part where it is not the stable one, and judges in shadow or as a canary.
    """
    found = {STABLE: rollout.stable} if rollout.stable else {}
    best = rollout.releases.get(rollout.best)
    if found and best is not None and best.stage in CANDIDATE and best.release != candidate:
        found[BEST] = best.release
    return found


def entered_shadow(rollout: Rollout, placed: Placed) -> datetime:
    """When the candidate's trial began: its latest move from another stage into shadow."""
    return max(
        (
            one.at
            for one in rollout.changes
            if one.release == placed.release
            and one.after is Stage.SHADOW
            and one.before not in CANDIDATE
        ),
        default=placed.since,
    )


def evidence_of(decision: Decision, *, compared_with: str, now: datetime) -> Evidence:
    """The decision as the rollout publishes it."""
    reasons = "; ".join(decision.reasons[:REASONS])
    more = len(decision.reasons) - REASONS
    sentence = f"{WORDS[decision.outcome]}, compared with {compared_with}"
    if reasons:
        sentence += f": {reasons}" + (f"; and {more} more reasons" if more > 0 else "")
    return Evidence(
        decision=decision.outcome.value,
        measured_at=now,
        sentence=sentence,
        findings=tuple(
            Finding(
                guard=one.guard,
                baseline=one.baseline,
                decision=one.outcome.value,
                estimate=one.estimate,
                low=one.low if isfinite(one.low) else None,
                high=one.high if isfinite(one.high) else None,
                margin=one.margin,
                items=one.items,
                units=one.units,
                sentence=one.why,
            )
            for one in decision.findings
        ),
    )


def refusal(rollout: Rollout, placed: Placed, policy: Policy, action: Action) -> str:
    """Why the evidence does not allow a move into more traffic; "" where it does.

    A canary needs `least_shadow_units` prompts in shadow and no required guard that is worse. The stable
    release needs evidence that it is better or not worse. Without a stable release there is nothing to
    compare with, and nothing to protect.
    """
    if action not in NEEDS_EVIDENCE or not rollout.stable or placed.release == rollout.stable:
        return ""
    evidence = placed.evidence
    if evidence is None or evidence.measured_at < rollout.releases[rollout.stable].since:
        found = f"there is no evidence yet against the stable release {rollout.stable}"
    elif breached(evidence, policy):
        found = f"the evidence is {evidence.decision}: {evidence.sentence}"
    elif action is Action.CANARY:
        units = shadow_units(evidence)
        if units >= policy.least_shadow_units:
            return ""
        found = f"it has judged {units} prompts beside it; the policy asks for {policy.least_shadow_units}"
    elif evidence.decision in ENOUGH:
        return ""
    else:
        found = f"the evidence is {evidence.decision}: {evidence.sentence}"
    return f"cannot {action} {placed.release}: {found}. Wait for more verdicts, or use --force"


def breached(evidence: Evidence, policy: Policy) -> list[Finding]:
    """Required guards that are worse."""
    return required(evidence, policy, Outcome.WORSE)


def shadow_units(evidence: Evidence) -> int:
    """The prompts that the candidate and the stable release both judged."""
    return max((one.units for one in evidence.findings if one.baseline == STABLE), default=0)


def decide_moves(
    rollout: Rollout,
    measured: Mapping[str, Evidence],
    policy: Policy,
    *,
    now: datetime,
    by: str,
) -> list[Move]:
    """The moves that the policy makes by itself, in the order in which they have to be made.

    A candidate with a required guard that is worse is rolled back (`automatic.rollback`). One that is better
    or not worse advances (`automatic.promote`): from shadow to the canary's first share, through
    `canary_steps`, to stable. It stays at each share for `canary_step_s`. Nothing advances while undecided,
    or without a comparison with the best release so far. After a promotion the former stable release is
    watched (see `rollout_watch`).

    Args:
        measured: release -> evidence against the present stable release, as of `now`.
    """
    wanted = watch_moves(rollout, measured, policy, now=now, by=by)
    for placed in rollout.at(*CANDIDATE):
        evidence = measured.get(placed.release)
        if evidence is None or is_watched(rollout, placed, by=by):
            continue
        if move := _move(rollout, placed, evidence, policy, now, by):
            wanted.append(move)
    return _possible(rollout, wanted)


def _possible(rollout: Rollout, wanted: Sequence[Move]) -> list[Move]:
    """The moves that are legal one after the other. A second canary, for instance, has to wait."""
    found: list[Move] = []
    for move in wanted:
        try:
            rollout = apply(rollout, move)
        except IllegalMove:
            continue
        found.append(move)
    return found


def _move(
    rollout: Rollout, placed: Placed, evidence: Evidence, policy: Policy, now: datetime, by: str
) -> Move | None:
    if policy.automatic.rollback and (worse := breached(evidence, policy)):
        why = "; ".join(one.sentence or f"{one.guard} is worse" for one in worse[:REASONS])
        return Move(action=Action.ROLL_BACK, release=placed.release, at=now, by=by, why=why)
    if not policy.automatic.promote or evidence.decision not in ENOUGH:
        return None
    if not _compared_with_best(rollout, placed, evidence) or breached(evidence, policy):
        return None
    share = next_share(rollout, placed, evidence, policy, now)
    if share is None:
        return None
    if share < 1.0:
        return Move(
            action=Action.CANARY,
            release=placed.release,
            at=now,
            by=by,
            why=evidence.sentence,
            share=share,
            where=placed.where,
        )
    return Move(
        action=Action.PROMOTE,
        release=placed.release,
        at=now,
        by=by,
        why=evidence.sentence,
        better=evidence.decision == Outcome.BETTER,
    )


def next_share(
    rollout: Rollout, placed: Placed, evidence: Evidence, policy: Policy, now: datetime
) -> float | None:
    """The share that a candidate with enough evidence answers next; 1 for all requests, None to wait."""
    if placed.stage is Stage.SHADOW:
        return policy.canary_share if shadow_units(evidence) >= policy.least_shadow_units else None
    changed = max(
        (
            one.at
            for one in rollout.changes
            if one.release == placed.release and one.action is Action.CANARY
        ),
        default=placed.since,
    )
    if (now - changed).total_seconds() < policy.canary_step_s:
        return None
    return next((share for share in policy.canary_steps if share > placed.share), 1.0)


def _compared_with_best(rollout: Rollout, placed: Placed, evidence: Evidence) -> bool:
    """Losses within the margin would add up if only the latest release were the measure."""
    if rollout.best in ("", rollout.stable, placed.release):
        return True
    return any(one.baseline == BEST for one in evidence.findings)
