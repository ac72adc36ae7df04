"""A worker's thread that keeps its entry on the board, and keeps a second worker off its slot."""

import logging
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread
from time import monotonic, sleep

from judgestream.adapters.redis.worker_board import RENEW_S, TTL_S, WorkerBoard, WorkerEntry
from judgestream.apps.worker import metrics
from judgestream.apps.worker.status import WorkerStatus
from judgestream.core.errors import ConfigurationError, StoreUnavailable
from judgestream.settings import Redis

log = logging.getLogger(__name__)

LOOK_S = 0.5


@contextmanager
def on_board(settings: Redis, status: WorkerStatus) -> Iterator[None]:
    """Claim the slot, show the status while the body runs, and free the slot.

    Raises:
        ConfigurationError: another living worker has this slot.
    """
    board = WorkerBoard.connect(settings)
    if board is None:
        yield
        return
    keeper = BoardKeeper(board, status)
    keeper.claim()
    keeper.start()
    try:
        yield
    finally:
        keeper.stop()


class BoardKeeper:
    def __init__(
        self,
        board: WorkerBoard,
        status: WorkerStatus,
        *,
        lose: Callable[[], object] = lambda: os.kill(os.getpid(), signal.SIGTERM),
    ) -> None:
        """`lose` is called once when another worker has taken the slot."""
        self._board = board
        self._status = status
        self._lose = lose
        self._stopped = Event()
        self._thread = Thread(target=self._run, name="board", daemon=True)

    def claim(self) -> None:
        """Take the slot. An earlier worker that died is waited for until its entry expires, at most
        `TTL_S`; one that died on this machine is not.

        Raises:
            ConfigurationError: another living worker has the slot.
        """
        first: WorkerEntry | None = None
        deadline = monotonic() + TTL_S + 2 * RENEW_S
        while True:
            try:
                other = self._board.write(self._status.entry())
                if other is not None and self._is_dead(other):
                    other = self._board.write(self._status.entry(), instead_of=other.life)
            except StoreUnavailable as exc:
                log.warning("no board for now, so nobody sees this worker's slot: %s", exc)
                return
            if other is None:
                self._follow_skips()
                return
            renewed = first is not None and (other.life, other.seen_at) != (
                first.life,
                first.seen_at,
            )
            if renewed or monotonic() > deadline:
                raise ConfigurationError(
                    f"slot {self._status.slot} of the {self._status.kind} workers is taken by process"
                    f" {other.pid} on {other.host}, started {other.started_at:%Y-%m-%d %H:%M:%S} UTC:"
                    " give each worker its own --slot"
                )
            first = first or other
            sleep(LOOK_S)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join(RENEW_S)
        try:
            self._board.take_down(self._status.entry())
        except StoreUnavailable as exc:
            log.info("the board still shows this worker for %.0f s: %s", TTL_S, exc)
        self._board.close()

    def _run(self) -> None:
        while not self._stopped.wait(RENEW_S):
            try:
                other = self._board.write(self._status.entry())
                self._follow_skips()
            except StoreUnavailable as exc:
                log.info("the board could not be written: %s", exc)
                continue
            except Exception:
                metrics.background_failures.labels("board").inc()
                log.exception("the board could not be written")
                continue
            if other is not None:
                log.critical(
                    "slot %d has been taken by process %d on %s while Redis was away: ending this worker",
                    self._status.slot,
                    other.pid,
                    other.host,
                )
                self._lose()
                return

    def _follow_skips(self) -> None:
        status = self._status
        while status.skipped:
            self._board.skipped(status.group, status.skipped[0])
            status.skipped.popleft()
        status.skips = self._board.skips(status.group)

    def _is_dead(self, other: WorkerEntry) -> bool:
        """Whether the worker was on this machine and is gone. Of another machine we cannot know."""
        ours = self._status.entry()
        if (other.host, other.pid_space) != (ours.host, ours.pid_space) or not other.pid_space:
            return False
        if other.pid == ours.pid:
            return True
        try:
            os.kill(other.pid, 0)
        except ProcessLookupError:
            return True
        except OSError:
            return False
        return False
