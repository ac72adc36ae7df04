"""Sizes from a load, worked by hand."""

import math

import pytest

from judgestream.core.capacity import GPUS, Constants, Keeping, Load, plan
from judgestream.core.errors import ConfigurationError
from judgestream.engine.devices import tflops_of

KEEPING = Keeping(requests_s=100.0, verdicts_s=200.0, counted_s=1000.0, published_s=10.0)
H100 = GPUS["h100-80"]


def test_a_worked_example() -> None:
    # 100 x 2 x 900 = 180,000 tokens/s; 989e12 x 0.44 / 14e9 = 31,083 tokens/s per card, of which 21,758
    # planned: 8.27 -> 9 cards. Workers: 100 x 0.5 s / (64 x 0.7) = 1.1 -> 2; by CPU 100 x 2 ms / 0.7 -> 1.
    # Kafka: 100/s x (4,096 B x 100 s + 1,024 B x 200 s) x 3. Redis: 100/s x (500 B x 1,000 s + 250 B x 10 s).
    # 9 x 3 $/h over 360,000 verdicts/h = 75 $ per million.
    sizes = plan(Load(requests_per_s=100), 7e9, H100, KEEPING, Constants(), 8)
    assert sizes.tokens_per_s == 180_000
    assert sizes.gpu_tokens_per_s == pytest.approx(31_083, abs=1)
    assert (sizes.gpus_per_copy, sizes.gpus, sizes.workers, sizes.partitions) == (1, 9, 2, 8)
    assert sizes.kafka_bytes == 184_320_000
    assert sizes.redis_bytes == 50_250_000
    assert sizes.dollars == pytest.approx(75)


def test_a_judge_that_does_not_fit_one_card_needs_several_for_each_copy() -> None:
    # 33e9 x 2 bytes x 1.3 = 85.8 GB: two cards of 80 GB, one of 141 GB
    for name, cards in (("h100-80", 2), ("h200", 1), ("a100-40", 3)):
        sizes = plan(Load(requests_per_s=1), 33e9, GPUS[name], KEEPING, Constants(), 8)
        assert sizes.gpus_per_copy == cards
        assert sizes.gpus % cards == 0


def test_what_is_kept_and_the_cost_follow_the_mean_rate() -> None:
    busiest = plan(Load(requests_per_s=100), 7e9, H100, KEEPING, Constants(), 8)
    uneven = plan(Load(requests_per_s=100, mean_share=0.25), 7e9, H100, KEEPING, Constants(), 8)
    assert (uneven.gpus, uneven.workers) == (busiest.gpus, busiest.workers)
    assert uneven.kafka_bytes == busiest.kafka_bytes / 4
    assert uneven.redis_bytes == busiest.redis_bytes / 4
    assert uneven.dollars == pytest.approx(4 * busiest.dollars)


def test_partitions_are_enough_for_the_workers() -> None:
    # 1,000/s x 2 s / (64 x 0.7) = 44.6 -> 45 workers
    sizes = plan(Load(requests_per_s=1000), 7e9, H100, KEEPING, Constants(latency_s=2.0), 8)
    assert (sizes.workers, sizes.partitions) == (45, 64)


@pytest.mark.parametrize("rate", [0.0, -1.0, math.nan, math.inf])
def test_a_load_that_is_not_a_positive_number_is_refused(rate: float) -> None:
    with pytest.raises(ConfigurationError, match="requests_per_s must be a number above 0"):
        plan(Load(requests_per_s=rate), 7e9, H100, KEEPING, Constants(), 8)


def test_the_peaks_are_those_of_the_engine_s_own_table() -> None:
    for name, product in (
        ("a100-80", "NVIDIA A100-SXM4-80GB"),
        ("h100-80", "NVIDIA H100 80GB HBM3"),
    ):
        assert GPUS[name].peak_flops == (tflops_of(product) or 0) * 1e12
