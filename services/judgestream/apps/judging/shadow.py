"""Shadow judgements of live requests, which no consumer sees: by releases in shadow, and of probes.

A release in shadow judges its share of the requests a second time. Its verdicts go to `judge.shadow.v1`, for
the evidence on it. Known-answer probes accompany a share of the requests; their verdicts go to
`judge.probes.v1`. The stable release judges them, and so do those that judge the request in shadow, because
the evidence compares them on the same probes.
"""

import logging
from collections.abc import Callable, Sequence
from time import time_ns

from judgestream.adapters.images.resolving import Fetch
from judgestream.apps.judging.asked import Asked, Progress, asked_of, task_of
from judgestream.apps.judging.asking import Pause, backoff_of
from judgestream.apps.judging.judges import Moved
from judgestream.apps.judging.outbox import Outbox, Publisher
from judgestream.apps.judging.published_before import Published, PublishedBefore
from judgestream.apps.judging.record_span import record_span, redelivered, settled
from judgestream.apps.judging.routed import FollowedJudges
from judgestream.apps.worker import metrics
from judgestream.contracts.events import Header
from judgestream.contracts.records import Record
from judgestream.contracts.topics import PROBES, SHADOW
from judgestream.core.errors import OversizeRecord, PoisonError
from judgestream.core.identity import verdict_id
from judgestream.core.known_answers import probes_of
from judgestream.core.rollout.route import Route
from judgestream.core.rollout.state import Stage
from judgestream.core.types import Release, Request, Verdict
from judgestream.core.verdicts import failed
from judgestream.settings import Judging
from judgestream.telemetry.handled import handled
from judgestream.telemetry.spans import current

log = logging.getLogger(__name__)

PROBE_SEED = 0
"""All workers make the same probe of a request."""

NOBODY = Release(name="", checkpoint_digest="", template_id="", max_input_tokens=0)


def wanted(default: str, probe_share: float) -> Callable[[Route], tuple[str, ...]]:
    """The releases of a route that a shadow worker asks.

    Args:
        default: the release that judges probes while no route has a stable one; "" for none.
    """

    def releases(route: Route) -> tuple[str, ...]:
        stable = (route.stable or default,) if probe_share else ()
        shadows = tuple(arm.release for arm in route.shadows)
        return tuple(dict.fromkeys(name for name in (*shadows, *stable) if name))

    return releases


class ShadowJudge:
    """Turns records of `judge.requests.v1` into shadow verdicts. A request that cannot be judged becomes a
    failed one; a record that is not a valid request is left to the judging workers.

    `handle` raises only what `pause` raises.
    """

    def __init__(
        self,
        *,
        judges: FollowedJudges,
        publisher: Publisher,
        published: Published,
        settings: Judging,
        images: Fetch,
        default: str = "",
        probe_share: float = 0.0,
        group: str = "",
    ) -> None:
        """`default` and `probe_share` as in `wanted`. `group`: the worker's consumer group, for traces."""
        self._judges = judges
        self._group = group
        self._images = images
        self._before = PublishedBefore(published)
        self._default = default
        self._probe_share = probe_share
        self._shadow, self._probes = (
            Outbox(
                publisher,
                backoff_of(settings),
                verdict_format=settings.verdict_format,
                topic=topic,
            )
            for topic in (SHADOW, PROBES)
        )

    async def handle(self, record: Record, pause: Pause) -> None:
        route = self._judges.route
        if not route.shadows and not self._probe_share:
            return  # nothing is decoded: an idle worker costs little
        started_ns = time_ns()
        progress = Progress.begun(record, NOBODY)
        try:
            asked = asked_of(record, progress)
        except PoisonError:
            return
        request = asked.request
        shadows = route.shadows_for(request.request_id, request.metadata)
        stable = route.stable or self._default
        probes = self._probes_of(request) if self._probe_share and stable else []
        if not shadows and not probes:
            return
        with record_span(record, progress, started_ns=started_ns, group=self._group) as span:
            span.put({"judgestream.shadow": True})
            for release in shadows:
                await self._judge(release, asked, record, progress.trace, self._shadow, pause)
            for probe in probes:
                for release in dict.fromkeys((stable, *shadows)):
                    await self._judge(release, probe, record, progress.trace, self._probes, pause)

    def _probes_of(self, request: Request) -> list[Asked]:
        found = probes_of(request, share=self._probe_share, seed=PROBE_SEED)
        return [Asked.of(one.request) for one in found]

    async def _judge(
        self,
        release: str,
        asked: Asked,
        record: Record,
        trace: Sequence[Header],
        outbox: Outbox,
        pause: Pause,
    ) -> None:
        """One release's verdict, unless it was published before, or the release leaves the route."""
        key = verdict_id(
            asked.request.request_id, release, asked.request.mode, asked.content_digest
        )
        async with self._before.alone(key):
            turn = await self._before.turn(
                key,
                place=record.place,
                routed=release,
                requested_at=asked.request.requested_at,
            )
            if turn.again:
                redelivered(current(), turn)
            if turn.suppressed:
                return
            progress = Progress(
                release=NOBODY, request=asked.request, requested_at=turn.requested_at, trace=trace
            )
            ids = handled()
            ids.request_id, ids.verdict_id, ids.release = asked.request.request_id, key, release
            try:
                async with self._judges.use(release, pause) as (judge, own):
                    progress.release = judge.release
                    made = await task_of(judge, asked, turn.requested_at, self._images)
                    verdict = await judge.judged(made, progress, own)
            except Moved:
                return
            except PoisonError as exc:
                verdict = self._failed(asked, progress, exc)
            try:
                await outbox.verdict(verdict, trace, pause)
            except OversizeRecord as exc:
                log.warning("no shadow verdict for %s: %s", record.place, exc)
                return
            self._before.published(key, place=record.place, verdict=verdict)
            settled(current(), verdict)
        stage = Stage.SHADOW if outbox is self._shadow else "probe"
        metrics.routed.labels(release, str(stage)).inc()

    def _failed(self, asked: Asked, progress: Progress, error: PoisonError) -> Verdict:
        return failed(
            request_id=asked.request.request_id,
            request=asked.request,
            requested_at=progress.requested_at,
            release=progress.release,
            error=error,
            effort=progress.effort(),
        )
