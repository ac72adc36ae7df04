"""Synchronous reading of all partitions of a topic, without a consumer group."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from time import monotonic
from typing import Any

from kafka import TopicPartition

from judgestream.adapters.kafka.consuming import CALL_MS, Incoming, M, Reader
from judgestream.contracts.topics import Topic
from judgestream.core import limits
from judgestream.settings import Kafka

Offsets = Mapping[int, int]
"""Partition -> offset of the next record to read."""

POLL_S = 0.5
QUIET_S = 10.0
"""After this time without a record, a call checks that the broker still answers."""


def never() -> bool:
    """The `stopped` of a caller that does not stop early."""
    return False


class TopicReader(Reader[M]):
    """A reader of one topic from any offsets."""

    def __init__(
        self,
        settings: Kafka,
        topic: Topic,
        message: type[M],
        *,
        client_id: str = "judgestream-client",
        wait_ms: int = 100,
    ) -> None:
        """Connect. `message` is the topic's message type in the topic table. Raises as `Reader` does.

        Args:
            wait_ms: the longest time that the broker holds a fetch while there is nothing to read.
        """
        super().__init__(
            settings,
            topic,
            message,
            {
                "client_id": client_id,
                "group_id": None,
                "fetch_max_wait_ms": wait_ms,
                "max_poll_records": 1000,
            },
        )
        self._partitions = [TopicPartition(self._topic, number) for number in self._numbers]
        self._assigned = False

    def beginning(self) -> Offsets:
        """Offsets of the oldest records."""
        return self._numbered(
            self._call(
                lambda: self._consumer.beginning_offsets(self._partitions, timeout_ms=CALL_MS)
            )
        )

    def end(self) -> Offsets:
        """Offsets of the next records to be published."""
        return self._numbered(
            self._call(lambda: self._consumer.end_offsets(self._partitions, timeout_ms=CALL_MS))
        )

    def since(self, time: datetime) -> Offsets:
        """Offsets of the first records whose Kafka timestamp is not before `time` (which has a zone)."""
        stamp = max(0, int(time.timestamp() * 1000))
        wanted = dict.fromkeys(self._partitions, stamp)
        firsts = self._call(lambda: self._consumer.offsets_for_times(wanted, timeout_ms=CALL_MS))
        ends = self.end()
        return {
            tp.partition: first.offset
            if (first := firsts.get(tp)) is not None
            else ends[tp.partition]
            for tp in self._partitions
        }

    def seek(self, start: Offsets) -> None:
        """Continue reading from these offsets. A partition that `start` lacks is read from its beginning."""
        if not self._assigned:
            self._consumer.assign(self._partitions)
            self._assigned = True
        for tp in self._partitions:
            if tp.partition in start:
                self._consumer.seek(tp, start[tp.partition])
            else:
                self._consumer.seek_to_beginning(tp)

    def position(self) -> Offsets:
        """Offsets that the next `poll` reads. Call `seek` first."""
        return {tp.partition: self._position(tp) for tp in self._partitions}

    def poll(self, timeout_s: float = POLL_S) -> list[Incoming[M]]:
        """New records, oldest first; [] when none comes in time. Call `seek` first."""
        self._take_new_partitions()
        return _oldest_first(super().poll(timeout_s))

    def read(
        self,
        start: Offsets,
        *,
        until: Offsets | None = None,
        deadline_s: float | None = None,
        stopped: Callable[[], bool] = never,
    ) -> Iterator[Incoming[M]]:
        """Records from `start` on; without bounds, forever.

        Args:
            until: stop before these offsets; with `end()`, after the present end of the topic.
            deadline_s: stop this many seconds from now.
            stopped: called between polls, about twice a second; reading stops when it returns True.

        A record that is not a message of the topic is yielded with its problem.
        """
        self.seek(start)
        deadline = None if deadline_s is None else monotonic() + deadline_s
        last_record_at = monotonic()
        while not (stopped() or self._reached(until)):
            left = POLL_S if deadline is None else min(POLL_S, deadline - monotonic())
            if left <= 0:
                return
            batch = self.poll(left)
            if batch:
                last_record_at = monotonic()
            elif monotonic() - last_record_at > QUIET_S:
                self.end()  # raises when the broker is gone; poll would just return nothing
                last_record_at = monotonic()
            for incoming in batch:
                record = incoming.record
                if until is None or record.offset < until.get(record.partition, 0):
                    yield incoming

    def _take_new_partitions(self) -> None:
        """Read partitions that were added to the topic, from their beginning, as `METADATA_MS` shows them."""
        now = self._call(lambda: self._consumer.partitions_for_topic(self._topic))
        added = [TopicPartition(self._topic, n) for n in sorted(now - set(self._numbers))]
        if added and self._assigned:
            self._numbers += [tp.partition for tp in added]
            self._partitions += added
            self._consumer.assign(self._partitions)
            self._consumer.seek_to_beginning(*added)

    def _reached(self, until: Offsets | None) -> bool:
        """Whether everything before `until` has been read. Compares positions, because offsets have gaps."""
        if until is None:
            return False
        for tp in self._partitions:
            wanted = until.get(tp.partition, 0)
            if wanted and self._position(tp) < wanted:
                return False
        return True

    def _position(self, tp: TopicPartition) -> int:
        position = self._call(lambda: self._consumer.position(tp, timeout_ms=CALL_MS))
        return -1 if position is None else int(position)

    def _numbered(self, offsets: Mapping[Any, int]) -> Offsets:
        return {tp.partition: offset for tp, offset in offsets.items()}


def _oldest_first(batch: list[Incoming[M]]) -> list[Incoming[M]]:
    """Sorted by Kafka's timestamp, each partition in order. One without a timestamp keeps its place."""
    latest: dict[int, datetime] = {}
    keyed: list[tuple[datetime, Incoming[M]]] = []
    for incoming in batch:
        number = incoming.record.partition
        time = max(incoming.record.time or limits.EARLIEST, latest.get(number, limits.EARLIEST))
        latest[number] = time
        keyed.append((time, incoming))
    return [incoming for _, incoming in sorted(keyed, key=lambda pair: pair[0])]
