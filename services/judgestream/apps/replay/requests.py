"""Old requests, read from their topic as a judging worker reads them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from judgestream.adapters.kafka.reading import TopicReader, never
from judgestream.adapters.kafka.unreadable import unreadable
from judgestream.apps.judging.one_release import RequestsJudge, Task, internal
from judgestream.apps.replay.selection import Selection
from judgestream.contracts.codecs.requests import request_from_message
from judgestream.contracts.events import Header, event_time, header, trace_headers
from judgestream.contracts.records import Record
from judgestream.contracts.topics import MAX_REQUEST_BYTES, REQUESTS
from judgestream.contracts.wire import decode_event
from judgestream.core.errors import JudgestreamError, OversizeRecord, UndecodableRecord
from judgestream.core.identity import content_digest, verdict_id
from judgestream.core.limits import plausible
from judgestream.core.modes import check
from judgestream.core.types import Request
from judgestream.settings import Kafka
from judgestream.v1.judging_pb2 import JudgeRequest


@dataclass(frozen=True, kw_only=True, slots=True)
class Old:
    """A request of the topic, and its trace headers."""

    request: Request
    trace: tuple[Header, ...]


def old_request(record: Record) -> Old:
    """The request of a record.

    Raises:
        PoisonError: it cannot be judged.
    """
    if (damage := unreadable(record.headers)) is not None:
        raise UndecodableRecord(str(damage))
    if record.value is not None and len(record.value) > MAX_REQUEST_BYTES:
        raise OversizeRecord(f"{len(record.value)} bytes are more than a request may have")
    decoded = decode_event(JudgeRequest, record.value, header(record.headers, "content-type"))
    event = decoded.envelope
    time = (event.time if event is not None else None) or event_time(record.headers)
    if time is None and record.time is not None:
        time = plausible(record.time)
    trace = trace_headers(event.trace) if event is not None else ()
    request = request_from_message(decoded.message, time or datetime.now(UTC))
    check(request)
    return Old(request=request, trace=tuple(trace) or tuple(trace_headers(record.headers)))


def task_of(request: Request, judge: RequestsJudge) -> Task:
    """What the judge is to do, with the id that the same judgement has in live traffic.

    Raises:
        PoisonError: the judge does not serve the mode.
    """
    content = content_digest(request)
    mode = check(request)
    try:
        plans = judge.plans(request, mode)
    except JudgestreamError:
        raise
    except Exception as exc:  # of a template that fails on this request
        raise internal(exc) from exc
    return Task(
        request=request,
        mode=mode,
        plans=plans,
        verdict_id=verdict_id(request.request_id, judge.release.name, request.mode, content),
        content_digest=content,
    )


@contextmanager
def records(
    settings: Kafka, selection: Selection, *, stopped: Callable[[], bool] = never
) -> Iterator[Iterator[Record]]:
    """The records between the bounds of the selection. Conditions and limit are left to the caller."""
    with TopicReader(settings, REQUESTS, JudgeRequest) as reader:
        start, end = selection.bounds(reader)
        yield (one.record for one in reader.read(start, until=end, stopped=stopped))
