"""The watch after a promotion: the former stable release judges in shadow for a while, and comes back if it
turns out to be better than the one that took its place.

A loss may show only after a promotion: labels arrive late, and other requests come. The comparison is that of
every trial, with the former release as the candidate. So an equal successor is rolled back with probability
alpha at most (see `gate.decision`).
"""

from collections.abc import Mapping
from datetime import datetime

from judgestream.core.rollout.moves import Move
from judgestream.core.rollout.state import Action, Evidence, Finding, Placed, Rollout, Stage, Step
from judgestream.evaluation.gate import Outcome, Policy


def is_watched(rollout: Rollout, placed: Placed, *, by: str) -> bool:
    """Whether the release is in shadow as the predecessor of the stable one, and not to be promoted.

    Args:
        by: the name under which the policy's moves are made.
    """
    return (
        placed.stage is Stage.SHADOW
        and rollout.previous[:1] == (placed.release,)
        and placed.by == by
    )


def watch_moves(
    rollout: Rollout, measured: Mapping[str, Evidence], policy: Policy, *, now: datetime, by: str
) -> list[Move]:
    """The moves that begin, end and act on the watch; [] where `automatic.rollback` is off.

    Only a release that was promoted with evidence is watched: one that somebody put into service without
    any is their own decision.
    """
    stable = rollout.releases.get(rollout.stable)
    former = rollout.releases.get(rollout.previous[0]) if rollout.previous else None
    if stable is None or former is None or not policy.automatic.rollback:
        return []
    age = (now - stable.since).total_seconds()
    if former.stage is Stage.RETIRED:
        begins = stable.evidence is not None and former.step is Step.READY and age < policy.watch_s
        return [_begin(stable, former, policy, now, by)] if begins else []
    if not is_watched(rollout, former, by=by):
        return []
    evidence = measured.get(former.release)
    if evidence is not None and (better := _better(evidence, policy)):
        why = "; ".join(f"{former.release} is better: {one.sentence}" for one in better)
        return [Move(action=Action.ROLL_BACK, release=stable.release, at=now, by=by, why=why)]
    if age >= policy.watch_s:
        why = f"{stable.release} was not worse in the {policy.watch_s:g} s after its promotion"
        return [Move(action=Action.RETIRE, release=former.release, at=now, by=by, why=why)]
    return []


def _begin(stable: Placed, former: Placed, policy: Policy, now: datetime, by: str) -> Move:
    return Move(
        action=Action.SHADOW,
        release=former.release,
        at=now,
        by=by,
        why=f"compared with {stable.release}, which took its place",
        share=policy.watch_share,
    )


def _better(evidence: Evidence, policy: Policy) -> list[Finding]:
    """Required guards on which the former release is better."""
    return [
        one
        for one in evidence.findings
        if one.decision == Outcome.BETTER
        and one.guard in policy.guards
        and policy.guards[one.guard].required
    ]
