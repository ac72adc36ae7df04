"""Publishing of verdicts and dead letters, each within the size limit of its topic."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from judgestream.apps.judging.asking import Pause
from judgestream.apps.worker import metrics
from judgestream.contracts.events import Header
from judgestream.contracts.outgoing import Outgoing
from judgestream.contracts.published import dead_letter_record, verdict_record
from judgestream.contracts.records import smallest
from judgestream.contracts.topics import DEAD_LETTERS, VERDICTS, Topic
from judgestream.core.backoff import Backoff
from judgestream.core.errors import BrokerUnavailable, OversizeRecord
from judgestream.core.types import Verdict
from judgestream.core.verdicts import limited
from judgestream.telemetry.messaging import sending
from judgestream.telemetry.spans import Kind, Span, current
from judgestream.v1.judging_pb2 import DeadLetter

log = logging.getLogger(__name__)

SOURCE = "judgestream/judging"


class Publisher(Protocol):
    async def publish(
        self, topic: str, *, key: bytes | None, value: bytes, headers: Sequence[Header]
    ) -> None: ...


class Outbox:
    """Publishes until Kafka confirms. An unavailable broker is waited for without limit.

    Every record fits its topic as the topic table defines it. On a topic with a lower limit, a record that
    is refused for its size is published again in its smallest form.
    """

    def __init__(
        self,
        publisher: Publisher,
        backoff: Backoff,
        *,
        verdict_format: str,
        topic: Topic = VERDICTS,
    ) -> None:
        """`topic`: of the verdicts."""
        self._publisher = publisher
        self._backoff = backoff
        self._format = verdict_format
        self._topic = topic

    async def verdict(self, verdict: Verdict, trace: Sequence[Header], pause: Pause) -> None:
        """Publish a verdict, its texts cut to their limits.

        Args:
            trace: the trace headers of its request. They become those of the record, unless the request is
                traced here: then the record names the span that sends it.

        Raises:
            OversizeRecord: the topic refuses the verdict even without its texts.
        """
        published, cuts = limited(verdict)
        metrics.texts_cut.inc(cuts)
        with current().child(f"send {self._topic.name}", Kind.PRODUCER) as span:
            trace = span.headers() or trace
            try:
                await self._send(self._verdict_record(published, trace), pause, span)
            except OversizeRecord as exc:
                log.warning("publishing a verdict without its texts: %s", exc)
                record = self._verdict_record(_without_texts(published), trace)
                await self._send(record, pause, span)

    async def letter(self, letter: DeadLetter, trace: Sequence[Header], pause: Pause) -> None:
        """Publish a dead letter. Returns when one form of it is confirmed. `trace` as for `verdict`."""
        with current().child(f"send {DEAD_LETTERS.name}", Kind.PRODUCER) as span:
            await self._letter(letter, span.headers() or trace, pause, span)

    async def _letter(
        self, letter: DeadLetter, trace: Sequence[Header], pause: Pause, span: Span
    ) -> None:
        tries = 0
        try:
            await self._send(dead_letter_record(letter, source=SOURCE, trace=trace), pause, span)
            return
        except OversizeRecord as exc:
            log.warning("publishing a dead letter in its smallest form: %s", exc)
        while True:
            tries += 1
            try:
                await self._send(dead_letter_record(smallest(letter), source=SOURCE), pause, span)
                return
            except OversizeRecord as exc:
                # a topic that refuses the smallest form is misconfigured: wait as for a lost broker
                log.error("%s refuses every dead letter, retrying: %s", DEAD_LETTERS.name, exc)
                await pause(self._backoff(tries))

    def _verdict_record(self, verdict: Verdict, trace: Sequence[Header]) -> Outgoing:
        return verdict_record(
            verdict,
            source=SOURCE,
            content_type=self._format,
            trace=trace,
            topic=self._topic,
        )

    async def _send(self, record: Outgoing, pause: Pause, span: Span) -> None:
        tries = 0
        if span.recording:
            span.put(sending(record.topic, record.value))
        while True:
            tries += 1
            try:
                await self._publisher.publish(
                    record.topic, key=record.key, value=record.value, headers=record.headers
                )
                return
            except BrokerUnavailable as exc:
                metrics.retries.labels(exc.code).inc()
                log.warning("not published, retrying: %s", exc)
                span.event("retry", {"error.type": exc.code, "judgestream.attempt": tries})
                await pause(self._backoff(tries))


def _without_texts(verdict: Verdict) -> Verdict:
    passes = tuple(
        replace(result, reply=replace(result.reply, text="")) for result in verdict.passes
    )
    return replace(verdict, passes=passes, explanation="", metadata={})
