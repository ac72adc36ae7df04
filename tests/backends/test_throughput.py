"""Rates between two looks, by hand."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from judgestream.backends.throughput import Gauges, peak_flops, tflops_of
from judgestream.backends.triton_requests import LazyGauges
from judgestream.engine.checkpoint import Checkpoint
from judgestream.engine.judge import Judge


@pytest.fixture
def judge(checkpoint_of: Callable[[str], Checkpoint]) -> Judge:
    return Judge(checkpoint_of("split"), row_tokens=1000)


def test_rates_are_of_what_was_done_since_the_last_look(judge: Judge) -> None:
    """1,500 tokens in 2 rows of 1,000, 3 seconds: 75 % full, 500 tokens/s; then 900 in one, 1 second."""
    flops = judge.checkpoint.decoder.flops_per_token
    gauges = Gauges(judge, peak=flops * 2000.0)
    assert gauges.look() == {}
    judge.work.rows, judge.work.run_tokens, judge.work.seconds = 2, 1500, 3.0
    assert gauges.look() == pytest.approx({"fill": 0.75, "tokens_per_second": 500, "mfu": 0.25})
    assert gauges.look() == {}
    judge.work.rows, judge.work.run_tokens, judge.work.seconds = 3, 2400, 4.0
    assert gauges.look() == pytest.approx({"fill": 0.9, "tokens_per_second": 900, "mfu": 0.45})


def test_no_known_peak_is_no_mfu(judge: Judge) -> None:
    gauges = Gauges(judge, peak_flops(judge.checkpoint.decoder))
    judge.work.rows, judge.work.run_tokens, judge.work.seconds = 1, 10, 1.0
    assert "mfu" not in gauges.look()
    assert peak_flops(judge.checkpoint.decoder, 2.5) == 2.5e12


@pytest.mark.parametrize(
    ("name", "peak"),
    [
        ("NVIDIA H200", 989),
        ("NVIDIA H100 80GB HBM3", 989),
        ("NVIDIA H100 PCIe", 756),
        ("NVIDIA A100-SXM4-40GB", 312),
        ("NVIDIA L4", 121),
        ("NVIDIA L40S", 362),
        ("NVIDIA GeForce RTX 3090", None),
    ],
)
def test_a_gpu_is_known_by_its_name(name: str, peak: float | None) -> None:
    assert tflops_of(name) == peak


def test_a_gauge_is_there_from_its_first_value_on() -> None:
    made: dict[str, float] = {}

    class Family:
        GAUGE = "gauge"

        def __init__(self, name: str, description: str, kind: str) -> None:
            self.name = name

        def Metric(self, labels: dict[str, str]) -> Any:
            return SimpleNamespace(set=lambda value: made.__setitem__(self.name, value))

    texts = {"fill": "Fill", "mfu": "MFU"}
    shown = LazyGauges("engine", texts, {"model": "m"}, SimpleNamespace(MetricFamily=Family))
    shown.show({})
    assert made == {}
    shown.show({"fill": 0.5})
    shown.show({"fill": 0.7})
    assert made == {"engine_fill": 0.7}
