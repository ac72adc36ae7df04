"""The judging worker against a bare loop, with a judge that answers at once: throughput, latency, memory.

Both sides use the same servers, the same requests, the same two prompts per request, and confirm every
verdict before they commit its request. They take turns, so that a machine that slows down or speeds up
meanwhile is seen in the spread.
"""

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import mean, median, quantiles

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from judgestream.contracts.topics import REQUESTS, VERDICTS
from judgestream.local.process import Command, ServerProcess
from judgestream.v1.judging_pb2 import Candidate, JudgeRequest
from tests.benchmarks.report import Line
from tests.integration.cluster import INSTANT, Cluster, instant_triton, running
from tests.paths import PYTHONPATH, ROOT

WARM = 1500


def request(tag: str, k: int) -> JudgeRequest:
    """About a kilobyte, as a short question and two answers are."""
    return JudgeRequest(
        request_id=f"{tag}-{k}",
        question="Which answer explains the water cycle better? " + "x" * (k % 97),
        candidates=[Candidate(id="a", text="rain " * 90), Candidate(id="b", text="sun " * 100)],
    )


@contextmanager
def bare(cluster: Cluster, turn: int) -> Iterator[ServerProcess]:
    process = ServerProcess(
        Command(
            name="bare loop",
            argv=[
                sys.executable,
                *("-m", "tests.benchmarks.bare_loop", cluster.kafka.bootstrap),
                *(cluster.triton.grpc_url, INSTANT, f"bare-{turn}"),
            ],
            log_path=cluster.folder / f"bare-{turn}.log",
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": PYTHONPATH},
        )
    )
    try:
        yield process
    finally:
        process.stop()


@contextmanager
def ours(cluster: Cluster, turn: int) -> Iterator[ServerProcess]:
    process = cluster.work(slot=0, judging__group=f"ours-{turn}")
    try:
        yield process
    finally:
        cluster.workers.clear()
        process.stop()


class Meter:
    """Publishes requests and watches their verdicts come back."""

    def __init__(self, cluster: Cluster) -> None:
        self._bootstrap = cluster.kafka.bootstrap

    async def drain(self, tag: str, count: int, *, seconds: float = 300.0) -> float:
        """Verdicts per second over the middle 80 % of `count` requests that were all there before."""
        return (await self._run(tag, count, rate=None, seconds=seconds))[0]

    async def latencies(self, tag: str, count: int, rate: float) -> list[float]:
        """Seconds from sending a request to reading its verdict, at `rate` requests per second."""
        return (await self._run(tag, count, rate=rate, seconds=count / rate + 120))[1]

    async def _run(
        self, tag: str, count: int, *, rate: float | None, seconds: float
    ) -> tuple[float, list[float]]:
        consumer = AIOKafkaConsumer(bootstrap_servers=self._bootstrap, fetch_max_wait_ms=10)
        producer = AIOKafkaProducer(
            bootstrap_servers=self._bootstrap, linger_ms=5 if rate is None else 0
        )
        await consumer.start()
        await producer.start()
        consumer.assign([TopicPartition(VERDICTS.name, p) for p in range(VERDICTS.partitions)])
        await consumer.seek_to_end()
        sent: dict[str, float] = {}
        seen: dict[str, float] = {}

        async def send() -> None:
            began = time.perf_counter()
            for k in range(count):
                if rate is not None:
                    await asyncio.sleep(max(0.0, began + k / rate - time.perf_counter()))
                message = request(tag, k)
                sent[message.request_id] = time.perf_counter()
                await producer.send(
                    REQUESTS.name, message.SerializeToString(), key=message.request_id.encode()
                )
            await producer.flush()

        sending = asyncio.create_task(send())
        deadline = time.perf_counter() + seconds
        while len(seen) < count:
            if time.perf_counter() > deadline:
                raise TimeoutError(f"{len(seen)} of {count} verdicts after {seconds:.0f} s")
            for batch in (await consumer.getmany(timeout_ms=100)).values():
                now = time.perf_counter()
                for record in batch:
                    identity = record.key.decode()
                    if identity.startswith(tag + "-"):
                        seen.setdefault(identity, now)
        await sending
        await producer.stop()
        await consumer.stop()
        times = sorted(seen.values())
        low, high = int(count * 0.1), int(count * 0.9)
        speed = (high - low) / (times[high] - times[low])
        return speed, [seen[identity] - at for identity, at in sent.items()]


