"""The span of a record that a worker processes."""

from collections.abc import Sequence

from judgestream.contracts.events import TRACE_PARENT, Header
from judgestream.contracts.records import Record
from judgestream.telemetry.handled import handled
from judgestream.telemetry.spans import Kind, Span, begin


def process_span(
    record: Record, trace: Sequence[Header], *, group: str, started_ns: int | None = None
) -> Span:
    """The span of a record, below the one that its trace headers name. Also fills in the ids of log
    lines.

    Args:
        trace: well-formed.
        group: consumer group of the worker.
        started_ns: when the record was taken, since the epoch; None: now.
    """
    span = begin(f"process {record.topic}", Kind.CONSUMER, parent=trace, started_ns=started_ns)
    ids = handled()
    if not span.recording:
        ids.trace_id = _trace_id(trace)
        return span
    ids.trace_id, ids.span_id = span.trace_id, span.span_id
    span.put(
        {
            "messaging.system": "kafka",
            "messaging.operation.name": "process",
            "messaging.operation.type": "process",
            "messaging.destination.name": record.topic,
            "messaging.destination.partition.id": str(record.partition),
            "messaging.kafka.offset": record.offset,
            "messaging.consumer.group.name": group,
        }
    )
    return span


def _trace_id(trace: Sequence[Header]) -> str:
    """Of the producer's trace, in which this record is not traced."""
    for name, value in trace:
        if name == TRACE_PARENT:
            return value[3:35].decode()
    return ""
