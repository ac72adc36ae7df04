"""What the reading commands share: a topic's messages, with the records that are none counted and told."""

from collections.abc import Iterator
from datetime import datetime
from typing import TypeVar

from google.protobuf.message import Message

from judgestream.adapters.kafka.consuming import Incoming
from judgestream.adapters.kafka.reading import TopicReader
from judgestream.contracts.codecs import verdict_from_message
from judgestream.contracts.topics import VERDICTS, Topic
from judgestream.core.errors import UndecodableRecord
from judgestream.core.types import Verdict
from judgestream.settings import Kafka
from judgestream.terminal.output import note
from judgestream.v1.judging_pb2 import Verdict as VerdictMessage

M = TypeVar("M", bound=Message)


def everything(
    settings: Kafka, topic: Topic, message: type[M], *, since: datetime | None = None
) -> Iterator[tuple[Incoming[M], M]]:
    """All that is on the topic now, oldest first within a partition.

    Records that are no messages of the topic are named on standard error and passed over.
    """
    with TopicReader(settings, topic, message) as reader:
        start = reader.beginning() if since is None else reader.since(since)
        yield from decoded(reader.read(start, until=reader.end()))


def decoded(incoming: Iterator[Incoming[M]]) -> Iterator[tuple[Incoming[M], M]]:
    for one in incoming:
        if isinstance(one.message, UndecodableRecord):
            _pass_over(one, one.message)
        else:
            yield one, one.message


def verdicts(
    incoming: Iterator[tuple[Incoming[VerdictMessage], VerdictMessage]],
    *,
    release: str | None = None,
) -> Iterator[tuple[VerdictMessage, Verdict]]:
    """Verdict messages with their values, of one release or of all."""
    for one, message in incoming:
        if release is not None and message.release != release:
            continue
        try:
            yield message, verdict_from_message(message)
        except ValueError as exc:  # a time outside the calendar, an unknown reason
            _pass_over(one, exc)


def all_verdicts(
    settings: Kafka, *, release: str | None = None, since: datetime | None = None
) -> Iterator[tuple[VerdictMessage, Verdict]]:
    """Every verdict on the topic now, as published: with redeliveries."""
    return verdicts(everything(settings, VERDICTS, VerdictMessage, since=since), release=release)


def _pass_over(incoming: Incoming[M], reason: Exception) -> None:
    record = incoming.record
    note(f"passed over {record.topic}[{record.partition}]@{record.offset}: {reason}")
