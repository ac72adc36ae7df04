"""The watch after a promotion: the former stable release judges in shadow for a while, and comes back if it
turns out to be better than the one that took its place.

A loss may show only after a promotion: labels arrive late, and other requests come. The comparison is that of
every trial, with the former release as the candidate. So an equal successor is rolled back with probability
alpha at most (see `gate.decision`).
"""

from collections.abc import Mapping
from datetime import datetime

from judgestream.core.rollout.moves import Move
from judgestream.core.rollout.state import Action, Evidence, Placed, Rollout, Stage, Step
from judgestream.evaluation.gate import Outcome, Policy
from judgestream.evaluation.required_guards import ENOUGH, required


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
    """The moves that begin, end and act on the watch. None begins where `automatic.rollback` is off.

    Only a release that was promoted with evidence that is enough is watched: one that somebody put into
    service without it is their own decision. A watch begins once for each promotion: a former release that
    somebody retires meanwhile stays retired, and a rollback begins none.
    """
    stable = rollout.releases.get(rollout.stable)
    former = rollout.releases.get(rollout.previous[0]) if rollout.previous else None
    if stable is None or former is None:
        return []
    left = _left_over(rollout, now, by)
    if former.stage is Stage.RETIRED:
        begins = _begins(stable, former, policy, now)
        return [*left, _begin(stable, former, policy, now, by)] if begins else left
    if not is_watched(rollout, former, by=by):
        return left
    if not policy.automatic.rollback:
        why = "automatic.rollback is off"
        return [*left, Move(action=Action.RETIRE, release=former.release, at=now, by=by, why=why)]
    evidence = measured.get(former.release)
    if evidence is not None and (better := required(evidence, policy, Outcome.BETTER)):
        why = "; ".join(f"{former.release} is better: {one.sentence}" for one in better)
        return [Move(action=Action.ROLL_BACK, release=stable.release, at=now, by=by, why=why)]
    if (now - stable.since).total_seconds() >= policy.watch_s:
        why = f"{stable.release} was not worse in the {policy.watch_s:g} s after its promotion"
        return [*left, Move(action=Action.RETIRE, release=former.release, at=now, by=by, why=why)]
    return left


def _left_over(rollout: Rollout, now: datetime, by: str) -> list[Move]:
    """The ends of watches of a release that another one has replaced meanwhile."""
    return [
        Move(
            action=Action.RETIRE,
            release=one.release,
            at=now,
            by=by,
            why=f"{rollout.stable} took the place of the release that it was compared with",
        )
        for one in rollout.at(Stage.SHADOW)
        if one.release in rollout.previous[1:] and one.by == by
    ]


def _begins(stable: Placed, former: Placed, policy: Policy, now: datetime) -> bool:
    return (
        policy.automatic.rollback
        and stable.evidence is not None
        and stable.evidence.decision in ENOUGH
        and former.step is Step.READY
        and former.since == stable.since  # nothing but the promotion has moved it
        and (now - stable.since).total_seconds() < policy.watch_s
    )


def _begin(stable: Placed, former: Placed, policy: Policy, now: datetime, by: str) -> Move:
    return Move(
        action=Action.SHADOW,
        release=former.release,
        at=now,
        by=by,
        why=f"compared with {stable.release}, which took its place",
        share=policy.watch_share,
    )
