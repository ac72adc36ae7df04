"""Rollouts for tests."""

from datetime import UTC, datetime, timedelta
from typing import Any

from judgestream.core.rollout.moves import Move, apply
from judgestream.core.rollout.state import Action, Rollout, Step

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def move(action: Action, release: str, *, minute: int = 0, **fields: Any) -> Move:
    at = NOON + timedelta(minutes=minute)
    return Move(action=action, release=release, at=at, **{"by": "ops", **fields})


def after(*moves: Move, start: Rollout | None = None) -> Rollout:
    rollout = start or Rollout()
    for one in moves:
        rollout = apply(rollout, one)
    return rollout


def ready(release: str, **fields: Any) -> tuple[Move, Move]:
    """The moves that stage a release and make it ready."""
    return (
        move(Action.STAGE, release, **fields),
        move(Action.PREPARE, release, step=Step.READY),
    )


def stable(release: str) -> tuple[Move, ...]:
    return (*ready(release), move(Action.PROMOTE, release))
