"""The span of one record of `judge.requests.v1`, and what its log lines and spans say about it."""

from judgestream.apps.judging.asked import Progress
from judgestream.contracts.events import TRACE_PARENT, trace_headers
from judgestream.contracts.outgoing import Outgoing
from judgestream.contracts.records import Record
from judgestream.core.rollout.assignment import Turn
from judgestream.core.types import Verdict
from judgestream.telemetry.handled import handled
from judgestream.telemetry.spans import Kind, Span, Value, begin


def record_span(record: Record, progress: Progress, *, started_ns: int, group: str) -> Span:
    """The span of a record, below that of its producer. Also fills in the ids of the log lines.

    Args:
        started_ns: when the record was taken, since the epoch.
        group: consumer group of the worker.
    """
    name = f"process {record.topic}"
    span = begin(name, Kind.CONSUMER, parent=progress.trace, started_ns=started_ns)
    ids = handled()
    ids.request_id = progress.request_id
    if not span.recording:
        ids.trace_id = _trace_id(progress)
        return span
    ids.trace_id, ids.span_id = span.trace_id, span.span_id
    attributes: dict[str, Value] = {
        "messaging.system": "kafka",
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.destination.name": record.topic,
        "messaging.destination.partition.id": str(record.partition),
        "messaging.kafka.offset": record.offset,
        "messaging.consumer.group.name": group,
        "judgestream.request_id": progress.request_id,
    }
    if progress.request is not None:
        attributes["judgestream.mode"] = progress.request.mode
    span.put(attributes)
    return span


def redelivered(span: Span, turn: Turn) -> None:
    """Mark the span of a record that was assigned before, and link an earlier attempt at it."""
    if span.recording:
        span.put({"judgestream.redelivered": True})
        span.link(trace_headers([(TRACE_PARENT, turn.attempt.encode(errors="replace"))]))


def _trace_id(progress: Progress) -> str:
    """Of the producer's trace, in which this record is not traced."""
    for name, value in progress.trace:
        if name == TRACE_PARENT:
            return value[3:35].decode()
    return ""


def sending(record: Outgoing) -> dict[str, Value]:
    """The attributes of the span that sends a record."""
    return {
        "messaging.system": "kafka",
        "messaging.operation.name": "send",
        "messaging.operation.type": "send",
        "messaging.destination.name": record.topic,
        "messaging.message.body.size": len(record.value),
    }


def settled(span: Span, verdict: Verdict) -> None:
    """The verdict on the request of a span, as attributes and as an evaluation event."""
    if not span.recording:
        return
    span.put(
        {
            "judgestream.verdict_id": verdict.verdict_id,
            "judgestream.release": verdict.release,
            "judgestream.outcome": str(verdict.status),
            "judgestream.attempts": verdict.attempts,
        }
    )
    span.evaluation(verdict)
