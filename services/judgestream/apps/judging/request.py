"""Judging of one request: parse, ask, build the verdict, publish. Independent of Faust."""

import hashlib
import logging
from time import monotonic, time_ns

from judgestream.adapters.images.resolving import Fetch
from judgestream.apps.judging.asked import Asked, Progress, asked_of, task_of
from judgestream.apps.judging.asking import Pause, backoff_of
from judgestream.apps.judging.judges import Judges, Moved
from judgestream.apps.judging.outbox import Outbox, Publisher
from judgestream.apps.judging.published_before import Published, PublishedBefore
from judgestream.apps.judging.record_span import record_span, redelivered, settled
from judgestream.apps.worker import metrics
from judgestream.contracts import salvage
from judgestream.contracts.records import Record, dead_letter
from judgestream.core.errors import OversizeRecord, PoisonError
from judgestream.core.limits import quoted, shortened
from judgestream.core.types import Verdict
from judgestream.core.verdicts import failed
from judgestream.settings import Judging
from judgestream.telemetry.handled import handled
from judgestream.telemetry.spans import Span, current

log = logging.getLogger(__name__)

LOGGED = 500
"""Characters of an error that a log line repeats. The dead letter has more."""

# looked up once: a lookup per request costs more than the count
TOKENS_IN, TOKENS_OUT = metrics.tokens.labels("in"), metrics.tokens.labels("out")


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
        started_ns = time_ns()
        progress = Progress.begun(record, self._judges.stable)
        request: Asked | PoisonError
        try:
            request = asked_of(record, progress)
        except PoisonError as exc:
            request = exc
        group = self._settings.group
        with record_span(record, progress, started_ns=started_ns, group=group) as span:
            if isinstance(request, PoisonError):
                await self._give_up(record, progress, request, pause)
            else:
                await self._judge(request, record, progress, pause, span)

    async def _judge(
        self, request: Asked, record: Record, progress: Progress, pause: Pause, span: Span
    ) -> None:
        async with self._before.alone(request.key):
            try:
                verdict = await self._judged(request, record, progress, pause)
                if verdict is None:
                    metrics.requests.labels("duplicate").inc()
                    span.put({"judgestream.outcome": "duplicate"})
                    return
                await self._outbox.verdict(verdict, progress.trace, pause)
            except PoisonError as exc:
                await self._give_up(record, progress, exc, pause)
                return
            self._before.published(request.key, place=record.place, verdict=verdict)
        settled(span, verdict)
        self._judges.finished(verdict.release)
        metrics.requests.labels(verdict.status.value).inc()
        metrics.verdict_seconds.observe(monotonic() - progress.started)

    async def _judged(
        self, request: Asked, record: Record, progress: Progress, pause: Pause
    ) -> Verdict | None:
        """The verdict of the release that the record is assigned to; None if it needs none.

        A request that waits for a release which has left the route is assigned to the route's release.
        """
        turn = await self._before.turn(
            request.key,
            place=record.place,
            routed=self._judges.release_for(request.request),
            requested_at=request.request.requested_at,
        )
        if turn.again:
            redelivered(current(), turn)
        while not turn.suppressed:
            try:
                async with self._judges.use(turn.release, pause, again=turn.again) as (judge, own):
                    progress.release = judge.release
                    made = await task_of(judge, request, turn.requested_at, self._images)
                    ids = handled()
                    ids.release, ids.verdict_id = judge.release.name, made.verdict_id
                    verdict = await judge.judged(made, progress, own)
                    TOKENS_IN.inc(max(0, verdict.input_tokens))
                    TOKENS_OUT.inc(max(0, verdict.output_tokens))
                    return verdict
            except Moved as exc:
                log.info("%s is given to another release: %s", record.place, exc)
                current().event("reassigned", {"judgestream.release": progress.release.name})
                progress.start_again()
                turn = await self._before.reassign(
                    request.key,
                    place=record.place,
                    release=self._judges.release_for(request.request),
                    requested_at=request.request.requested_at,
                )
        return None

    async def _give_up(
        self, record: Record, progress: Progress, error: PoisonError, pause: Pause
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
        current().failed(error.code, str(error))
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
        settled(current(), verdict)
        metrics.requests.labels(verdict.status.value).inc()
