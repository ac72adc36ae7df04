"""The published state of all releases, followed without a consumer group."""

import logging
from collections.abc import Callable
from contextlib import closing
from threading import Event, Lock, Thread
from time import monotonic
from typing import Self

from judgestream.adapters.kafka.rollout_topic import RolloutReader
from judgestream.contracts.topics import ROLLOUTS
from judgestream.core.errors import BrokerUnavailable, ConfigurationError, JudgestreamError
from judgestream.core.rollout.state import Rollout
from judgestream.settings import Kafka

log = logging.getLogger(__name__)

RETRY_S = 1.0
"""Between two attempts to read the topic."""

WAIT_MS = 500
"""The broker holds a fetch for this long while there is nothing new; a new record is sent at once."""

POLL_S = 0.5
"""Between two looks whether the follower is left."""

READ_S = 60.0
"""The longest time to read the topic to its end."""

LOGGED = 100
"""Records that change nothing and are logged. A lost connection makes the follower read them again."""

LOOKS = 2
"""The topic must be missing this many times in a row: a broker that has just started may not know it yet."""

OnRollout = Callable[[Rollout], None]


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
        self._problem: JudgestreamError | None = None
        self._logged: set[str] = set()
        self._missing = 0
        self.skipped = 0
        """Records on the topic that are not a state."""
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
                with closing(
                    RolloutReader(
                        self._settings,
                        client_id=self._client_id,
                        wait_ms=WAIT_MS,
                        skipped=self._skip,
                    )
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

    def _skip(self, sentence: str) -> None:
        if sentence not in self._logged and len(self._logged) < LOGGED:
            self._logged.add(sentence)
            log.warning("%s", sentence)

    def _follow(self, reader: RolloutReader) -> None:
        """Read from the beginning: what was read before a lost connection changes nothing the second time."""
        reader.read_to_end(timeout_s=READ_S)
        self._publish(reader.rollout)
        self._caught_up.set()
        self._problem = None
        while not self._stopped.is_set():
            reader.poll(POLL_S)
            self._publish(reader.rollout)
            self.skipped = max(self.skipped, reader.skipped)

    def _publish(self, rollout: Rollout) -> None:
        with self._lock:
            if rollout in (Rollout(), self._rollout):
                return
            self._rollout = rollout
            for taken in self._subscribers:
                taken(rollout)
