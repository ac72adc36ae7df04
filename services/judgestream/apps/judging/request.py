"""Judging of one request: parse, ask, build the verdict, publish. Independent of Faust."""

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from time import monotonic

from judgestream.adapters.images.resolving import Fetch, resolved
from judgestream.apps.judging.asking import Pause, Tries, backoff_of
from judgestream.apps.judging.judges import Judges, Moved
from judgestream.apps.judging.one_release import RequestsJudge, Task, internal
from judgestream.apps.judging.outbox import Outbox, Publisher
from judgestream.apps.judging.published_before import Published, PublishedBefore
from judgestream.apps.worker import metrics
from judgestream.contracts import salvage
from judgestream.contracts.codecs.requests import request_from_message
from judgestream.contracts.events import Header, event_time, header, trace_headers
from judgestream.contracts.records import Record, dead_letter
from judgestream.contracts.topics import MAX_REQUEST_BYTES
from judgestream.contracts.wire import Decoded, decode_event
from judgestream.core.errors import JudgestreamError, OversizeRecord, PoisonError
from judgestream.core.identity import content_digest, request_key, verdict_id
from judgestream.core.images import has_images
from judgestream.core.limits import plausible, quoted, shortened
from judgestream.core.modes import Mode, check
from judgestream.core.rollout.assignment import Turn
from judgestream.core.types import Release, Request, Verdict
from judgestream.core.verdicts import failed
from judgestream.settings import Judging
from judgestream.v1.judging_pb2 import JudgeRequest

log = logging.getLogger(__name__)

LOGGED = 500
"""Characters of an error that a log line repeats. The dead letter has more."""

# looked up once: a lookup per request costs more than the count
TOKENS_IN, TOKENS_OUT = metrics.tokens.labels("in"), metrics.tokens.labels("out")


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """A valid request, before a release is chosen for it.

    key   its identity for every release
    """

    request: Request
    mode: Mode
    content_digest: str
    key: str


