"""Reading and publishing examples on the topic `judge.training.v1`."""

from collections.abc import Iterable
from datetime import datetime

from judgestream.adapters.kafka.consuming import Incoming
from judgestream.adapters.kafka.publishing import RecordPublisher
from judgestream.adapters.kafka.reading import TopicReader
from judgestream.contracts.outgoing import outgoing
from judgestream.contracts.topics import TRAINING
from judgestream.core.errors import InvalidRequest, UndecodableRecord
from judgestream.core.limits import quoted
from judgestream.settings import Kafka
from judgestream.v1.training_pb2 import TrainingExample
from judgestream_trainer.data.example import Example
from judgestream_trainer.data.outcomes import ExampleCollector, Reason, Usable
from judgestream_trainer.data.topic import example_from_message, example_to_message

SOURCE = "judgestream/trainer"


def read_topic(settings: Kafka, collector: ExampleCollector) -> None:
    """Collect all examples that are on the topic now.

    Redeliveries and corrections replace earlier examples, tombstones delete them. Invalid records are counted
    and are not an error, because a reader cannot fix the topic.

    Raises:
        BrokerUnavailable: no broker responds.
        ConfigurationError: the topic is missing.
    """
    with TopicReader(
        settings, TRAINING, TrainingExample, client_id="judgestream-trainer"
    ) as reader:
        for incoming in reader.read(reader.beginning(), until=reader.end()):
            take(incoming, collector)


def take(incoming: Incoming[TrainingExample], collector: ExampleCollector) -> None:
    """Collect one record of the topic."""
    if incoming.record.value is None:
        collector.take_back((incoming.record.key or b"").decode(errors="replace"))
    elif isinstance(incoming.message, UndecodableRecord):
        collector.add(Reason.UNDECODABLE)
    else:
        try:
            collector.add(Usable(example=example_from_message(incoming.message)))
        except InvalidRequest:
            collector.add(Reason.UNDECODABLE)


def publish(publisher: RecordPublisher, examples: Iterable[Example], *, at: datetime) -> None:
    """Send examples; `publisher.flush` confirms them. `at` becomes their `labelled_at`.

    Publishing twice is harmless: the topic keeps the latest record of each example id.

    Raises:
        ConfigurationError: the topic is missing.
        OversizeRecord: an example exceeds the topic's maximum record size.
        BrokerUnavailable: an example was not confirmed.
    """
    for example in examples:
        record = outgoing(
            TRAINING,
            example_to_message(example, labelled_at=at),
            key=example.id,
            event_id=example.id,
            source=SOURCE,
            time=at,
        )
        publisher.send_record(record, what=f"training example {quoted(example.id)}")
