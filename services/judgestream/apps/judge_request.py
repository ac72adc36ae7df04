"""One request's way to its verdict: understand, ask, settle, publish. Nothing here knows Faust."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from time import monotonic
from typing import Protocol

from judgestream.apps import metrics
from judgestream.apps.asking import Asking, Backoff, Judge, Pause, Tries
from judgestream.contracts.codecs import request_from_message, verdict_to_message
from judgestream.contracts.events import (
    Header,
    event_headers,
    event_time,
    header,
    trace_headers,
)
from judgestream.contracts.records import Record, dead_letter
from judgestream.contracts.topics import DEAD_LETTERS, MAX_REQUEST_BYTES, VERDICTS
from judgestream.contracts.wire import decode, encode
from judgestream.core.errors import (
    BrokerUnavailable,
    InternalError,
    JudgestreamError,
    OversizeRecord,
    PoisonError,
)
from judgestream.core.identity import content_digest, verdict_id
from judgestream.core.modes import Mode, Pass, check, plan
from judgestream.core.templates import template
from judgestream.core.types import Reply, Request, Verdict
from judgestream.core.verdicts import Effort, failed, settle
from judgestream.settings import Judging
from judgestream.v1.judging_pb2 import JudgeRequest

log = logging.getLogger(__name__)

SOURCE = "judgestream/judging"


class Publisher(Protocol):
    async def publish(
        self, topic: str, *, key: bytes | None, value: bytes, headers: Sequence[Header]
    ) -> None: ...


class Published(Protocol):
    async def already(self, verdict_id: str) -> bool: ...

    def remember(self, verdict_id: str) -> None: ...


@dataclass(kw_only=True, slots=True)
class _Progress(Tries):
    """What is known of a record so far; its dead letter and its failed verdict tell it."""

    request_id: str = ""
    request: Request | None = None

    def effort(self) -> Effort:
        return Effort(
            attempts=max(self.attempts, 1),
            latency_s=monotonic() - self.started,
            ended_at=datetime.now(UTC),
        )


class RequestJudge:
    """Turns records of `judge.requests.v1` into verdicts and dead letters.

    `handle` returns only when the verdict, or the dead letter, is confirmed by Kafka: then the record may
    be committed. It raises what `pause` raises, and what only a restart can mend.
    """

    def __init__(
        self, *, judge: Judge, publisher: Publisher, published: Published, settings: Judging
    ) -> None:
        self._judge = judge
        self._publisher = publisher
        self._published = published
        self._settings = settings
        self._template = template(judge.release.template_id)
        self._asking = Asking(judge, settings)
        self._backoff = Backoff(settings)

    async def handle(self, record: Record, pause: Pause) -> None:
        progress = _Progress()
        try:
            mode, request, passes = self._understand(record, progress)
            identity = verdict_id(
                request.request_id,
                self._judge.release.name,
                request.mode,
                content_digest(request),
            )
            if await self._published.already(identity):
                metrics.requests.labels("duplicate").inc()
                return
            replies = await self._asking.ask(passes, progress, pause)
            verdict = self._settle(request, mode, passes, replies, progress)
        except PoisonError as exc:
            await self._give_up(record, progress, exc, pause)
            return
        await self._publish_verdict(verdict, record, pause)
        self._published.remember(identity)
        metrics.requests.labels(verdict.status.value).inc()
        metrics.verdict_seconds.observe(monotonic() - progress.started)

    def _understand(
        self, record: Record, progress: _Progress
    ) -> tuple[Mode, Request, tuple[Pass, ...]]:
        if record.value is not None and len(record.value) > MAX_REQUEST_BYTES:
            raise OversizeRecord(
                f"{len(record.value)} bytes; a request may have {MAX_REQUEST_BYTES}: shorten its texts"
            )
        try:
            message = decode(JudgeRequest, record.value, header(record.headers, "content-type"))
            progress.request_id = message.request_id
            request = request_from_message(message, _time_of(record))
            progress.request = request
            mode = check(request)
            return mode, request, plan(request, mode, self._template)
        except JudgestreamError:
            raise
        except Exception as exc:
            raise _internal(exc) from exc

    def _settle(
        self,
        request: Request,
        mode: Mode,
        passes: Sequence[Pass],
        replies: Sequence[Reply],
        progress: _Progress,
    ) -> Verdict:
        try:
            verdict = settle(
                request=request,
                mode=mode,
                release=self._judge.release,
                passes=passes,
                replies=replies,
                effort=progress.effort(),
            )
        except Exception as exc:
            raise _internal(exc) from exc
        metrics.tokens.labels("in").inc(verdict.input_tokens)
        metrics.tokens.labels("out").inc(verdict.output_tokens)
        return verdict

    async def _give_up(
        self, record: Record, progress: _Progress, error: PoisonError, pause: Pause
    ) -> None:
        """Set the record aside whole and, where it has a request id, tell its producer.

        The failed verdict is not remembered as published, so that a replay of the request is judged.
        """
        place = f"{record.topic}[{record.partition}]@{record.offset}"
        log.warning("dead letter: %s %s: %s", place, error.code, error)
        effort = progress.effort()
        letter = dead_letter(
            record,
            error,
            attempts=effort.attempts,
            first_failed_at=progress.first_failed_at or effort.ended_at,
            now=effort.ended_at,
            group=self._settings.group,
            request_id=progress.request_id,
        )
        headers = event_headers(
            event_type=DEAD_LETTERS.event_type,
            event_id=letter.dead_letter_id,
            source=SOURCE,
            time=effort.ended_at,
            trace=trace_headers(record.headers),
        )
        await self._publish(DEAD_LETTERS.name, record.key, encode(letter), headers, pause)
        metrics.dead_letters.labels(error.code).inc()
        if not progress.request_id.strip():
            metrics.requests.labels("undecodable").inc()
            return
        verdict = failed(
            request_id=progress.request_id,
            request=progress.request,
            requested_at=_time_of(record),
            release=self._judge.release,
            error=error,
            effort=effort,
        )
        await self._publish_verdict(verdict, record, pause)
        metrics.requests.labels(verdict.status.value).inc()

    async def _publish_verdict(self, verdict: Verdict, record: Record, pause: Pause) -> None:
        headers = event_headers(
            event_type=VERDICTS.event_type,
            event_id=verdict.verdict_id,
            source=SOURCE,
            time=verdict.judged_at,
            content_type=self._settings.verdict_format,
            trace=trace_headers(record.headers),
        )
        value = encode(verdict_to_message(verdict), self._settings.verdict_format)
        await self._publish(VERDICTS.name, verdict.request_id.encode(), value, headers, pause)

    async def _publish(
        self,
        topic: str,
        key: bytes | None,
        value: bytes,
        headers: Sequence[Header],
        pause: Pause,
    ) -> None:
        """Publish until Kafka confirms. A broker that is away is waited for without limit."""
        tries = 0
        while True:
            tries += 1
            try:
                await self._publisher.publish(topic, key=key, value=value, headers=headers)
                return
            except BrokerUnavailable as exc:
                metrics.retries.labels(exc.code).inc()
                log.warning("not published, trying again: %s", exc)
                await pause(self._backoff(tries))


def _time_of(record: Record) -> datetime:
    """When the request was made, as far as its record says; else the moment of reading."""
    return event_time(record.headers) or record.time or datetime.now(UTC)


def _internal(exc: Exception) -> InternalError:
    log.exception("a bug of ours")
    return InternalError(f"{type(exc).__name__}: {exc}")
