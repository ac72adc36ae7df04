"""The event of an uploaded checkpoint on `judge.checkpoints.v1`."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from judgestream.adapters.kafka.publishing import RecordPublisher
from judgestream.contracts.codecs.times import timestamp
from judgestream.contracts.outgoing import outgoing
from judgestream.contracts.topics import CHECKPOINTS
from judgestream.settings import Kafka
from judgestream.telemetry.messaging import sending
from judgestream.telemetry.spans import Kind, current
from judgestream.v1.rollout_pb2 import Checkpoint
from judgestream_trainer.publishing.upload import UploadedCheckpoint

SOURCE = "judgestream/trainer"


def checkpoint_message(uploaded: UploadedCheckpoint, *, published_at: datetime) -> Checkpoint:
    manifest = uploaded.manifest
    return Checkpoint(
        digest=manifest.digest,
        name=manifest.name,
        family=manifest.family,
        template_id=manifest.template_id,
        location=uploaded.location,
        max_input_tokens=manifest.max_input_tokens,
        published_at=timestamp(published_at),
        evaluation=dict(_numbers(manifest.evaluation)),
    )


def announce(uploaded: UploadedCheckpoint, settings: Kafka, *, now: datetime) -> None:
    """Publish the event and wait for the broker's acknowledgement.

    The key is the digest and the topic is compacted, so a repeated event changes nothing.

    Raises:
        BrokerUnavailable, ConfigurationError: no broker, or no such topic. The checkpoint stays uploaded.
    """
    message = checkpoint_message(uploaded, published_at=now)
    with current().child(f"send {CHECKPOINTS.name}", Kind.PRODUCER) as span:
        record = outgoing(
            CHECKPOINTS,
            message,
            key=message.digest,
            event_id=message.digest,
            source=SOURCE,
            time=now,
            trace=span.headers(),
        )
        if span.recording:
            span.put(sending(record.topic, record.value))
        with RecordPublisher(settings, client_id="judgestream-trainer") as publisher:
            publisher.send_record(record, what=f"checkpoint {message.name}-{message.digest[:8]}")


def _numbers(values: Mapping[str, Any], above: str = "") -> list[tuple[str, float]]:
    """Every number in nested mappings, by its dotted path: `with_reference.accuracy`."""
    numbers: list[tuple[str, float]] = []
    for name, value in values.items():
        if isinstance(value, Mapping):
            numbers += _numbers(value, f"{above}{name}.")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            numbers.append((f"{above}{name}", float(value)))
    return numbers
