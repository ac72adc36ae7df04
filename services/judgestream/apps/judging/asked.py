"""From a record to a valid request, and from the request to the task of one judge."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from judgestream.adapters.images.resolving import Fetch, resolved
from judgestream.apps.judging.asking import Tries
from judgestream.apps.judging.one_release import RequestsJudge, Task, internal
from judgestream.contracts.codecs.requests import request_from_message
from judgestream.contracts.events import Header, event_time, header, trace_headers
from judgestream.contracts.records import Record
from judgestream.contracts.topics import MAX_REQUEST_BYTES
from judgestream.contracts.wire import decode_event
from judgestream.core.errors import JudgestreamError, OversizeRecord
from judgestream.core.identity import content_digest, request_key, verdict_id
from judgestream.core.images import has_images
from judgestream.core.limits import plausible
from judgestream.core.modes import Mode, check
from judgestream.core.types import Release, Request
from judgestream.v1.judging_pb2 import JudgeRequest


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """A valid request, before a release is chosen for it.

    key   its identity for every release
    """

    request: Request
    mode: Mode
    content_digest: str
    key: str

    @classmethod
    def of(cls, request: Request) -> "Asked":
        """Raises InvalidRequest."""
        mode, content = check(request), content_digest(request)
        return cls(
            request=request,
            mode=mode,
            content_digest=content,
            key=request_key(request.request_id, request.mode, content),
        )


@dataclass(kw_only=True, slots=True)
class Progress(Tries):
    """What is known of a record so far, for its dead letter and its failed verdict.

    release   that judges it
    """

    release: Release
    request_id: str = ""
    request: Request | None = None
    requested_at: datetime
    trace: Sequence[Header] = ()

    @classmethod
    def begun(cls, record: Record, release: Release) -> "Progress":
        return cls(
            release=release,
            requested_at=_time_of(record) or datetime.now(UTC),
            trace=trace_headers(record.headers),
        )


def asked_of(record: Record, progress: Progress) -> Asked:
    """The record's request. Fills in `progress` as far as it gets, also when it raises.

    Raises:
        PoisonError: the record is not a request that can be judged.
    """
    try:
        if record.value is not None and len(record.value) > MAX_REQUEST_BYTES:
            raise OversizeRecord(
                f"{len(record.value)} bytes; a request may have {MAX_REQUEST_BYTES}: shorten its texts"
            )
        content_type = header(record.headers, "content-type")
        decoded = decode_event(JudgeRequest, record.value, content_type)
        if (event := decoded.envelope) is not None:
            progress.requested_at = event.time or progress.requested_at
            progress.trace = trace_headers(event.trace) or progress.trace
        progress.request_id = decoded.message.request_id
        request = request_from_message(decoded.message, progress.requested_at)
        progress.request = request
        progress.requested_at = request.requested_at
        return Asked.of(request)
    except JudgestreamError:
        raise
    except Exception as exc:
        raise internal(exc) from exc


async def task_of(
    judge: RequestsJudge, asked: Asked, requested_at: datetime, images: Fetch
) -> Task:
    """The request as a task of this judge, with the bytes of its images, each checked.

    Raises:
        PoisonError: the judge's template lacks the mode; or an image is invalid, must not be fetched, or
            cannot be fetched.
    """
    request = asked.request
    if requested_at != request.requested_at:
        request = replace(request, requested_at=requested_at)
    try:
        made = Task(
            request=request,
            mode=asked.mode,
            plans=judge.plans(request, asked.mode),
            verdict_id=verdict_id(
                request.request_id, judge.release.name, request.mode, asked.content_digest
            ),
            content_digest=asked.content_digest,
        )
        if not has_images(request):
            return made
        request = await resolved(request, images)
        return replace(made, request=request, plans=judge.plans(request, asked.mode))
    except JudgestreamError:
        raise
    except Exception as exc:
        raise internal(exc) from exc


def _time_of(record: Record) -> datetime | None:
    """The time of the request according to its record; None where the record has none."""
    if (time := event_time(record.headers)) is not None:
        return time
    return plausible(record.time) if record.time is not None else None
