"""Synchronous reading of a topic as a member of a consumer group. Only the caller commits."""

from functools import partial

from judgestream.adapters.kafka.consuming import CALL_MS, M, Reader
from judgestream.contracts.topics import Topic
from judgestream.settings import Kafka

POLL_RECORDS = 500


class GroupReader(Reader[M]):
    """A member of a group. Leaving the context leaves the group, so that the group does not wait for a caller
    that is busy for longer than the poll interval.
    """

    def __init__(self, settings: Kafka, topic: Topic, message: type[M], *, group: str) -> None:
        """Connect; the first `poll` joins. Raises as `Reader` does."""
        super().__init__(
            settings,
            topic,
            message,
            {
                "client_id": group,
                "group_id": group,
                "session_timeout_ms": int(settings.session_timeout_s * 1000),
                "max_poll_records": POLL_RECORDS,
            },
        )
        self._consumer.subscribe([self._topic])

    def commit(self) -> None:
        """Commit everything that `poll` returned so far."""
        self._call(lambda: self._consumer.commit(timeout_ms=CALL_MS))

    def behind(self) -> int | None:
        """Records on this member's partitions that `poll` has not returned; None before the assignment."""
        partitions = self._consumer.assignment()
        if not partitions:
            return None
        ends = self._call(
            lambda: self._consumer.end_offsets(sorted(partitions), timeout_ms=CALL_MS)
        )
        places = {
            tp: self._call(partial(self._consumer.position, tp, timeout_ms=CALL_MS))
            for tp in partitions
        }
        if any(place is None for place in places.values()):
            return None
        return sum(max(0, int(ends[tp]) - int(place)) for tp, place in places.items())
