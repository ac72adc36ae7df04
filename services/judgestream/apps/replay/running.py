"""A replay: judges the records one after the other, a bounded number at once, and publishes the verdicts."""

import asyncio
import threading
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Mapping
from itertools import islice
from time import monotonic

from judgestream.adapters.images.resolving import Fetch
from judgestream.apps.judging.asked import Asked, Progress, task_of
from judgestream.apps.judging.asking import backoff_of
from judgestream.apps.judging.one_release import RequestsJudge
from judgestream.apps.judging.outbox import Outbox, Publisher
from judgestream.apps.replay.requests import old_request
from judgestream.apps.replay.selection import Selection
from judgestream.apps.replay.survey import Place, Selected, chosen
from judgestream.apps.worker.status import WorkerStatus
from judgestream.contracts.records import Record
from judgestream.contracts.topics import SHADOW
from judgestream.core.errors import JudgestreamError, JudgeUnavailable, OversizeRecord, PoisonError
from judgestream.core.types import Verdict
from judgestream.core.verdicts import failed
from judgestream.settings import Settings

AHEAD = 16
"""Records that are read at a time. Each has at most `MAX_REQUEST_BYTES`."""

PATIENCE_S = 300.0
"""A replay ends when nothing was judged for this long, such as while the release is paused."""


class Replay:
    """Judges selected requests again. A request that cannot be judged gets a failed verdict, no dead letter.

    Nothing but the published verdicts is kept, so a replay that was stopped anywhere continues when it is
    started again, and judges at most the requests in flight twice, under the same verdict ids.
    """

    def __init__(
        self,
        *,
        settings: Settings,
        judge: RequestsJudge,
        status: WorkerStatus,
        publisher: Publisher,
        images: Fetch,
        at_once: int,
        patience_s: float = PATIENCE_S,
        on_progress: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._settings = settings
        self._judge = judge
        self._status = status
        self._images = images
        self._at_once = at_once
        self._patience_s = patience_s
        self._on_progress = on_progress
        self._outbox = Outbox(
            publisher,
            backoff_of(settings.judging),
            verdict_format=settings.judging.verdict_format,
            topic=SHADOW,
        )
        self._stopped = threading.Event()
        self._reading = threading.Lock()
        self._judged_at = monotonic()
        self.counts: Counter[str] = Counter()
        """Published verdicts by status, and `unpublished` for those that the topic refuses for their size."""
        self.cost = 0.0
        """Dollars of the published verdicts."""

    async def run(self, selection: Selection, todo: Mapping[Place, Selected]) -> None:
        """Judge everything that is to be done.

        Raises:
            JudgeUnavailable: nothing was judged for the patience time; the message says why.
            BrokerUnavailable: the requests cannot be read.
        """
        queue: asyncio.Queue[Record | None] = asyncio.Queue(maxsize=self._at_once)
        found = chosen(self._settings.kafka, selection, todo, stopped=self._stopped.is_set)
        self._judged_at = monotonic()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._read(found, queue))
                for _ in range(self._at_once):
                    group.create_task(self._work(queue))
        except* JudgestreamError as errors:
            raise _first(errors) from None
        finally:
            self._stopped.set()
            # an open reader has a thread, which would keep the process alive
            await asyncio.to_thread(self._close, found)

    def _next(self, found: Iterator[Record]) -> list[Record]:
        with self._reading:
            return list(islice(found, AHEAD))

    def _close(self, found: Generator[Record, None, None]) -> None:
        """Close the reader, once the thread of a cancelled `_next` has ended."""
        with self._reading:
            found.close()

    async def _read(self, found: Iterator[Record], queue: asyncio.Queue[Record | None]) -> None:
        while batch := await asyncio.to_thread(self._next, found):
            for record in batch:
                await queue.put(record)
        for _ in range(self._at_once):
            await queue.put(None)

    async def _work(self, queue: asyncio.Queue[Record | None]) -> None:
        while (record := await queue.get()) is not None:
            try:
                asked, progress = old_request(record, self._judge.release)
            except PoisonError:
                continue  # reported by the survey
            verdict = await self._judged(asked, progress)
            try:
                await self._outbox.verdict(verdict, progress.trace, self._pause)
                self.counts[verdict.status.value] += 1
                self.cost += verdict.cost or 0.0
            except OversizeRecord:
                self.counts["unpublished"] += 1
            self._judged_at = monotonic()
            self._on_progress(self.counts.total())

    async def _judged(self, asked: Asked, progress: Progress) -> Verdict:
        """The verdict; a failed one where the judge refuses the request."""
        try:
            task = await task_of(self._judge, asked, asked.request.requested_at, self._images)
            return await self._judge.judged(task, progress, self._pause)
        except PoisonError as exc:
            return failed(
                request_id=asked.request.request_id,
                request=asked.request,
                requested_at=progress.requested_at,
                release=progress.release,
                error=exc,
                effort=progress.effort(),
            )

    async def _pause(self, seconds: float) -> None:
        silent = monotonic() - self._judged_at
        if silent > self._patience_s:
            reason = self._status.reason or "the judge or Kafka does not answer"
            raise JudgeUnavailable(
                f"nothing was judged for {silent:.0f} s: {reason}. Run the same command again to continue"
            )
        await asyncio.sleep(seconds)


def _first(errors: BaseExceptionGroup[JudgestreamError]) -> JudgestreamError:
    """The first error of a group, which may hold groups."""
    one = errors.exceptions[0]
    return _first(one) if isinstance(one, BaseExceptionGroup) else one
