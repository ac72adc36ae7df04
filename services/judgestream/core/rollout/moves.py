"""The legal moves of a release between its stages, as one table, and their effect on the rollout."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import MappingProxyType

from judgestream.core.errors import ConfigurationError
from judgestream.core.rollout.state import (
    CANDIDATE,
    IN_TRAFFIC,
    MOST_CHANGES,
    Action,
    Change,
    Placed,
    Rollout,
    Stage,
    Step,
)

MOST_SHADOWS = 4
"""Releases in shadow at the same time: each judges requests a second time."""

MOST_KEPT = 200
"""Releases in the state. Beyond it the oldest retired and failed ones are forgotten."""


class IllegalMove(ConfigurationError):
    """The move is not possible from the release's stage; the message says why, and what to do."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Move:
    """One move that somebody wants.

    by, why       who wants it, and the reason: both are published
    share, where  of shadow and canary, see `Placed`
    location, checkpoint_digest   of a release to stage
    step          that was reached, of `PREPARE`
    better        of `PROMOTE`: the evidence says that it is better than the best release so far
    adopted       the setting `triton.release` asked for it
    """

    action: Action
    release: str
    at: datetime
    by: str
    why: str = ""
    share: float = 0.0
    where: Mapping[str, str] = field(default_factory=dict)
    location: str = ""
    checkpoint_digest: str = ""
    step: Step = Step.ANNOUNCED
    better: bool = False
    adopted: bool = False


_NEW = "it is not known: stage it first"
_GONE = "it is {stage}: stage it again first"
_IN_USE = "it is the stable release: promote another one, or roll back"

TABLE: Mapping[Action, Mapping[Stage | None, Stage | str]] = MappingProxyType(
    {
        Action.STAGE: {
            None: Stage.STAGED,
            Stage.STAGED: "it is staged already",
            Stage.SHADOW: "it is in shadow already",
            Stage.CANARY: "it is a canary already",
            Stage.STABLE: "it is the stable release already",
            Stage.RETIRED: Stage.STAGED,
            Stage.FAILED: Stage.STAGED,
        },
        Action.PREPARE: {
            None: _NEW,
            Stage.STAGED: Stage.STAGED,
            Stage.SHADOW: Stage.SHADOW,
            Stage.CANARY: Stage.CANARY,
            Stage.STABLE: Stage.STABLE,
            Stage.RETIRED: Stage.RETIRED,
            Stage.FAILED: Stage.FAILED,
        },
        Action.SHADOW: {
            None: _NEW,
            Stage.STAGED: Stage.SHADOW,
            Stage.SHADOW: Stage.SHADOW,
            Stage.CANARY: Stage.SHADOW,
            Stage.STABLE: _IN_USE,
            Stage.RETIRED: Stage.SHADOW,  # as long as it is loaded: a former stable release is compared
            Stage.FAILED: _GONE,
        },
        Action.CANARY: {
            None: _NEW,
            Stage.STAGED: "it has no evidence yet: put it into shadow first",
            Stage.SHADOW: Stage.CANARY,
            Stage.CANARY: Stage.CANARY,
            Stage.STABLE: _IN_USE,
            Stage.RETIRED: _GONE,
            Stage.FAILED: _GONE,
        },
        Action.PROMOTE: {
            None: _NEW,
            Stage.STAGED: Stage.STABLE,
            Stage.SHADOW: Stage.STABLE,
            Stage.CANARY: Stage.STABLE,
            Stage.STABLE: "it is the stable release already",
            Stage.RETIRED: _GONE,
            Stage.FAILED: _GONE,
        },
        Action.ROLL_BACK: {
            None: _NEW,
            Stage.STAGED: "it has no traffic: retire it instead",
            Stage.SHADOW: Stage.FAILED,
            Stage.CANARY: Stage.FAILED,
            Stage.STABLE: Stage.FAILED,
            Stage.RETIRED: "it is retired, so it has no traffic",
            Stage.FAILED: "it has failed, so it has no traffic",
        },
        Action.RETIRE: {
            None: _NEW,
            Stage.STAGED: Stage.RETIRED,
            Stage.SHADOW: Stage.RETIRED,
            Stage.CANARY: "it answers requests: roll it back first",
            Stage.STABLE: _IN_USE,
            Stage.RETIRED: "it is retired already",
            Stage.FAILED: Stage.RETIRED,
        },
        Action.FAIL: {
            None: _NEW,
            Stage.STAGED: Stage.FAILED,
            Stage.SHADOW: Stage.FAILED,
            Stage.CANARY: Stage.FAILED,
            Stage.STABLE: _IN_USE,
            Stage.RETIRED: "it is retired, so it has no traffic",
            Stage.FAILED: "it has failed already",
        },
    }
)
"""Action -> stage before (None: not known) -> stage after, or the reason why the move is refused."""


