"""Records ready to be sent: topic, key, value and headers, within the limits of the topic."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from google.protobuf.message import Message

from judgestream.contracts.events import PROTOBUF, Header, IncomingHeader, event_headers
from judgestream.contracts.topics import Topic
from judgestream.contracts.wire import encode
from judgestream.core import limits
from judgestream.core.errors import OversizeRecord
from judgestream.core.limits import cut, quoted

_BATCH_BYTES = 128
"""The header of a record batch (61 bytes), and a record's length, attributes, time and offset."""
_HEADER_BYTES = 10
"""The two lengths of one header."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Outgoing:
    """One record, ready to be sent."""

    topic: str
    key: bytes | None
    value: bytes
    headers: Sequence[Header]

    @property
    def size(self) -> int:
        """As `record_size`."""
        return record_size(self.key, self.value, self.headers)


def outgoing(
    topic: Topic,
    message: Message,
    *,
    key: str | bytes | None,
    event_id: str,
    source: str,
    time: datetime,
    content_type: str = PROTOBUF,
    trace: Iterable[Header] = (),
) -> Outgoing:
    """The record of a message, with CloudEvents headers.

    Args:
        key: None leaves the partition to the producer.
        event_id: cut if it exceeds `limits.ID`.
        time: of the event. It must have a time zone.
        trace: well-formed trace headers of the record that caused this one.

    Raises:
        OversizeRecord: the value, or the whole record, is too large for the topic.
        TypeError: the message is not of this topic.
    """
    if not isinstance(message, topic.record):
        raise TypeError(f"{topic.name} takes {topic.record.__name__}, not {type(message).__name__}")
    value = encode(message, content_type)
    if topic.max_value_bytes is not None and len(value) > topic.max_value_bytes:
        raise OversizeRecord(
            f"{topic.noun} {quoted(event_id)} has {len(value)} bytes as {content_type}; the limit is"
            f" {topic.max_value_bytes}: shorten its texts"
        )
    record = Outgoing(
        topic=topic.name,
        key=key.encode(errors="replace") if isinstance(key, str) else key,
        value=value,
        headers=event_headers(
            event_type=topic.event_type,
            event_id=cut(event_id, limits.ID),
            source=source,
            time=time,
            content_type=content_type,
            trace=trace,
        ),
    )
    if record.size > topic.max_message_bytes:
        raise OversizeRecord(
            f"{topic.noun} {quoted(event_id)} makes a record of {record.size} bytes: the"
            f" limit of topic {topic.name} is {topic.max_message_bytes}"
        )
    return record


def record_size(key: bytes | None, value: bytes | None, headers: Iterable[IncomingHeader]) -> int:
    """Bytes of a record, alone in an uncompressed batch: at least what Kafka counts."""
    extra = sum(
        len(name.encode(errors="replace")) + len(content or b"") + _HEADER_BYTES
        for name, content in headers
    )
    return _BATCH_BYTES + len(key or b"") + len(value or b"") + extra
