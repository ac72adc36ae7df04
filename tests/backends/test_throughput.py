"""Rates between two readings, worked by hand."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from judgestream.backends.throughput import Throughput, peak_flops
from judgestream.backends.triton_metrics import LazyGauges
from judgestream.engine.checkpoint import Checkpoint
from judgestream.engine.judge import Judge


@pytest.fixture
def judge(checkpoint_of: Callable[[str], Checkpoint]) -> Judge:
    return Judge(checkpoint_of("split"), row_tokens=1000)


def test_rates_are_of_what_was_done_since_the_previous_reading(judge: Judge) -> None:
    """1,500 tokens in 2 rows of 1,000, 3 seconds: 75 % full, 500 tokens/s; then 900 in one, 1 second."""
    flops = judge.checkpoint.decoder.flops_per_token
    throughput = Throughput(judge, peak=flops * 2000.0)
    assert throughput.rates() == {}
    judge.work.rows, judge.work.run_tokens, judge.work.seconds = 2, 1500, 3.0
    assert throughput.rates() == pytest.approx(
        {"fill_ratio": 0.75, "tokens_per_second": 500, "mfu_ratio": 0.25}
    )
    assert throughput.rates() == {}
    judge.work.rows, judge.work.run_tokens, judge.work.seconds = 3, 2400, 4.0
    assert throughput.rates() == pytest.approx(
        {"fill_ratio": 0.9, "tokens_per_second": 900, "mfu_ratio": 0.45}
    )


def test_an_unknown_peak_gives_no_mfu(judge: Judge) -> None:
    throughput = Throughput(judge, peak_flops(judge.checkpoint.decoder))
    judge.work.rows, judge.work.run_tokens, judge.work.seconds = 1, 10, 1.0
    assert "mfu_ratio" not in throughput.rates()
    assert peak_flops(judge.checkpoint.decoder, 2.5) == 2.5e12


def test_a_gauge_exists_from_its_first_value() -> None:
    made: dict[str, float] = {}

    class Family:
        GAUGE = "gauge"

        def __init__(self, name: str, description: str, kind: str) -> None:
            self.name = name

        def Metric(self, labels: dict[str, str]) -> Any:
            return SimpleNamespace(set=lambda value: made.__setitem__(self.name, value))

    texts = {"fill": "Fill", "mfu": "MFU"}
    gauges = LazyGauges("engine", texts, {"model": "m"}, SimpleNamespace(MetricFamily=Family))
    gauges.set({})
    assert made == {}
    gauges.set({"fill": 0.5})
    gauges.set({"fill": 0.7})
    assert made == {"engine_fill": 0.7}
