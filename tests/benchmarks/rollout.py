"""Latency while routes change: the proof's rollout without its kills, at a steady rate."""

import argparse
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from statistics import quantiles

from tests.benchmarks.report import Line
from tests.integration.cluster import instant_triton, running
from tests.integration.rollout_scenario import Outcome, run

SWITCHES = ("stage", "shadow", "canary", "promote", "rollback")
DURING_S = 3.0
"""A switch lasts from its confirmation until this time later: routes reach all workers within 2 s."""
GOAL = 2.0
WARM_S = 3.0


def p99(latencies: list[float]) -> float:
    return quantiles(latencies, n=100)[98]


def split(outcome: Outcome) -> tuple[Mapping[str, list[float]], list[float]]:
    """Seconds from sending to verdict: by switch, and of all requests sent while nothing changed."""
    began = min(outcome.sent.values())
    during: dict[str, list[float]] = {name: [] for name in SWITCHES}
    quiet: list[float] = []
    for request, sent in outcome.sent.items():
        took = outcome.judged[request] - sent
        inside = [n for n in SWITCHES if 0.0 <= sent - outcome.events[n] + 0.5 < DURING_S + 0.5]
        if inside:
            during[inside[0]].append(took)
        elif sent > began + WARM_S:
            quiet.append(took)
    return during, quiet


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=5000)
    parser.add_argument("--rate", type=float, default=125.0, help="requests per second")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        triton = instant_triton(Path(folder) / "triton")
        with triton, running(Path(folder), triton) as cluster:
            outcome = run(cluster, count=options.requests, rate=options.rate, kills=False)
    during, quiet = split(outcome)
    together = [one for found in during.values() for one in found]
    each = {name: round(p99(found) * 1000) for name, found in during.items() if len(found) > 1}
    Line(
        bench="rollout-latency-p99",
        ours=round(p99(together) * 1000, 1),
        other=round(p99(quiet) * 1000, 1),
        unit="ms",
        ratio=round(p99(together) / p99(quiet), 2),
        goal=GOAL,
        at_most=True,
        how=f"request sent to verdict published, {options.requests} requests at {options.rate:.0f}/s, two"
        f" workers, two Tritons, a shadow worker at 50 %; ours: within {DURING_S:.0f} s after a switch"
        f" ({len(together)} requests; p99 by switch in ms: {each}); other: the rest ({len(quiet)})",
    ).show()
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
