"""The span of one record of `judge.requests.v1`, and what its log lines and spans say about it."""

from judgestream.apps.judging.asked import Progress
from judgestream.apps.worker.process_span import process_span
from judgestream.contracts.events import TRACE_PARENT, trace_headers
from judgestream.contracts.records import Record
from judgestream.core.rollout.assignment import Turn
from judgestream.core.types import Verdict
from judgestream.telemetry.handled import handled
from judgestream.telemetry.spans import Span


def record_span(record: Record, progress: Progress, *, started_ns: int, group: str) -> Span:
    """The span of a record, below that of its producer. Also fills in the ids of the log lines.

    Args:
        started_ns: when the record was taken, since the epoch.
        group: consumer group of the worker.
    """
    handled().request_id = progress.request_id
    span = process_span(record, progress.trace, group=group, started_ns=started_ns)
    if span.recording:
        span.put({"judgestream.request_id": progress.request_id})
        if progress.request is not None:
            span.put({"judgestream.mode": progress.request.mode})
    return span


def redelivered(span: Span, turn: Turn) -> None:
    """Mark the span of a record that was assigned before, and link an earlier attempt at it."""
    if span.recording:
        span.put({"judgestream.redelivered": True})
        span.link(trace_headers([(TRACE_PARENT, turn.attempt.encode(errors="replace"))]))


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