def apply(rollout: Rollout, move: Move) -> Rollout:
    """The rollout after the move.

    Raises:
        IllegalMove: the move is refused; nothing changes.
    """
    before = rollout.releases.get(move.release)
    after = TABLE[move.action][before.stage if before else None]
    if not isinstance(after, Stage):
        raise _refused(move, after.format(stage=before.stage if before else ""))
    _check(rollout, move, before)
    placed = _placed(before or Placed(release=move.release), move, after)
    releases = {**rollout.releases, move.release: placed}
    previous, best = rollout.previous, rollout.best
    if move.action is Action.PROMOTE:
        if rollout.stable:
            releases[rollout.stable] = _replaced(rollout, move)
            previous = (rollout.stable, *previous)
        previous = tuple(dict.fromkeys(one for one in previous if one != move.release))
        if move.better or not best:
            best = move.release
    if move.action is Action.ROLL_BACK and before is not None and before.stage is Stage.STABLE:
        to, *previous_ones = previous
        releases[to] = replace(
            releases[to],
            stage=Stage.STABLE,
            share=0.0,
            shadow=0.0,
            where={},
            since=move.at,
            by=move.by,
            why=f"{move.release} was rolled back: {move.why}",
            error="",
        )
        previous = tuple(previous_ones)
        best = to if best == move.release else best
    revision = rollout.revision + 1
    change = Change(
        revision=revision,
        at=move.at,
        release=move.release,
        action=move.action,
        before=before.stage if before else None,
        after=after,
        step=placed.step,
        share=placed.share,
        by=move.by,
        why=move.why,
    )
    return replace(
        rollout,
        revision=revision,
        releases=_kept(releases, previous, best),
        previous=previous,
        best=best,
        adopted=move.release if move.adopted else rollout.adopted,
        changes=(*rollout.changes, change)[-MOST_CHANGES:],
    )


def rollback_target(rollout: Rollout) -> str:
    """The release that `rollback` without a name takes out of traffic.

    A canary comes first, then a release in shadow, then the stable release. The release before the stable one
    is not meant where it is in shadow: it is the one that a rollback of the stable release leads to.

    Raises:
        IllegalMove: there are several to choose from, or none.
    """
    for stage in (Stage.CANARY, Stage.SHADOW, Stage.STABLE):
        former = rollout.previous[:1] if stage is Stage.SHADOW and rollout.stable else ()
        found = [one.release for one in rollout.at(stage) if one.release not in former]
        if len(found) > 1:
            raise IllegalMove(f"several releases are in {stage}: name one of {', '.join(found)}")
        if found:
            return found[0]
    raise IllegalMove("no release is in traffic, so there is nothing to roll back")


def _refused(move: Move, reason: str) -> IllegalMove:
    return IllegalMove(f"cannot {move.action} {move.release}: {reason}")


