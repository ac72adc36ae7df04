"""The thread that renews a worker's entry on the board, and keeps a second worker off its slot."""

import logging
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread
from time import monotonic, sleep

from judgestream.adapters.redis.checking import check_redis
from judgestream.adapters.redis.worker_board import RENEW_S, TTL_S, WorkerBoard, WorkerEntry
from judgestream.apps.worker import metrics
from judgestream.apps.worker.status import WorkerStatus
from judgestream.core.errors import ConfigurationError, StoreUnavailable
from judgestream.process_health import Check
from judgestream.settings import Redis

log = logging.getLogger(__name__)

POLL_S = 0.5


@contextmanager
def on_board(settings: Redis, status: WorkerStatus) -> Iterator[None]:
    """Check Redis, claim the slot, show the status while the body runs, and free the slot.

    Raises:
        ConfigurationError: another running worker has this slot, or this Redis cannot be used as it is set.
    """
    board = WorkerBoard.connect(settings)
    if board is None:
        yield
        return
    try:
        if warning := check_redis(settings, service=status.kind):
            log.warning("%s", warning)
    except StoreUnavailable as exc:
        log.warning("%s; what this service shares in Redis waits until it answers", exc)
    keeper = BoardKeeper(board, status)
    keeper.claim()
    keeper.start()
    try:
        yield
    finally:
        keeper.stop()


def redis_check(status: WorkerStatus, *, needed: bool) -> Check:
    """Whether Redis answers, as the board knows it. Workers that can do without it stay ready."""
    if status.redis_answers is None:
        return Check(name="redis", ok=not needed, detail="none is set")
    if status.redis_answers:
        return Check(name="redis", ok=True, detail="answers")
    detail = "does not answer" + ("" if needed else ": redelivered requests are judged again")
    return Check(name="redis", ok=not needed, detail=detail)


class BoardKeeper:
    def __init__(
        self,
        board: WorkerBoard,
        status: WorkerStatus,
        *,
        on_lost: Callable[[], object] = lambda: os.kill(os.getpid(), signal.SIGTERM),
    ) -> None:
        """`on_lost` is called once, when another worker has taken the slot."""
        self._board = board
        self._status = status
        self._on_lost = on_lost
        self._stopped = Event()
        self._thread = Thread(target=self._run, name="board", daemon=True)

    def claim(self) -> None:
        """Take the slot. Waits until the entry of a dead worker expires, at most `TTL_S`; not for a worker
        that died on this machine.

        Raises:
            ConfigurationError: another running worker has the slot.
        """
        first: WorkerEntry | None = None
        deadline = monotonic() + TTL_S + 2 * RENEW_S
        while True:
            try:
                other = self._board.write(self._status.entry())
                if other is not None and self._is_dead(other):
                    other = self._board.write(self._status.entry(), instead_of=other.life)
            except StoreUnavailable as exc:
                self._status.redis_answers = False
                log.warning(
                    "no worker board for now, so this worker's slot is not protected: %s", exc
                )
                return
            self._status.redis_answers = True
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
            sleep(POLL_S)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        self._status.news.set()
        self._thread.join(RENEW_S)
        try:
            self._board.take_down(self._status.entry())
        except StoreUnavailable as exc:
            log.info("the board shows this worker for another %.0f s: %s", TTL_S, exc)
        self._board.close()

    def _run(self) -> None:
        while True:
            self._status.news.wait(RENEW_S)
            self._status.news.clear()
            if self._stopped.is_set():
                return
            try:
                other = self._board.write(self._status.entry())
                self._follow_skips()
                self._status.redis_answers = True
            except StoreUnavailable as exc:
                self._status.redis_answers = False
                log.info("the board could not be written: %s", exc)
                continue
            except Exception:
                metrics.background_failures.labels("board").inc()
                log.exception("the board could not be written")
                continue
            if other is not None:
                log.critical(
                    "slot %d was taken by process %d on %s while Redis was unavailable: ending this worker",
                    self._status.slot,
                    other.pid,
                    other.host,
                )
                self._on_lost()
                return

    def _follow_skips(self) -> None:
        status = self._status
        while status.skipped:
            self._board.skipped(status.group, status.skipped[0])
            status.skipped.popleft()
        status.skips = self._board.skips(status.group)

    def _is_dead(self, other: WorkerEntry) -> bool:
        """Whether the worker ran on this machine and has ended. Unknown, so False, for other machines."""
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
