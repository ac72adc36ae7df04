"""Labels read from their topic."""

from collections.abc import Iterator
from dataclasses import replace

from judgestream.adapters.kafka.consuming import Incoming
from judgestream.adapters.kafka.messages import OnSkip, everything, ignore
from judgestream.contracts.codecs.labels import label_from_message
from judgestream.contracts.topics import LABELS
from judgestream.core.limits import EARLIEST
from judgestream.core.types import Label
from judgestream.settings import Kafka
from judgestream.v1.judging_pb2 import Label as LabelMessage


def all_labels(settings: Kafka, *, on_skip: OnSkip = ignore) -> Iterator[Label]:
    """Every label on the topic now."""
    for incoming, message in everything(settings, LABELS, LabelMessage, on_skip=on_skip):
        yield label_of(incoming, message)


def label_of(incoming: Incoming[LabelMessage], message: LabelMessage) -> Label:
    """The label of a record. One without a readable time takes its record's time."""
    if message.HasField("labelled_at"):
        try:
            return label_from_message(message)
        except ValueError:
            message.ClearField("labelled_at")
    return replace(label_from_message(message), labelled_at=incoming.record.time or EARLIEST)
