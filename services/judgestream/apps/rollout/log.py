"""The log of the rollout: its state as the topic has it, and new states appended by the one writer.

The state changes only when a record is read back from the topic. So a state that was not stored is never
acted on, and all readers agree on it.
"""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Protocol

from judgestream.adapters.kafka.rollout_topic import Published, RolloutReader
from judgestream.contracts.codecs.rollouts import LARGEST, NAME, Fence, rollout_to_message
from judgestream.contracts.codecs.times import moment
from judgestream.contracts.events import Header
from judgestream.contracts.outgoing import outgoing
from judgestream.contracts.topics import ROLLOUTS
from judgestream.core.errors import BrokerUnavailable, ConfigurationError, JudgestreamError
from judgestream.core.rollout.state import Rollout
from judgestream.v1 import rollout_pb2 as pb

log = logging.getLogger(__name__)

POLL_S = 0.2
SEEN_S = 15.0
"""How long a record that was sent may take to be read back."""

SOURCE = "judgestream/rollout"


class Publishes(Protocol):
    async def publish(
        self, topic: str, *, key: bytes | None, value: bytes, headers: list[Header]
    ) -> None: ...


class TermEnded(BrokerUnavailable):
    """This instance is not the writer any more, or does not know whether its record was stored."""


class RolloutLog:
    """One instance's view of the topic. `start`, then `begin_term` to write, then `stop`.

    instance   id of this instance, unique to this start of it
    epoch      of the term in which this instance writes; 0 while it may not
    state      the newest state on the topic
    problem    why the topic cannot be read now; ""
    """

    def __init__(
        self,
        connect: Callable[[], RolloutReader],
        publisher: Publishes,
        *,
        instance: str,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._connect = connect
        self._publisher = publisher
        self._now = now
        self.instance = instance
        self.epoch = 0
        self.state = Rollout()
        self.fence = Fence()
        self.published_at: datetime | None = None
        self.problem = "the topic is being read"
        self._last_stamp = datetime.min.replace(tzinfo=UTC)
        self._waiting: dict[tuple[int, datetime], asyncio.Future[bool]] = {}
        self._changed = asyncio.Event()
        self._stopped = threading.Event()
        self._caught_up = asyncio.Event()
        self._thread: asyncio.Task[None] | None = None

    async def start(self, *, timeout_s: float = 60.0) -> None:
        """Read the topic to its end, then follow it.

        Raises:
            BrokerUnavailable: not within `timeout_s`.
            ConfigurationError: the topic is missing.
        """
        loop = asyncio.get_running_loop()
        reader = await asyncio.to_thread(self._connect)
        try:
            await asyncio.to_thread(reader.read_to_end, timeout_s=timeout_s)
        except BaseException:
            await asyncio.to_thread(reader.close)
            raise
        self.state, self.fence, self.problem = reader.rollout, reader.fence, ""
        self._thread = asyncio.create_task(
            asyncio.to_thread(self._read, reader, loop, self._caught_up)
        )

    async def stop(self) -> None:
        self._stopped.set()
        if self._thread is not None:
            await self._thread

    async def begin_term(self, *, prepare: Callable[[Rollout], Rollout]) -> None:
        """Become the writer: read to the end, and write the state with the next epoch.

        Args:
            prepare: gives the first state of the term; called with the state so far.

        Raises:
            TermEnded: another instance became the writer at the same time.
            BrokerUnavailable: the broker does not answer.
        """
        await self._to_end()
        if self.fence.epoch >= LARGEST:
            raise ConfigurationError(
                f"{ROLLOUTS.name} has a record with the largest epoch, which no service has written: see who"
                " may write to it, delete the topic, create it again (`judgestream topics apply`), and"
                " restart the rollout service"
            )
        epoch = self.fence.epoch + 1
        await self._write(prepare(self.state), epoch)
        self.epoch = epoch
        log.info("writing the rollout with epoch %d", epoch)

    def end_term(self) -> None:
        """Write nothing more until the next term."""
        self.epoch = 0

    async def append(self, state: Rollout) -> None:
        """Publish the state, and return when it has been read back. Then `self.state` is this one.

        After an error the term is over: it is not known whether the record will still be stored, and the
        next term's first record makes sure that it does not count.

        Raises:
            TermEnded: this instance does not write, or the record was not confirmed.
            OversizeRecord: the state is too large for the topic. The term continues.
        """
        if not self.epoch:
            raise TermEnded("this instance does not write the rollout now")
        epoch = self.epoch
        try:
            await self._write(state, epoch)
        except BrokerUnavailable:
            self.end_term()
            raise
        except asyncio.CancelledError:
            self.end_term()
            raise

    async def changes(self) -> AsyncIterator[None]:
        """Yields once now, and after every change of the state or call of `notify`."""
        while True:
            changed = self._changed
            yield
            await changed.wait()

    def notify(self) -> None:
        """Wake up everybody in `changes`."""
        self._changed.set()
        self._changed = asyncio.Event()

    async def _write(self, state: Rollout, epoch: int) -> None:
        stamp = self._stamp()
        message = rollout_to_message(state, epoch=epoch, instance=self.instance, published_at=stamp)
        record = outgoing(
            ROLLOUTS,
            message,
            key=NAME,
            event_id=f"{epoch}-{state.revision}-{stamp.isoformat()}",
            source=SOURCE,
            time=stamp,
        )
        seen = asyncio.get_running_loop().create_future()
        self._waiting[(epoch, stamp)] = seen
        try:
            await self._publisher.publish(
                record.topic, key=record.key, value=record.value, headers=list(record.headers)
            )
            counts = await asyncio.wait_for(seen, SEEN_S)
        except TimeoutError as exc:
            raise TermEnded(
                f"{ROLLOUTS.name}: the record was sent, but could not be read back within {SEEN_S:.0f} s"
            ) from exc
        finally:
            self._waiting.pop((epoch, stamp), None)
        if not counts:
            raise TermEnded(
                f"{self.fence.instance} writes the rollout now: this instance's record does not count"
            )

    def _stamp(self) -> datetime:
        """The present time, later than that of every earlier record of this instance."""
        stamp = max(self._now(), self._last_stamp + timedelta(microseconds=1))
        self._last_stamp = stamp
        return stamp

    async def _to_end(self) -> None:
        """Wait until everything that is on the topic now has been read."""
        self._caught_up = asyncio.Event()
        try:
            await asyncio.wait_for(self._caught_up.wait(), SEEN_S)
        except TimeoutError as exc:
            raise BrokerUnavailable(
                f"{ROLLOUTS.name} could not be read to its end within {SEEN_S:.0f} s: {self.problem}"
            ) from exc

    def _read(
        self, reader: RolloutReader, loop: asyncio.AbstractEventLoop, caught_up: asyncio.Event
    ) -> None:
        """Read until stopped, in a separate thread. `caught_up` is the last answered wish of `_to_end`."""
        heard = monotonic()
        with suppress(RuntimeError):  # the loop is closed
            while not self._stopped.is_set():
                try:
                    published = reader.poll(POLL_S)
                    if published:
                        loop.call_soon_threadsafe(self._take, published, reader.fence)
                    if self._caught_up is not caught_up:
                        wanted, end = self._caught_up, reader.end()
                        while not reader.reached(end) and not self._stopped.is_set():
                            published = reader.poll(POLL_S)
                            loop.call_soon_threadsafe(self._take, published, reader.fence)
                        caught_up = wanted
                        loop.call_soon_threadsafe(wanted.set)
                    heard = monotonic()
                    self.problem = ""
                except JudgestreamError as exc:
                    if monotonic() - heard > POLL_S:
                        log.warning("the rollout's topic cannot be read, will retry: %s", exc)
                    self.problem = str(exc)
                    self._stopped.wait(1.0)
        reader.close()

    def _take(self, published: list[Published], fence: Fence) -> None:
        """Apply records that were read, in the event loop."""
        for one in published:
            if one.rollout is not None:
                self.state = one.rollout
                self.fence = self.fence.after(one.message)
                self.published_at = _time(one.message)
            if one.message.instance == self.instance:
                waiting = self._waiting.get((one.message.epoch, _time(one.message)))
                if waiting is not None and not waiting.done():
                    waiting.set_result(one.rollout is not None)
        if self.epoch and self.fence.epoch > self.epoch:
            log.error("%s writes the rollout now, so this instance stops", self.fence.instance)
            self.end_term()
        self.notify()


def _time(message: pb.Rollout) -> datetime:
    """When the record was published; the earliest time for a malformed one."""
    try:
        return moment(message.published_at)
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)
