"""The least loaded server: worked by hand, and shares of simulated calls."""

import heapq
from math import exp

import pytest

from judgestream.core.fleet.choice import DECAY_S, Latency, Load, least_loaded


def load(in_flight: int, latency_s: float | None, chosen: int = 0) -> Load:
    return Load(in_flight=in_flight, latency_s=latency_s, chosen=chosen)


@pytest.mark.parametrize(
    ("loads", "index"),
    [
        ([load(3, 0.1), load(2, 0.1)], 1),
        # 4 calls at 0.1 s before 2 calls at 0.3 s
        ([load(3, 0.1), load(1, 0.3)], 0),
        ([load(6, 0.1), load(1, 0.3)], 1),
        # a tie goes to the one that was chosen longest ago
        ([load(1, 0.1, 9), load(1, 0.1, 7), load(1, 0.1, 8)], 1),
        ([load(0, None, 2), load(0, None, 1)], 1),
        # a new server counts as the fastest: 0.1 s
        ([load(0, 0.1, 1), load(0, None), load(0, 0.3)], 1),
        ([load(0, 0.1), load(1, None), load(0, 0.3)], 0),
        # an idle server's latency may have decayed to 0
        ([load(0, 0.0), load(0, 1.0)], 0),
    ],
)
def test_the_smallest_product_of_calls_and_latency(loads: list[Load], index: int) -> None:
    assert least_loaded(loads) == index


def test_latency_follows_the_answers_and_decays_without() -> None:
    latency = Latency()
    assert latency.seconds(now=0.0) is None
    latency.observe(1.0, now=0.0)
    assert latency.seconds(now=0.0) == 1.0
    latency.observe(3.0, now=DECAY_S)
    now = exp(-1) * 1.0 + (1 - exp(-1)) * 3.0
    assert latency.seconds(now=DECAY_S) == pytest.approx(now)
    assert latency.seconds(now=2 * DECAY_S) == pytest.approx(now / exp(1))


def shares(latencies: list[float], *, every_s: float, calls: int) -> list[float]:
    """The share of calls of each server, when one call starts every `every_s` seconds."""
    servers = [Latency() for _ in latencies]
    flying, chosen, counts = ([0] * len(latencies) for _ in range(3))
    ends: list[tuple[float, int, float]] = []
    for number in range(calls):
        now = number * every_s
        while ends and ends[0][0] <= now:
            at, k, began = heapq.heappop(ends)
            flying[k] -= 1
            servers[k].observe(at - began, now=at)
        k = least_loaded(
            [load(flying[j], servers[j].seconds(now=now), chosen[j]) for j in range(len(latencies))]
        )
        flying[k] += 1
        counts[k] += 1
        chosen[k] = number + 1
        heapq.heappush(ends, (now + latencies[k], k, now))
    return [count / calls for count in counts]


def test_equal_servers_get_equal_shares() -> None:
    assert shares([0.1] * 3, every_s=0.005, calls=3000) == pytest.approx([1 / 3] * 3, abs=0.03)
    assert shares([0.1] * 3, every_s=0.5, calls=300) == pytest.approx([1 / 3] * 3, abs=0.03)


def test_a_slower_server_gets_fewer_calls_and_is_not_forgotten() -> None:
    fast, slow = shares([0.1, 0.4], every_s=0.002, calls=20_000)
    # at equal costs the slow one has a quarter of the calls in flight, and each takes 4 times as long
    assert slow == pytest.approx(1 / 17, abs=0.03)
    assert shares([0.01, 1.0], every_s=0.5, calls=2000)[1] > 0.005
