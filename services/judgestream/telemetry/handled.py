"""The ids of the work that the running task does. Its log lines carry them.

A task that is started from another one has the ids of its parent.
"""

from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(slots=True)
class Handled:
    """What is known of a record, or of another piece of work, so far. Filled in as it becomes known.

    topic, partition, offset   its place in Kafka; "" and -1: it is not a record
    trace_id, span_id          hexadecimal, as in `traceparent`
    """

    topic: str = ""
    partition: int = -1
    offset: int = -1
    request_id: str = ""
    verdict_id: str = ""
    release: str = ""
    trace_id: str = ""
    span_id: str = ""


_current: ContextVar[Handled | None] = ContextVar("judgestream_handled", default=None)


def handle(one: Handled) -> Handled:
    """From now on the running task handles this one."""
    _current.set(one)
    return one


def handled() -> Handled:
    """What the running task handles. Outside any record: an empty one, which nobody else sees."""
    return _current.get() or Handled()
