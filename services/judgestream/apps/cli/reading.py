"""The topics' readers, reporting skipped records on standard error."""

from collections.abc import Iterator
from datetime import datetime

from judgestream.adapters.kafka import label_topic, messages, verdict_topic
from judgestream.adapters.kafka.consuming import Incoming, M
from judgestream.adapters.kafka.verdict_topic import Published
from judgestream.contracts.topics import Topic
from judgestream.core.types import Label
from judgestream.settings import Kafka
from judgestream.terminal.output import note


def everything(
    settings: Kafka, topic: Topic, message: type[M], *, since: datetime | None = None
) -> Iterator[tuple[Incoming[M], M]]:
    """All messages that are on the topic now, oldest first within a partition."""
    return messages.everything(settings, topic, message, since=since, on_skip=note)


def all_verdicts(
    settings: Kafka, *, release: str | None = None, since: datetime | None = None
) -> Iterator[Published]:
    """Every verdict on the topic now, as published: redeliveries included."""
    return verdict_topic.all_verdicts(settings, release=release, since=since, on_skip=note)


def all_labels(settings: Kafka) -> Iterator[Label]:
    """Every label on the topic now."""
    return label_topic.all_labels(settings, on_skip=note)
