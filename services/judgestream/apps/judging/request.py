"""Judging of one request: parse, ask, build the verdict, publish. Independent of Faust."""

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from time import monotonic

from judgestream.adapters.images.resolving import Fetch, resolved
from judgestream.apps.judging.asking import Pause, Tries, backoff_of
from judgestream.apps.judging.one_release import RequestsJudge, Task, internal
from judgestream.apps.judging.outbox import Outbox, Publisher
from judgestream.apps.judging.published_before import Known, Published, PublishedBefore
from judgestream.apps.worker import metrics
from judgestream.contracts import salvage
from judgestream.contracts.codecs.requests import request_from_message
from judgestream.contracts.events import Header, event_time, header, trace_headers
from judgestream.contracts.records import Record, dead_letter
from judgestream.contracts.topics import MAX_REQUEST_BYTES
from judgestream.contracts.wire import decode_event
from judgestream.core.errors import JudgestreamError, OversizeRecord, PoisonError
from judgestream.core.identity import content_digest, verdict_id
from judgestream.core.images import has_images
from judgestream.core.limits import plausible, quoted, shortened
from judgestream.core.modes import check
from judgestream.core.types import Request, Verdict
from judgestream.core.verdicts import failed
from judgestream.settings import Judging
from judgestream.v1.judging_pb2 import JudgeRequest

log = logging.getLogger(__name__)

LOGGED = 500
"""Characters of an error that a log line repeats. The dead letter has more."""

# looked up once: a lookup per request costs more than the count
TOKENS_IN, TOKENS_OUT = metrics.tokens.labels("in"), metrics.tokens.labels("out")


@dataclass(kw_only=True, slots=True)
class _Progress(Tries):
    """What is known of a record so far, for its dead letter and its failed verdict."""

    request_id: str = ""
    request: Request | None = None
    requested_at: datetime
    trace: Sequence[Header] = ()


class RequestJudge:
    """Turns records of `judge.requests.v1` into verdicts and dead letters.

    `handle` returns when Kafka has confirmed the verdict or the dead letter, so that the record may be
    committed. Every problem of a record ends as its dead letter. `handle` raises only what `pause` raises.
    """

    def __init__(
        self,
        *,
        judge: RequestsJudge,
        publisher: Publisher,
        published: Published,
        settings: Judging,
        images: Fetch,
    ) -> None:
        self._judge = judge
        self._images = images
        self._settings = settings
        self._before = PublishedBefore(published)
        self._outbox = Outbox(
            publisher, backoff_of(settings), verdict_format=settings.verdict_format
        )

    async def handle(self, record: Record, pause: Pause) -> None:
        progress = _Progress(
            requested_at=_time_of(record) or datetime.now(UTC),
            trace=trace_headers(record.headers),
        )
        try:
            task = self._parse(record, progress)
        except PoisonError as exc:
            await self._give_up(record, progress, exc, pause)
            return
        async with self._before.alone(task.verdict_id) as known:
            if known is not None and known.suppresses(record):
                metrics.requests.labels("duplicate").inc()
                return
            try:
                verdict = await self._judged(task, known, progress, pause)
                await self._outbox.verdict(verdict, progress.trace, pause)
            except PoisonError as exc:
                await self._give_up(record, progress, exc, pause)
                return
            self._before.remember(verdict, record)
        metrics.requests.labels(verdict.status.value).inc()
        metrics.verdict_seconds.observe(monotonic() - progress.started)

    def _parse(self, record: Record, progress: _Progress) -> Task:
        """Decode and check the record. Fills in `progress` as far as it gets, also when it raises."""
        try:
            if record.value is not None and len(record.value) > MAX_REQUEST_BYTES:
                raise OversizeRecord(
                    f"{len(record.value)} bytes; a request may have {MAX_REQUEST_BYTES}:"
                    " shorten its texts"
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
            mode = check(request)
            content = content_digest(request)
            return Task(
                request=request,
                mode=mode,
                plans=self._judge.plans(request, mode),
                verdict_id=verdict_id(
                    request.request_id,
                    self._judge.release.name,
                    request.mode,
                    content,
                ),
                content_digest=content,
            )
        except JudgestreamError:
            raise
        except Exception as exc:
            raise internal(exc) from exc

    async def _judged(
        self, task: Task, known: Known | None, progress: _Progress, pause: Pause
    ) -> Verdict:
        if known is not None and known.requested_at is not None:
            # verdicts with one id carry one time: that of the first request
            request = replace(task.request, requested_at=known.requested_at)
            task = replace(task, request=request)
        task = await self._with_images(task)
        verdict = await self._judge.judged(task, progress, pause)
        TOKENS_IN.inc(max(0, verdict.input_tokens))
        TOKENS_OUT.inc(max(0, verdict.output_tokens))
        return verdict

    async def _with_images(self, task: Task) -> Task:
        """The task with the bytes of its images, each checked. Without images the task itself.

        Raises:
            PoisonError: an image is invalid, must not be fetched, or cannot be fetched.
        """
        if not has_images(task.request):
            return task
        try:
            request = await resolved(task.request, self._images)
            return replace(task, request=request, plans=self._judge.plans(request, task.mode))
        except JudgestreamError:
            raise
        except Exception as exc:
            raise internal(exc) from exc

    async def _give_up(
        self, record: Record, progress: _Progress, error: PoisonError, pause: Pause
    ) -> None:
        """Dead-letter the record and, where it has a request id, publish a failed verdict for its producer.

        The failed verdict is not remembered as published, so that a replay of the request is judged.
        """
        request_id = progress.request_id
        if not request_id.strip():
            request_id = salvage.request_id(record)
        log.warning(
            "dead letter: %s %s: %s", record.place, error.code, shortened(str(error), LOGGED)
        )
        effort = progress.effort()
        letter = dead_letter(
            record,
            error,
            attempts=effort.attempts,
            first_failed_at=progress.first_failed_at or effort.ended_at,
            now=effort.ended_at,
            group=self._settings.group,
            request_id=request_id,
        )
        await self._outbox.letter(letter, progress.trace, pause)
        metrics.dead_letters.labels(error.code).inc()
        if not request_id:
            metrics.requests.labels("undecodable").inc()
            return
        verdict = failed(
            request_id=request_id,
            request=progress.request,
            requested_at=progress.requested_at,
            release=self._judge.release,
            error=error,
            effort=effort,
            raw_digest=hashlib.sha256(record.value or b"").hexdigest(),
        )
        try:
            await self._outbox.verdict(verdict, progress.trace, pause)
        except OversizeRecord as exc:
            log.warning("no failed verdict for request %s: %s", quoted(request_id), exc)
        metrics.requests.labels(verdict.status.value).inc()


def _time_of(record: Record) -> datetime | None:
    """The time of the request according to its record; None where the record has none."""
    if (time := event_time(record.headers)) is not None:
        return time
    return plausible(record.time) if record.time is not None else None