@dataclass(kw_only=True, slots=True)
class _Progress(Tries):
    """What is known of a record so far, for its dead letter and its failed verdict.

    release   that judges it
    """

    release: Release
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
        judges: Judges,
        publisher: Publisher,
        published: Published,
        settings: Judging,
        images: Fetch,
    ) -> None:
        self._judges = judges
        self._images = images
        self._settings = settings
        self._before = PublishedBefore(published)
        self._outbox = Outbox(
            publisher, backoff_of(settings), verdict_format=settings.verdict_format
        )

    async def handle(self, record: Record, pause: Pause) -> None:
        progress = _Progress(
            release=self._judges.stable,
            requested_at=_time_of(record) or datetime.now(UTC),
            trace=trace_headers(record.headers),
        )
        try:
            asked = self._parse(record, progress)
        except PoisonError as exc:
            await self._give_up(record, progress, exc, pause)
            return
        async with self._before.alone(asked.key):
            try:
                verdict = await self._judged(asked, record, progress, pause)
                if verdict is None:
                    metrics.requests.labels("duplicate").inc()
                    return
                await self._outbox.verdict(verdict, progress.trace, pause)
            except PoisonError as exc:
                await self._give_up(record, progress, exc, pause)
                return
            self._before.published(asked.key, place=record.place, verdict=verdict)
        self._judges.finished(verdict.release)
        metrics.requests.labels(verdict.status.value).inc()
        metrics.verdict_seconds.observe(monotonic() - progress.started)

    def _parse(self, record: Record, progress: _Progress) -> Asked:
        """Decode and check the record. Fills in `progress` as far as it gets, also when it raises."""
        try:
            decoded = decoded_request(record)
            if (event := decoded.envelope) is not None:
                progress.requested_at = event.time or progress.requested_at
                progress.trace = trace_headers(event.trace) or progress.trace
            progress.request_id = decoded.message.request_id
            request = request_from_message(decoded.message, progress.requested_at)
            progress.request = request
            progress.requested_at = request.requested_at
            mode = check(request)
            content = content_digest(request)
            return Asked(
                request=request,
                mode=mode,
                content_digest=content,
                key=request_key(request.request_id, request.mode, content),
            )
        except JudgestreamError:
            raise
        except Exception as exc:
            raise internal(exc) from exc

    async def _judged(
        self, asked: Asked, record: Record, progress: _Progress, pause: Pause
    ) -> Verdict | None:
        """The verdict of the release that the record is assigned to; None if it needs none.

        A request that waits for a release which has left the route is assigned to the route's release.
        """
        turn = await self._before.turn(
            asked.key,
            place=record.place,
            routed=self._judges.release_for(asked.request),
            requested_at=asked.request.requested_at,
        )
        while not turn.suppressed:
            try:
                async with self._judges.use(turn.release, pause, again=turn.again) as (judge, own):
                    progress.release = judge.release
                    return await self._judged_by(judge, asked, turn, progress, own)
            except Moved as exc:
                log.info("%s is given to another release: %s", record.place, exc)
                progress.start_again()
                turn = await self._before.reassign(
                    asked.key,
                    place=record.place,
                    release=self._judges.release_for(asked.request),
                    requested_at=asked.request.requested_at,
                )
        return None

    async def _judged_by(
        self, judge: RequestsJudge, asked: Asked, turn: Turn, progress: _Progress, pause: Pause
    ) -> Verdict:
        request = asked.request
        if turn.requested_at != request.requested_at:
            request = replace(request, requested_at=turn.requested_at)
        task = await self._with_images(judge, _task(judge, asked, request))
        verdict = await judge.judged(task, progress, pause)
        TOKENS_IN.inc(max(0, verdict.input_tokens))
        TOKENS_OUT.inc(max(0, verdict.output_tokens))
        return verdict

    async def _with_images(self, judge: RequestsJudge, task: Task) -> Task:
        """The task with the bytes of its images, each checked. Without images the task itself.

        Raises:
            PoisonError: an image is invalid, must not be fetched, or cannot be fetched.
        """
        if not has_images(task.request):
            return task
        try:
            request = await resolved(task.request, self._images)
            return replace(task, request=request, plans=judge.plans(request, task.mode))
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
            release=progress.release,
            error=error,
            effort=effort,
            raw_digest=hashlib.sha256(record.value or b"").hexdigest(),
        )
        try:
            await self._outbox.verdict(verdict, progress.trace, pause)
        except OversizeRecord as exc:
            log.warning("no failed verdict for request %s: %s", quoted(request_id), exc)
        metrics.requests.labels(verdict.status.value).inc()


def _task(judge: RequestsJudge, asked: Asked, request: Request) -> Task:
    """The request as a task of this judge. Raises PoisonError: its template lacks the mode."""
    try:
        return Task(
            request=request,
            mode=asked.mode,
            plans=judge.plans(request, asked.mode),
            verdict_id=verdict_id(
                request.request_id, judge.release.name, request.mode, asked.content_digest
            ),
            content_digest=asked.content_digest,
        )
    except JudgestreamError:
        raise
    except Exception as exc:
        raise internal(exc) from exc


def decoded_request(record: Record) -> Decoded[JudgeRequest]:
    """The record's message. Raises OversizeRecord, UndecodableRecord."""
    if record.value is not None and len(record.value) > MAX_REQUEST_BYTES:
        raise OversizeRecord(
            f"{len(record.value)} bytes; a request may have {MAX_REQUEST_BYTES}: shorten its texts"
        )
    return decode_event(JudgeRequest, record.value, header(record.headers, "content-type"))


def _time_of(record: Record) -> datetime | None:
    """The time of the request according to its record; None where the record has none."""
    if (time := event_time(record.headers)) is not None:
        return time
    return plausible(record.time) if record.time is not None else None
