"""Calls of the API as moves: checked, with what the caller left out filled in."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from math import isfinite

from judgestream.apps.rollout.automatic import SETTINGS, SHADOW_SHARE, TRAINER
from judgestream.apps.rollout.preparing import BY
from judgestream.core import limits
from judgestream.core.rollout.moves import IllegalMove, Move, rollback_target
from judgestream.core.rollout.state import Action, Placed, Rollout, Stage
from judgestream.evaluation.gate import Policy
from judgestream.evaluation.rollout_decision import refusal
from judgestream.v1 import rollout_pb2 as pb

ACTIONS = (
    Action.STAGE,
    Action.SHADOW,
    Action.CANARY,
    Action.PROMOTE,
    Action.ROLL_BACK,
    Action.RETIRE,
)
UNLOAD = "unload"
"""Takes a release that is out of use off Triton before its grace time ends."""

RESERVED = frozenset({BY, TRAINER, SETTINGS})
MAX_LOCATION = 4096


class Malformed(ValueError):
    """The call itself is wrong, whatever the state."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """A checkpoint or an installed release that can be staged."""

    release: str
    checkpoint_digest: str = ""
    location: str = ""


def checked_action(request: pb.MoveRequest) -> Action:
    """The action of a call whose fields can be used. `UNLOAD` is `PREPARE`.

    Raises:
        Malformed: names the field.
    """
    names = {action.value: action for action in ACTIONS} | {UNLOAD: Action.PREPARE}
    if request.action not in names:
        raise Malformed(f"action {limits.quoted(request.action)} is not one of {', '.join(names)}")
    action = names[request.action]
    by = request.by.strip()
    if not by or by in RESERVED:
        raise Malformed("by must name who makes the move, and not a part of judgestream")
    if not request.release and action not in (Action.ROLL_BACK, Action.STAGE):
        raise Malformed(f"release is empty: name the one to {action}")
    if action is Action.STAGE and bool(request.release) == bool(request.location):
        raise Malformed("name a release or a location to stage, not both")
    if request.location and action is not Action.STAGE:
        raise Malformed("location belongs to the action stage only")
    if len(request.release.encode()) > limits.RELEASE or len(request.location) > MAX_LOCATION:
        raise Malformed("release or location is too long")
    if not isfinite(request.share) or not 0.0 <= request.share <= 1.0:
        raise Malformed(f"share is {request.share}: it must be from 0 to 1")
    if request.where and action not in (Action.SHADOW, Action.CANARY):
        raise Malformed("where belongs to the actions shadow and canary only")
    _check_where(request.where)
    return action


def move_of(
    request: pb.MoveRequest,
    rollout: Rollout,
    policy: Policy,
    *,
    now: datetime,
    found: Found | None = None,
) -> Move:
    """The move that a checked call asks for.

    Args:
        found: what is to be staged, for that action.

    Raises:
        IllegalMove: there is nothing to roll back, or the evidence does not allow it.
    """
    action = Action(request.action)
    release = request.release or (found.release if found else rollback_target(rollout))
    placed = rollout.releases.get(release)
    why = request.why
    if placed is not None and (refused := refusal(rollout, placed, policy, action)):
        if not request.force:
            raise IllegalMove(refused)
        why = f"{why} (forced)".strip()
    evidence = placed.evidence if placed else None
    return Move(
        action=action,
        release=release,
        at=now,
        by=request.by,
        why=why,
        share=request.share or _share(action, placed, policy),
        where=_where(request, placed),
        location=found.location if found else "",
        checkpoint_digest=found.checkpoint_digest if found else "",
        better=evidence is not None and evidence.decision == "better",
    )


def _share(action: Action, placed: Placed | None, policy: Policy) -> float:
    """The share of a call that names none."""
    defaults: Mapping[Action, Callable[[], float]] = {
        Action.SHADOW: lambda: (placed.shadow if placed else 0.0) or SHADOW_SHARE,
        Action.CANARY: lambda: policy.canary_share,
    }
    return defaults[action]() if action in defaults else 0.0


def _where(request: pb.MoveRequest, placed: Placed | None) -> dict[str, str]:
    """The filter of the call; a canary that is widened without one keeps its own."""
    if request.where or placed is None or placed.stage is not Stage.CANARY:
        return dict(request.where)
    return dict(placed.where) if request.action == Action.CANARY else {}


def _check_where(where: Mapping[str, str]) -> None:
    size = sum(len(key.encode()) + len(value.encode()) for key, value in where.items())
    if len(where) > limits.METADATA_ENTRIES or size > limits.MESSAGE or "" in where:
        raise Malformed(
            f"where has {len(where)} entries of {size} bytes: at most {limits.METADATA_ENTRIES} with"
            f" {limits.MESSAGE} bytes together, and no empty key"
        )
