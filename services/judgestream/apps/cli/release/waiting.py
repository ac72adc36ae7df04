"""Waiting for the moves of the rollout: until a release is ready, or the workers follow."""

import time
from typing import TYPE_CHECKING

from judgestream.adapters.rollout.errors import RolloutUnavailable
from judgestream.apps.cli.release.rollout_view import sentence, stage_of
from judgestream.core.errors import ConfigurationError
from judgestream.settings import Settings
from judgestream.terminal.exit_codes import TimeRanOut
from judgestream.terminal.output import note
from judgestream.v1 import rollout_pb2 as pb

if TYPE_CHECKING:
    from judgestream.adapters.rollout.calls import RolloutCalls


def await_ready(calls: "RolloutCalls", release: str, deadline: float) -> pb.Placed:
    """Print the steps of a release until it is ready. Returns it.

    Raises:
        ConfigurationError: it failed, and why; or it was retired meanwhile.
        TimeRanOut: it is not ready in time; the service continues.
    """
    printed = ""
    while (left := deadline - time.monotonic()) > 0:
        try:
            for state in calls.watch(timeout_s=left):
                placed = find_release(state, release)
                if placed is None:
                    raise ConfigurationError(f"release {release} is not in the rollout any more")
                if placed.stage in (pb.STAGE_FAILED, pb.STAGE_RETIRED):
                    raise ConfigurationError(
                        f"release {release} is {stage_of(placed)}: {placed.error or placed.why}"
                    )
                if placed.step == pb.STEP_READY:
                    return placed
                if (text := sentence(placed)) != printed:
                    printed = text
                    note(text)
        except RolloutUnavailable as exc:  # it may restart: what it was doing, it continues
            if str(exc) != printed:
                printed = str(exc)
                note(printed)
            time.sleep(min(1.0, left))
    raise TimeRanOut(
        f"release {release} is not ready yet, and the rollout service continues: see `judgestream release"
        " show`"
    )


def await_workers(settings: Settings, revision: int, deadline: float) -> None:
    """Wait until every judging worker follows the state of this revision.

    Raises:
        TimeRanOut: some do not in time; they follow once they can.
    """
    from judgestream.adapters.redis.worker_board import WorkerBoard

    board = WorkerBoard.connect(settings.redis)
    if board is None:
        note("the workers' state is unknown: there is no Redis")
        return
    with board:
        while True:
            behind = [
                entry.name
                for entry in board.workers()
                if entry.kind == "judging" and entry.route is not None and entry.route < revision
            ]
            if not behind:
                return
            if time.monotonic() > deadline:
                raise TimeRanOut(
                    f"the move is published, but {', '.join(behind)} did not follow in time: see"
                    " `judgestream status`"
                )
            time.sleep(0.2)


def find_release(state: pb.Rollout, release: str) -> pb.Placed | None:
    """The release in this state; None if it is not in it."""
    return next((one for one in state.releases if one.release == release), None)
