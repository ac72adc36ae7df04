"""The records that evidence is made of, read from their topics without a group."""

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime, timedelta
from typing import Self

from judgestream.adapters.kafka.consuming import Incoming, M
from judgestream.adapters.kafka.label_topic import label_of
from judgestream.adapters.kafka.reading import Offsets, TopicReader
from judgestream.contracts.codecs.verdicts import verdict_from_message
from judgestream.contracts.topics import LABELS, PROBES, SHADOW, VERDICTS
from judgestream.contracts.unknown_fields import check_known
from judgestream.core.errors import UndecodableRecord
from judgestream.core.types import Label, Verdict
from judgestream.settings import Kafka
from judgestream.v1.judging_pb2 import Label as LabelMessage
from judgestream.v1.judging_pb2 import Verdict as VerdictMessage

CLOCKS = timedelta(seconds=60)
"""Kafka's timestamps may be behind the clock of the rollout by this much."""

POLL_S = 0.02
CLIENT = "judgestream-evidence"


class EvidenceFeed:
    """Verdicts, shadow verdicts and probes since a time, and all labels. Not thread-safe.

    unreadable   records that are neither a verdict nor a label
    """

    def __init__(self, settings: Kafka, since: datetime) -> None:
        """Connect.

        Raises:
            BrokerUnavailable: no broker answers.
            ConfigurationError: a topic is missing.
        """
        self.unreadable = 0
        self._stack = ExitStack()
        with self._stack:
            self._labels = self._stack.enter_context(
                TopicReader(settings, LABELS, LabelMessage, client_id=CLIENT)
            )
            self._verdicts = [
                self._stack.enter_context(
                    TopicReader(settings, topic, VerdictMessage, client_id=CLIENT)
                )
                for topic in (VERDICTS, SHADOW, PROBES)
            ]
            self._ends = [self._labels.end(), *(one.end() for one in self._verdicts)]
            self._labels.seek(self._labels.beginning())
            for reader in self._verdicts:
                reader.seek(reader.since(since - CLOCKS))
            self._stack = self._stack.pop_all()
        self._caught_up = False

    @property
    def caught_up(self) -> bool:
        """Whether everything that was there at the start is read. Before that, evidence is incomplete."""
        if not self._caught_up:
            places = [self._labels.position(), *(one.position() for one in self._verdicts)]
            self._caught_up = all(map(_reached, places, self._ends))
        return self._caught_up

    def poll(self) -> Iterator[Verdict | Label]:
        """New records: at most a few thousand, labels first.

        Raises:
            BrokerUnavailable: the broker does not answer.
        """
        for label in self._labels.poll(POLL_S):
            try:
                yield label_of(label, _known(label))
            except (ValueError, UndecodableRecord):
                self.unreadable += 1
        for reader in self._verdicts:
            for incoming in reader.poll(POLL_S):
                try:
                    yield verdict_from_message(_known(incoming))
                except (ValueError, UndecodableRecord):
                    self.unreadable += 1

    def close(self) -> None:
        self._stack.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _known(incoming: Incoming[M]) -> M:
    """Raises: UndecodableRecord; ValueError for a message of a newer version."""
    if isinstance(incoming.message, UndecodableRecord):
        raise incoming.message
    check_known(incoming.message)
    return incoming.message


def _reached(place: Offsets, end: Offsets) -> bool:
    return all(place.get(number, 0) >= offset for number, offset in end.items())
