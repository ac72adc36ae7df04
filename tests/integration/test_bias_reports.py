"""The published reports, tumbling and hopping, with the real Valkey: the newest of each equals a recount."""

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from judgestream.adapters.kafka.producer import Publisher
from judgestream.adapters.redis.alarm_states import AlarmStates
from judgestream.adapters.redis.bias_store import BiasStore
from judgestream.apps.bias.alarms import AlarmWatch, load_policy
from judgestream.apps.bias.progress import WatermarkKeeper
from judgestream.apps.bias.reporting import ReportPublisher
from judgestream.core.errors import BrokerUnavailable
from judgestream.core.types import Status, Verdict
from judgestream.evaluation.contribution import contribution
from judgestream.evaluation.probes import complete, total
from judgestream.evaluation.time_windows import TimeWindow, window_of
from judgestream.local.valkey import ValkeyServer
from judgestream.settings import Bias
from judgestream.v1.bias_pb2 import BiasReport
from tests.evaluation.windows import NOON, judged
from tests.integration.test_bias_store import open_batch, recount

pytestmark = pytest.mark.integration

MINUTE = timedelta(minutes=1)


@pytest.fixture(scope="module")
def valkey() -> Iterator[ValkeyServer]:
    with TemporaryDirectory() as folder, ValkeyServer(data_dir=Path(folder)) as server:
        yield server


class Topic:
    """The topic of reports, whose broker may be away."""

    def __init__(self) -> None:
        self.reports: list[BiasReport] = []
        self.left = 1_000_000

    async def publish(self, topic: str, *, key: bytes, value: bytes, headers: object) -> None:
        if topic != "judge.bias.v1":
            return
        if not self.left:
            raise BrokerUnavailable("away")
        self.left -= 1
        self.reports.append(BiasReport.FromString(value))

    def newest(self) -> dict[tuple[str, datetime], BiasReport]:
        found: dict[tuple[str, datetime], BiasReport] = {}
        for one in self.reports:
            key = one.release, one.window_start.ToDatetime(tzinfo=UTC)
            known = found.get(key)
            if known is None or (one.revision, one.final) >= (known.revision, known.final):
                found[key] = one
        return found


class Watermark:
    """Set by the test, as a `WatermarkKeeper` finds it."""

    at: datetime | None = None

    async def advance(self) -> datetime | None:
        return self.at


class Spy(AlarmWatch):
    """Notes the windows that the alarms see."""

    def __init__(self, *arguments: Any, looked: list[tuple[str, datetime]], **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._looked = looked

    async def look(self, release: str, window: TimeWindow, *counts: Any, **options: Any) -> None:
        await super().look(release, window, *counts, **options)
        self._looked.append((release, window.start))


class Bench:
    """A store with reporting workers, of which one after the other may hold the lease."""

    runs = 0

    def __init__(self, server: ValkeyServer, hop_s: int) -> None:
        type(self).runs += 1
        self.settings = Bias(window_s=180, hop_s=hop_s, lateness_s=0, publish_interval_s=0.001)
        self.batch = open_batch(server)
        self.store = BiasStore(
            self.batch,
            prefix=f"reports{self.runs}",
            lateness=timedelta(0),
            retention=timedelta(hours=1),
        )
        self.states = AlarmStates(
            self.batch, prefix=f"reports{self.runs}", retention=timedelta(hours=1)
        )
        self.looked: list[tuple[str, datetime]] = []
        self.topic, self.watermark = Topic(), Watermark()
        self.reporter = self.new_reporter()

    def new_reporter(self) -> ReportPublisher:
        publisher = cast(Publisher, cast(Any, self.topic))
        hop = timedelta(seconds=self.settings.hop)
        return ReportPublisher(
            self.store,
            publisher,
            cast(WatermarkKeeper, cast(Any, self.watermark)),
            Spy(self.states, publisher, load_policy(None), hop=hop, looked=self.looked),
            self.settings,
        )

    async def deliver(self, verdict: Verdict) -> None:
        one = contribution(verdict)
        pane = window_of(one.time, timedelta(seconds=self.settings.hop))
        await self.store.count(one, pane, partition=0)

    async def round(self) -> None:
        """One round of the reporter that holds the lease; another one takes over a lease."""
        await self.batch.redis.delete(f"reports{self.runs}:bias:publisher")
        await self.reporter.publish_round()

    async def close(self) -> None:
        await self.batch.close()


STEPS = st.lists(
    st.one_of(
        st.builds(
            judged,
            st.sampled_from(["r1", "r2", "r3"]),
            status=st.sampled_from(Status),
            minute=st.sampled_from([0, 1, 2.5, 7]),
            judged_minute=st.sampled_from([60, 61]),
            lean=st.sampled_from(["consistent", "first"]),
        ),
        st.integers(0, 12),  # the watermark moves to this minute, and the reporter runs
        st.sampled_from(["another worker", "broker away"]),
    ),
    max_size=14,
)


@pytest.mark.parametrize("hop_s", [180, 60])
def test_the_newest_report_of_every_window_equals_a_recount(
    valkey: ValkeyServer, hop_s: int
) -> None:
    @settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
    @given(STEPS)
    def check(steps: list[Verdict | int | str]) -> None:
        asyncio.run(follow(valkey, hop_s, steps))

    check()
    assert Bench.runs >= 40


async def follow(server: ValkeyServer, hop_s: int, steps: list[Verdict | int | str]) -> None:
    bench = Bench(server, hop_s)
    delivered: list[Verdict] = []
    for step in steps:
        if isinstance(step, Verdict):
            delivered.append(step)
            await bench.deliver(step)
        elif isinstance(step, int):
            bench.watermark.at = max(NOON + step * MINUTE, bench.watermark.at or NOON)
            await bench.round()
        elif step == "another worker":
            bench.reporter = bench.new_reporter()
        else:
            bench.topic.left = 1
            with suppress(BrokerUnavailable):
                await bench.round()
            bench.topic.left = 1_000_000
    bench.watermark.at = NOON + 60 * MINUTE
    await bench.round()
    assert await bench.store.open_panes() == {}, "every window is final"
    found = bench.topic.newest()
    assert all(one.final for one in found.values())
    expected = recount(delivered).windows(3 * MINUTE, timedelta(seconds=hop_s))
    assert {key: dict(one.counts) for key, one in found.items() if one.counts["n"]} == {
        (release, window.start): complete(total(counts.values()))
        for (release, window), counts in expected.items()
    }
    assert set(bench.looked) == found.keys(), "the alarms have seen every window"
    told = len(bench.topic.reports)
    await bench.round()
    assert len(bench.topic.reports) == told, "nothing has changed"
    await bench.close()
