"""The state of a rollout as published: the records of `judge.rollouts.v1` that count, in their order."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic

from judgestream.adapters.kafka.consuming import Incoming
from judgestream.adapters.kafka.messages import OnSkip
from judgestream.adapters.kafka.reading import Offsets, TopicReader
from judgestream.contracts.codecs.rollouts import NAME, Fence, rollout_from_message
from judgestream.contracts.topics import ROLLOUTS
from judgestream.contracts.unknown_fields import check_known
from judgestream.core.errors import BrokerUnavailable, UndecodableRecord
from judgestream.core.limits import quoted
from judgestream.core.rollout.state import Rollout
from judgestream.settings import Kafka
from judgestream.v1 import rollout_pb2 as pb

log = logging.getLogger(__name__)

QUIET_S = 5.0
"""After this time without a record, a call checks that the broker still answers."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Published:
    """One record that a writer has published. `rollout` is None for one that does not count."""

    message: pb.Rollout
    rollout: Rollout | None


class RolloutView:
    """The state by the records that count, taken in the topic's order.

    rollout    the newest state; an empty one before the first record
    fence      the writer whose records count
    skipped    records that are not a state, or a state that this version cannot read
    """

    def __init__(self) -> None:
        self.rollout = Rollout()
        self.fence = Fence()
        self.skipped = 0
        self._offset = -1

    def take(self, incoming: Incoming[pb.Rollout]) -> str:
        """Take the next record. Returns why it changes nothing; "" if it is the newest state from now on."""
        if incoming.record.offset <= self._offset:
            self.fence = Fence()  # the topic was created again
        self._offset = incoming.record.offset
        message = incoming.message
        if not isinstance(message, UndecodableRecord) and not self.fence.admits(message):
            return (
                f"{quoted(message.instance)} wrote it with epoch {message.epoch}, and"
                f" {quoted(self.fence.instance)} has written epoch {self.fence.epoch}"
            )
        problem = self._take(incoming)
        self.skipped += bool(problem)
        return problem

    def _take(self, incoming: Incoming[pb.Rollout]) -> str:
        message = incoming.message
        if isinstance(message, UndecodableRecord):
            return str(message)
        if incoming.record.key != NAME.encode():
            return f"its key is not {NAME!r}"
        try:
            check_known(message)
            self.rollout = rollout_from_message(message)
        except (ValueError, OverflowError) as exc:
            return str(exc)
        self.fence = self.fence.after(message)
        return ""


class RolloutReader:
    """Reads the topic from its beginning, without a group. Not thread-safe.

    Records that cannot be read, and those of writers that another one has replaced, change nothing.
    """

    def __init__(
        self,
        settings: Kafka,
        *,
        client_id: str = "judgestream-rollout",
        clock: Callable[[], float] = monotonic,
        wait_ms: int = 100,
        skipped: OnSkip = log.warning,
    ) -> None:
        """Connect.

        Args:
            wait_ms: the longest time that the broker holds a fetch while there is nothing new.
            skipped: called with one sentence per record that changes nothing.

        Raises:
            BrokerUnavailable: no broker answers.
            ConfigurationError: the topic is missing.
        """
        self._reader = TopicReader(
            settings, ROLLOUTS, pb.Rollout, client_id=client_id, wait_ms=wait_ms
        )
        self._skipped = skipped
        self._view = RolloutView()
        self._clock = clock
        self._heard = clock()
        self._reader.seek({})

    @property
    def rollout(self) -> Rollout:
        """The newest state; an empty one before the first record."""
        return self._view.rollout

    @property
    def fence(self) -> Fence:
        """The writer whose records count."""
        return self._view.fence

    @property
    def skipped(self) -> int:
        """Records so far that are not a state; those of replaced writers are not among them."""
        return self._view.skipped

    def poll(self, timeout_s: float) -> list[Published]:
        """New records in their order; [] when none comes in time.

        Raises:
            BrokerUnavailable: it does not answer, found out after `QUIET_S`.
        """
        batch = self._reader.poll(timeout_s)
        if batch:
            self._heard = self._clock()
        elif self._clock() - self._heard > QUIET_S:
            self._reader.end()
            self._heard = self._clock()
        published: list[Published] = []
        for incoming in batch:
            problem = self._view.take(incoming)
            if problem:
                self._skipped(f"{incoming.record.place} changes nothing: {problem}")
            ours = incoming.record.key == NAME.encode()
            if ours and not isinstance(incoming.message, UndecodableRecord):
                rollout = None if problem else self._view.rollout
                published.append(Published(message=incoming.message, rollout=rollout))
        return published

    def end(self) -> Offsets:
        """Offsets of the next records to be published. Raises BrokerUnavailable."""
        return self._reader.end()

    def reached(self, offsets: Offsets) -> bool:
        """Whether every record before these offsets has been polled."""
        position = self._reader.position()
        return all(position.get(number, -1) >= offset for number, offset in offsets.items())

    def read_to_end(self, *, timeout_s: float) -> None:
        """Poll until the present end.

        Raises:
            BrokerUnavailable: not within `timeout_s`.
        """
        end, deadline = self.end(), self._clock() + timeout_s
        while not self.reached(end):
            if self._clock() > deadline:
                raise BrokerUnavailable(
                    f"{ROLLOUTS.name} could not be read to its end within {timeout_s:.0f} s"
                )
            self.poll(0.2)

    def close(self) -> None:
        self._reader.close()