def _check(rollout: Rollout, move: Move, before: Placed | None) -> None:
    """Raise IllegalMove for what the table of stages alone does not show."""
    action = move.action
    if not move.by.strip():
        raise _refused(move, "the move does not say who makes it")
    if action in (Action.SHADOW, Action.CANARY) and not 0.0 < move.share <= 1.0:
        raise _refused(move, f"its share is {move.share}: it must be above 0 and at most 1")
    into_traffic = action in (Action.SHADOW, Action.CANARY, Action.PROMOTE)
    if into_traffic and before is not None and before.step is not Step.READY:
        raise _refused(move, f"it is not ready yet (only {before.step}): wait until it is")
    if action is Action.CANARY:
        if not rollout.stable:
            raise _refused(move, "there is no stable release for the other requests: promote one")
        others = [one.release for one in rollout.at(Stage.CANARY) if one.release != move.release]
        if others:
            raise _refused(move, f"{others[0]} is the canary: promote it or roll it back first")
    if action is Action.SHADOW:
        others = [one.release for one in rollout.at(Stage.SHADOW) if one.release != move.release]
        if len(others) >= MOST_SHADOWS:
            raise _refused(move, f"{len(others)} releases are in shadow: retire one of them first")
    if action is Action.ROLL_BACK and move.release == rollout.stable:
        _check_previous(rollout, move)


def _check_previous(rollout: Rollout, move: Move) -> None:
    if not rollout.previous or rollout.previous[0] not in rollout.releases:
        raise _refused(move, "no release was stable before it: promote another one")
    earlier = rollout.releases[rollout.previous[0]]
    if earlier.step is not Step.READY:
        raise _refused(
            move,
            f"{earlier.release}, which was stable before it, is {earlier.step}: stage and promote it",
        )
    if earlier.stage is Stage.CANARY:
        raise _refused(
            move, f"{earlier.release}, which was stable before it, is a canary: promote it"
        )


def _placed(before: Placed, move: Move, after: Stage) -> Placed:
    """The release after its move."""
    if move.action is Action.PREPARE:
        return replace(
            before,
            step=move.step,
            checkpoint_digest=move.checkpoint_digest or before.checkpoint_digest,
        )
    if move.action is Action.STAGE:
        return Placed(
            release=move.release,
            checkpoint_digest=move.checkpoint_digest or before.checkpoint_digest,
            location=move.location or before.location,
            since=move.at,
            by=move.by,
            why=move.why,
        )
    in_share = after in CANDIDATE
    shadow = move.share if after is Stage.SHADOW else before.shadow
    return replace(
        before,
        stage=after,
        share=move.share if in_share else 0.0,
        shadow=shadow if in_share else 0.0,
        where=dict(move.where) if in_share else {},
        since=before.since if before.stage is after else move.at,
        by=move.by,
        why=move.why,
        error=move.why if after is Stage.FAILED else "",
    )


def _replaced(rollout: Rollout, move: Move) -> Placed:
    """The stable release after another one took its place."""
    return replace(
        rollout.releases[rollout.stable],
        stage=Stage.RETIRED,
        since=move.at,
        by=move.by,
        why=f"{move.release} took its place",
    )


def _kept(
    releases: Mapping[str, Placed], previous: tuple[str, ...], best: str
) -> Mapping[str, Placed]:
    """The releases without the oldest ones that are out of use."""
    surplus = len(releases) - MOST_KEPT
    if surplus <= 0:
        return releases
    needed = {best, *previous[:1]}
    old = [
        one
        for one in releases.values()
        if one.stage in (Stage.RETIRED, Stage.FAILED) and one.release not in needed
    ]
    old.sort(key=lambda one: (one.since, one.release))
    gone = {one.release for one in old[:surplus]}
    return {name: one for name, one in releases.items() if name not in gone}


def needed_on_triton(rollout: Rollout, *, now: datetime, grace_s: float) -> tuple[str, ...]:
    """The releases that must be loaded: staged or in traffic, the one to roll back to, and those that left
    traffic less than `grace_s` ago."""
    kept = set(rollout.previous[:1]) if rollout.stable else set()
    return tuple(
        sorted(
            one.release
            for one in rollout.releases.values()
            if one.stage in IN_TRAFFIC
            or one.stage is Stage.STAGED
            or (one.step is Step.READY and (now - one.since).total_seconds() < grace_s)
            or (one.release in kept and one.step is Step.READY and one.stage is Stage.RETIRED)
        )
    )
