"""The valid messages of a topic, each with its record. Invalid records are skipped and reported."""

from collections.abc import Callable, Iterator
from datetime import datetime

from judgestream.adapters.kafka.consuming import Incoming, M
from judgestream.adapters.kafka.reading import TopicReader
from judgestream.contracts.topics import Topic
from judgestream.contracts.unknown_fields import check_known
from judgestream.core.errors import UndecodableRecord
from judgestream.settings import Kafka

OnSkip = Callable[[str], None]
"""Called with one sentence per skipped record: its place and the problem."""


def ignore(_: str) -> None:
    """An `OnSkip` that reports nothing."""


def everything(
    settings: Kafka,
    topic: Topic,
    message: type[M],
    *,
    since: datetime | None = None,
    on_skip: OnSkip = ignore,
) -> Iterator[tuple[Incoming[M], M]]:
    """All messages that are on the topic now, oldest first within a partition.

    Raises:
        BrokerUnavailable, ConfigurationError: as for `TopicReader`.
    """
    with TopicReader(settings, topic, message) as reader:
        start = reader.beginning() if since is None else reader.since(since)
        yield from decoded(reader.read(start, until=reader.end()), on_skip)


def decoded(
    records: Iterator[Incoming[M]], on_skip: OnSkip = ignore
) -> Iterator[tuple[Incoming[M], M]]:
    """The records that could be decoded, and that this version knows well enough to count them."""
    for incoming in records:
        message = incoming.message
        if isinstance(message, UndecodableRecord):
            report_skip(incoming, message, on_skip)
            continue
        try:
            check_known(message)
        except ValueError as exc:
            report_skip(incoming, exc, on_skip)
        else:
            yield incoming, message


def report_skip(incoming: Incoming[M], reason: Exception, on_skip: OnSkip) -> None:
    record = incoming.record
    on_skip(f"skipped {record.topic}[{record.partition}]@{record.offset}: {reason}")
