"""The published state of all releases, followed without a consumer group."""

import logging
from collections.abc import Callable
from threading import Event, Lock, Thread
from time import monotonic
from typing import Self

from judgestream.adapters.kafka.consuming import Incoming
from judgestream.adapters.kafka.reading import TopicReader
from judgestream.contracts.codecs.rollouts import NAME, Fence, rollout_from_message
from judgestream.contracts.topics import ROLLOUTS
from judgestream.core.errors import (
    BrokerUnavailable,
    ConfigurationError,
    JudgestreamError,
    UndecodableRecord,
)
from judgestream.core.rollout.state import Rollout
from judgestream.settings import Kafka
from judgestream.v1 import rollout_pb2 as pb

log = logging.getLogger(__name__)

RETRY_S = 1.0
"""Between two attempts to read the topic."""

WAIT_MS = 500
"""The broker holds a fetch for this long while there is nothing new; a new record is sent at once."""

LOOKS = 2
"""The topic must be missing this many times in a row: a broker that has just started may not know it yet."""

OnRollout = Callable[[Rollout], None]


class RolloutView:
    """The state by the records that count, taken in the topic's order.

    rollout    the newest state; None before the first record
    epoch      the highest epoch that counts
    skipped    records that are not a state, or a state that this version cannot read
    """

    def __init__(self) -> None:
        self.rollout: Rollout | None = None
        self.skipped = 0
        self._fence = Fence()
        self._offset = -1

    @property
    def epoch(self) -> int:
        return self._fence.epoch

    def take(self, incoming: Incoming[pb.Rollout]) -> str:
        """Take the next record. Returns why it does not count; "" if it does, or is a fenced writer's."""
        if incoming.record.offset <= self._offset:
            self._fence = Fence()  # the topic was created again
        self._offset = incoming.record.offset
        problem = self._take(incoming)
        self.skipped += bool(problem)
        return problem

    def _take(self, incoming: Incoming[pb.Rollout]) -> str:
        message = incoming.message
        if incoming.record.key != NAME.encode():
            return f"its key is not {NAME!r}"
        if isinstance(message, UndecodableRecord):
            return str(message)
        if not self._fence.admits(message):
            return ""
        try:
            self.rollout = rollout_from_message(message)
        except (ValueError, OverflowError) as exc:
            return str(exc)
        self._fence = self._fence.after(message)
        return ""


class RolloutFollower:
    """Reads the topic in its own thread, from the beginning, until it is left.

    It connects again whenever it must. No record on the topic ends it.
    """

    def __init__(self, settings: Kafka, *, client_id: str = "judgestream-routes") -> None:
        self._settings = settings
        self._client_id = client_id
        self._lock = Lock()
        self._rollout = Rollout()
        self._subscribers: list[OnRollout] = []
        self._caught_up = Event()
        self._stopped = Event()
        self._logged = -1
        self._problem: JudgestreamError | None = None
        self._missing = 0
        self.skipped = 0
        """Records that did not count since the start, those of fenced writers apart."""
        self._thread = Thread(target=self._run, name="rollouts", daemon=True)

    @property
    def rollout(self) -> Rollout:
        """The newest state; an empty one before the first record."""
        return self._rollout

    def subscribe(self, taken: OnRollout) -> None:
        """Call `taken` with the state now, and from the reader's thread with every later one."""
        with self._lock:
            self._subscribers.append(taken)
            taken(self._rollout)

    def wait(self, timeout_s: float) -> None:
        """Wait until the topic has been read to the end that it had at the start. A missing topic is empty.

        Raises:
            BrokerUnavailable: it was not read in time; the message says why.
        """
        if self._caught_up.wait(timeout_s):
            return
        raise BrokerUnavailable(
            f"topic {ROLLOUTS.name} was not read within {timeout_s:.0f} s, so the route of requests is"
            f" unknown ({self._problem or 'the broker is slow'}). To judge with triton.release whatever the"
            " topic says, set JUDGESTREAM_ROLLOUT__FOLLOW=false"
        )

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join(5.0)

    def _run(self) -> None:
        while not self._stopped.is_set():
            started = monotonic()
            try:
                with TopicReader(
                    self._settings,
                    ROLLOUTS,
                    pb.Rollout,
                    client_id=self._client_id,
                    wait_ms=WAIT_MS,
                ) as reader:
                    self._missing = 0
                    self._follow(reader)
            except ConfigurationError as exc:  # the topic is missing
                self._missing += 1
                if self._missing >= LOOKS:
                    self._caught_up.set()
                self._fail(exc)
            except JudgestreamError as exc:
                self._fail(exc)
            except Exception as exc:
                log.exception("topic %s could not be read", ROLLOUTS.name)
                self._problem = BrokerUnavailable(f"{type(exc).__name__}: {exc}")
            self._stopped.wait(max(0.0, RETRY_S - (monotonic() - started)))

    def _fail(self, error: JudgestreamError) -> None:
        if self._problem is None:
            log.warning("the route cannot be followed, trying again: %s", error)
        self._problem = error

    def _follow(self, reader: TopicReader[pb.Rollout]) -> None:
        """Read from the beginning: what was read before a lost connection changes nothing the second time."""
        view = RolloutView()
        for incoming in reader.read(
            reader.beginning(), until=reader.end(), stopped=self._stopped.is_set
        ):
            self._take(view, incoming)
        if self._stopped.is_set():
            return
        self._publish(view)
        self._caught_up.set()
        self._problem = None
        for incoming in reader.read(reader.position(), stopped=self._stopped.is_set):
            self._take(view, incoming)
            self._publish(view)

    def _take(self, view: RolloutView, incoming: Incoming[pb.Rollout]) -> None:
        offset = incoming.record.offset
        problem = view.take(incoming)
        if problem and offset > self._logged:
            self._logged = offset
            self.skipped += 1
            log.warning("%s does not count: %s", incoming.record.place, problem)

    def _publish(self, view: RolloutView) -> None:
        with self._lock:
            if view.rollout is None or view.rollout == self._rollout:
                return
            self._rollout = view.rollout
            for taken in self._subscribers:
                taken(view.rollout)