def throughput(cluster: Cluster, meter: Meter, count: int, rounds: int) -> float:
    """Prints the ratio; returns our rate."""
    rates: dict[str, list[float]] = {"ours": [], "bare": []}
    sides = {"bare": bare, "ours": ours}
    for turn in range(rounds):
        for name in ("bare", "ours") if turn % 2 == 0 else ("ours", "bare"):
            with sides[name](cluster, turn):
                asyncio.run(meter.drain(f"warm-{name}-{turn}", WARM))
                rates[name].append(asyncio.run(meter.drain(f"{name}-{turn}", count)))
    best, other = median(rates["ours"]), median(rates["bare"])
    spread = {name: [round(rate) for rate in found] for name, found in rates.items()}
    Line(
        bench="pipeline-throughput",
        ours=round(best, 1),
        other=round(other, 1),
        unit="requests/s, two passes each",
        ratio=round(best / other, 3),
        goal=0.6,
        how=f"{rounds} rounds of {count} requests each, alternating, medians; rounds {spread};"
        " 64 in flight on both sides; bare: aiokafka + tritonclient, one call per pass;"
        " ours: Faust, settling, Redis, both passes in one call",
    ).show()
    return best


def latency(cluster: Cluster, meter: Meter, rate: float, count: int) -> None:
    with ours(cluster, 100):
        asyncio.run(meter.drain("warm-latency", WARM))
        found = sorted(asyncio.run(meter.latencies("latency", count, rate * 0.5)))
    cuts = quantiles(found, n=100)
    judge = judge_seconds(cluster)
    for name, value, goal in (("p50", cuts[49], 15.0), ("p99", cuts[98], 100.0)):
        added = (value - judge) * 1000
        Line(
            bench=f"pipeline-added-latency-{name}",
            ours=round(added, 2),
            other=None,
            unit="ms",
            ratio=round(added, 2),
            goal=goal,
            at_most=True,
            how=f"request sent to verdict read, {count} requests at {rate * 0.5:.0f}/s, less the"
            f" judge's own mean time of {judge * 1000:.2f} ms; mean {mean(found) * 1000:.2f} ms",
        ).show()


def judge_seconds(cluster: Cluster) -> float:
    """Mean seconds that the model itself took per request, from Triton's own counters."""
    from urllib.request import urlopen

    text = urlopen(cluster.triton.metrics_url, timeout=5).read().decode()  # noqa: S310 - our server
    values = {
        name: float(line.rsplit(" ", 1)[1])
        for line in text.splitlines()
        for name in ("nv_inference_compute_infer_duration_us", "nv_inference_request_success")
        if line.startswith(name) and INSTANT in line
    }
    return (
        values["nv_inference_compute_infer_duration_us"]
        / values["nv_inference_request_success"]
        / 1e6
    )


def memory(cluster: Cluster, meter: Meter, count: int) -> None:
    """Resident memory after a fifth of the requests and after all of them."""
    with ours(cluster, 200) as process:
        part = count // 5
        marks: list[int] = []
        for turn in range(5):
            asyncio.run(meter.drain(f"memory-{turn}", part, seconds=900))
            marks.append(resident(process.pid))
    growth = marks[-1] / marks[0] - 1
    Line(
        bench="worker-memory-growth",
        ours=round(growth * 100, 2),
        other=None,
        unit="% of resident memory",
        ratio=round(growth * 100, 2),
        goal=10.0,
        at_most=True,
        how=f"after {part} and after {count} requests; MiB at each fifth:"
        f" {[round(mark / 1024) for mark in marks]}",
    ).show()


def resident(pid: int) -> int:
    """KiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=8000, help="per round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--memory", type=int, default=100_000, help="requests; 0 leaves it out")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        triton = instant_triton(Path(folder) / "triton")
        with triton, running(Path(folder), triton) as cluster:
            meter = Meter(cluster)
            rate = throughput(cluster, meter, options.requests, options.rounds)
            latency(cluster, meter, rate, 4000)
            if options.memory:
                memory(cluster, meter, options.memory)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
