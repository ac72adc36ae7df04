"""The state of a rollout as published: the records of `judge.rollouts.v1` that count, in their order."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic

from judgestream.adapters.kafka.reading import Offsets, TopicReader
from judgestream.contracts.codecs.rollouts import NAME, Fence, rollout_from_message
from judgestream.contracts.topics import ROLLOUTS
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


class RolloutReader:
    """Reads the topic from its beginning, without a group. Not thread-safe.

    Records that cannot be read, and those of writers that another one has replaced, change nothing.

    rollout   the newest state; an empty one before the first record
    fence     the writer whose records count
    """

    def __init__(
        self,
        settings: Kafka,
        *,
        client_id: str = "judgestream-rollout",
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """Connect.

        Raises:
            BrokerUnavailable: no broker answers.
            ConfigurationError: the topic is missing.
        """
        self._reader = TopicReader(settings, ROLLOUTS, pb.Rollout, client_id=client_id)
        self._clock = clock
        self._heard = clock()
        self._reader.seek({})
        self.rollout = Rollout()
        self.fence = Fence()

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
            place = f"{ROLLOUTS.name} offset {incoming.record.offset}"
            message = incoming.message
            if isinstance(message, UndecodableRecord):
                log.warning("%s changes nothing: %s", place, message)
            elif incoming.record.key != NAME.encode():
                log.warning("%s changes nothing: its key is not %r", place, NAME)
            else:
                published.append(Published(message=message, rollout=self._taken(message, place)))
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

    def _taken(self, message: pb.Rollout, place: str) -> Rollout | None:
        """The state of a record that counts, which is the newest one from now on."""
        if not self.fence.admits(message):
            log.warning(
                "%s changes nothing: %s wrote it with epoch %d, and %s has written epoch %d",
                place,
                quoted(message.instance),
                message.epoch,
                quoted(self.fence.instance),
                self.fence.epoch,
            )
            return None
        try:
            rollout = rollout_from_message(message)
        except ValueError as exc:
            log.warning("%s changes nothing: %s", place, exc)
            return None
        self.fence, self.rollout = self.fence.after(message), rollout
        return rollout
