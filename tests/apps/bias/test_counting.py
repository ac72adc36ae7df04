"""The bias worker counts each verdict, under its own metrics, and waits for Redis."""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from prometheus_client import REGISTRY

from judgestream.adapters.redis.bias_store import Counted
from judgestream.apps.bias.counting import VerdictCounter
from judgestream.apps.worker.status import WorkerStatus
from judgestream.contracts.events import IncomingHeader
from judgestream.contracts.records import Record
from judgestream.core.errors import StoreUnavailable
from judgestream.evaluation.contribution import Contribution
from judgestream.evaluation.time_windows import TimeWindow
from judgestream.settings import Bias
from judgestream.v1.judging_pb2 import Verdict

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@dataclass
class FakeStore:
    outcome: Counted = Counted.FRESH
    failures: int = 0
    counted: list[tuple[Contribution, TimeWindow, int | None]] = field(default_factory=list)

    async def count(self, one: Contribution, pane: TimeWindow, *, partition: int | None) -> Counted:
        if self.failures:
            self.failures -= 1
            raise StoreUnavailable("away")
        self.counted.append((one, pane, partition))
        return self.outcome


def verdict(**fields: object) -> bytes:
    message = Verdict(verdict_id="v1", request_id="r1", release="judgelm-0", **fields)  # type: ignore[arg-type]
    message.status = Verdict.STATUS_UNSCORED
    message.reason = "no_scores"
    message.requested_at.FromDatetime(NOON + timedelta(seconds=65))
    return message.SerializeToString()


class Bench:
    def __init__(self, **store: object) -> None:
        self.store = FakeStore(**store)  # type: ignore[arg-type]
        self.status = WorkerStatus(kind="bias", slot=0)
        self.counter = VerdictCounter(self.store, Bias(), self.status)
        self.pauses: list[tuple[float, str]] = []

    async def pause(self, seconds: float) -> None:
        self.pauses.append((seconds, self.status.state))

    def handle(self, value: bytes | None, *headers: IncomingHeader) -> dict[str, float]:
        """Returns how the samples of the bias metrics, and of all requests, have grown."""
        before = samples()
        record = Record(
            topic="judge.verdicts.v1",
            partition=1,
            offset=2,
            time=NOON,
            key=b"k",
            value=value,
            headers=headers,
        )
        asyncio.run(self.counter.handle(record, self.pause))
        return {
            name: n - before.get(name, 0)
            for name, n in samples().items()
            if n != before.get(name, 0)
        }


def samples() -> dict[str, float]:
    wanted = ("judgestream_bias", "judgestream_requests", "judgestream_set_aside")
    return {
        sample.name.removeprefix("judgestream_") + "".join(sample.labels.values()): sample.value
        for metric in REGISTRY.collect()
        for sample in metric.samples
        if sample.name.startswith(wanted) and sample.name.endswith("_total")
    }


@pytest.mark.parametrize(
    ("outcome", "grown"),
    [
        (Counted.FRESH, {"bias_verdicts_counted_totalfresh": 1}),
        (Counted.DUPLICATE, {"bias_verdicts_counted_totalduplicate": 1}),
        (Counted.REPLACED, {"bias_verdicts_counted_totalreplaced": 1}),
        (Counted.LATE, {"bias_verdicts_counted_totallate": 1, "bias_late_total": 1}),
    ],
)
def test_a_verdict_is_counted_under_the_bias_workers_own_metrics(
    outcome: Counted, grown: dict[str, float]
) -> None:
    bench = Bench(outcome=outcome)
    assert bench.handle(verdict()) == grown
    ((one, pane, partition),) = bench.store.counted
    assert (one.verdict_id, one.settled, partition) == ("v1", True, 1)
    assert pane.start == NOON + timedelta(minutes=1)
    assert one.counts == {"n": 1, "unscored": 1}


def test_a_hopping_window_is_counted_by_its_panes() -> None:
    bench = Bench()
    bench.counter = VerdictCounter(bench.store, Bias(window_s=60, hop_s=20), bench.status)
    bench.handle(verdict())
    ((_, pane, _),) = bench.store.counted
    assert pane == TimeWindow(start=NOON + timedelta(seconds=60), end=NOON + timedelta(seconds=80))
    with pytest.raises(ValueError, match="multiple of bias.hop_s"):
        Bias(window_s=60, hop_s=25)


def test_redis_is_waited_for_and_the_worker_says_so() -> None:
    bench = Bench(failures=2)
    bench.handle(verdict())
    assert bench.pauses == [(1.0, "waiting"), (1.0, "waiting")]
    assert bench.status.state == "working" and len(bench.store.counted) == 1


@pytest.mark.parametrize("value", [None, b"\xff", b"", Verdict(verdict_id="v").SerializeToString()])
def test_a_record_that_is_not_a_verdict_is_set_aside(value: bytes | None) -> None:
    bench = Bench()
    assert bench.handle(value) == {"set_aside_totalnot_a_verdict": 1}
    assert bench.store.counted == [] and bench.status.entry().counts == {"set_aside": 1}


def test_a_probe_is_not_counted() -> None:
    bench = Bench()
    assert bench.handle(verdict(metadata={"judgestream.probe": "x"})) in (
        {"bias_verdicts_counted_totalprobe": 1},
    )
    assert bench.store.counted == []


def test_an_answer_to_a_question_about_a_judgement_is_not_counted() -> None:
    bench = Bench()
    message = Verdict.FromString(verdict())
    message.mode = "follow_up"
    assert bench.handle(message.SerializeToString()) == {"bias_verdicts_counted_totalfollow_up": 1}
    assert bench.store.counted == []


def test_an_oversized_release_name_is_set_aside() -> None:
    bench = Bench()
    message = Verdict.FromString(verdict())
    message.release = "x" * 10_000
    assert bench.handle(message.SerializeToString()) == {"set_aside_totalnot_a_verdict": 1}
