"""Routes between two releases on real servers: steady requests, route changes, a killed worker."""

import asyncio
import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import SecretStr

from judgestream.adapters.kafka.rollouts import RETRY_S
from judgestream.adapters.kafka.topics import admin, apply
from judgestream.adapters.redis.worker_board import WorkerBoard
from judgestream.adapters.triton.control import TritonControl
from judgestream.contracts.codecs.rollouts import rollout_to_message
from judgestream.contracts.topics import DEAD_LETTERS, PROBES, REQUESTS, ROLLOUTS, SHADOW
from judgestream.core.rollout.route import Route
from judgestream.core.rollout.state import Placed, Rollout, Stage, Step
from judgestream.settings import Redis
from judgestream.v1.judging_pb2 import Verdict
from tests.integration.cluster import INSTANT, Cluster, Servers, pairs, wait
from tests.integration.in_thread import InThread

pytestmark = pytest.mark.integration

A, B = INSTANT, "instant-b"
RATE = 60
"""Requests per second."""
TAKEN_S = 2.0
"""A route change reaches all workers within this time."""


@pytest.fixture
def cluster(tmp_path: Path, servers: Servers) -> Iterator[Cluster]:
    """The shared servers with a second release, whose replies end in a line `B`."""
    repository = servers.triton.model_repository
    shutil.copytree(repository / A, repository / B)
    for name, old, new in (
        ("1/model.py", "for score in scores).encode()", 'for score in scores).encode() + b"\\nB"'),
        ("config.pbtxt", "1757a470", "bbbbbbbb"),
    ):
        text = (repository / B / name).read_text()
        assert old in text
        (repository / B / name).write_text(text.replace(old, new))
    try:
        with servers.cluster(tmp_path) as cluster:
            asyncio.run(control(cluster, load=True))
            yield cluster
            cluster.stop_workers()
            asyncio.run(control(cluster, load=False))
    finally:
        shutil.rmtree(repository / B)


async def control(cluster: Cluster, *, load: bool) -> None:
    async with TritonControl(cluster.triton.grpc_url, SecretStr("")) as triton:
        await (triton.load(B) if load else triton.unload(B))


def rollout(revision: int, stable: str, *, canary: float = 0.0, shadow: float = 0.0) -> Rollout:
    """A state with one stable release, and the other one as its candidate."""
    now = datetime.now(UTC)
    other = B if stable == A else A
    stage = Stage.CANARY if canary else Stage.SHADOW if shadow else Stage.RETIRED
    placed = (
        Placed(release=stable, stage=Stage.STABLE, step=Step.READY, since=now),
        Placed(
            release=other,
            stage=stage,
            step=Step.READY,
            since=now,
            share=canary or shadow,
            shadow=shadow,
        ),
    )
    return Rollout(revision=revision, releases={one.release: one for one in placed})


@dataclass
class Phase:
    """A route, from its publication until all workers have taken it, until the next is published."""

    route: Route
    published: float
    taken: float = 0.0
    until: float = float("inf")


class Traffic(InThread):
    """Steady requests from a thread, with the time of each."""

    def __init__(self, cluster: Cluster) -> None:
        super().__init__()
        self._cluster = cluster
        self.sent: dict[str, float] = {}

    def work(self) -> None:
        producer = self._cluster.producer()
        began = time.monotonic()
        for k, one in enumerate(pairs(100 * RATE, "route")):
            if self.stopped.wait(max(0.0, began + k / RATE - time.monotonic())):
                break
            self.sent[one.request_id] = time.time()
            producer.send(REQUESTS.name, one.SerializeToString(), one.request_id.encode())
        producer.flush()
        producer.close()


class Routes:
    """Publishes routes as the rollout service does, and waits until the workers have taken them."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self.phases: list[Phase] = []
        board = WorkerBoard.connect(Redis(url=SecretStr(cluster.valkey.url)))
        assert board is not None
        self._board = board

    def publish(self, stable: str, *, canary: float = 0.0, shadow: float = 0.0) -> None:
        state = rollout(len(self.phases) + 1, stable, canary=canary, shadow=shadow)
        message = rollout_to_message(
            state, epoch=1, instance="test", published_at=datetime.now(UTC)
        )
        now = time.time()
        if self.phases:
            self.phases[-1].until = now
        self.phases.append(Phase(route=Route.of(state), published=now))
        self.send(message.SerializeToString())

    def send(self, value: bytes, *, key: bytes = b"default") -> None:
        producer = self._cluster.producer()
        producer.send(ROLLOUTS.name, value, key).get(timeout=30)
        producer.close()

    def wait_taken(self, workers: int, *, seconds: float) -> None:
        """Wait until this many judging workers use the newest route, and note when they did."""
        phase = self.phases[-1]
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            taken = [
                entry
                for entry in self._board.workers()
                if entry.kind == "judging" and entry.route == phase.route.revision
            ]
            if len(taken) == workers:
                phase.taken = time.time()
                assert {entry.release for entry in taken} == {phase.route.stable}
                return
            time.sleep(0.05)
        raise AssertionError(f"route {phase.route.revision} is not taken: {self._board.workers()}")

    def possible(self, request_id: str, sent: float, judged: float) -> set[str]:
        """The releases that the routes in effect between these times give."""
        return {
            phase.route.release_for(request_id, {})
            for k, phase in enumerate(self.phases)
            if phase.published <= judged
            and (k + 1 == len(self.phases) or self.phases[k + 1].taken >= sent)
        }


def test_every_request_has_one_verdict_by_the_release_of_its_route(cluster: Cluster) -> None:
    routes = Routes(cluster)
    with closing(admin(cluster.settings)) as kafka:
        kafka.delete_topics([ROLLOUTS.name])
    with ThreadPoolExecutor(3) as pool:
        started = [
            pool.submit(cluster.work, kind, slot, triton__release=A, shadow__probe_share=0.2)
            for kind, slot in (("judging", 0), ("judging", 1), ("shadow", 0))
        ]
        for start in started:
            start.result()
    with closing(
        admin(cluster.settings)
    ) as kafka:  # an installation of an earlier version lacks it
        apply(kafka, cluster.settings)
    routes.publish(A, shadow=0.3)
    routes.wait_taken(2, seconds=TAKEN_S + RETRY_S)
    with Traffic(cluster) as traffic:
        time.sleep(2.0)
        routes.publish(A, canary=0.2, shadow=0.3)
        routes.wait_taken(2, seconds=TAKEN_S)
        for value, key in ((b"\xff", b"default"), (b"", b"default"), (b"{}", b"another")):
            routes.send(value, key=key)  # nothing of it counts
        time.sleep(2.0)
        cluster.kill("judging-0")
        time.sleep(0.5)
        routes.publish(B)
        cluster.work("judging", 0, triton__release=A)
        routes.wait_taken(2, seconds=TAKEN_S)
        time.sleep(2.0)
        routes.publish(A, shadow=0.3)
        routes.wait_taken(2, seconds=TAKEN_S)
        time.sleep(2.5)
    sent = traffic.sent
    verdicts = cluster.wait_verdicts(sent, seconds=30)
    assert len({one.verdict_id for one in verdicts}) == len(sent), "one verdict per request"
    assert {one.status for one in verdicts} == {Verdict.STATUS_SCORED}
    assert cluster.count(DEAD_LETTERS) == 0
    certain: dict[int, set[str]] = {}
    for one in verdicts:
        texts = [reading.text.endswith("\nB") for reading in one.passes]
        assert texts == [one.release == B] * 2, "both passes by the release that the verdict names"
        judged = one.judged_at.ToMicroseconds() / 1e6
        possible = routes.possible(one.request_id, sent[one.request_id], judged)
        assert one.release in possible, (one.request_id, possible)
        if len(possible) == 1:
            for phase in routes.phases:
                if phase.taken <= sent[one.request_id] and judged < phase.until:
                    certain.setdefault(phase.route.revision, set()).add(one.release)
    assert certain == {1: {A}, 2: {A, B}, 3: {B}, 4: {A}}
    check_shadow(cluster, routes, sent)
    probes = [Verdict.FromString(record.value) for _, record in cluster.records(PROBES)]
    assert probes and {one.release for one in probes} <= {A, B}
    assert all(one.request_id.startswith("probe-") for one in probes)


def check_shadow(cluster: Cluster, routes: Routes, sent: dict[str, float]) -> None:
    """The share of each phase is on the shadow topic, judged by B alone."""
    last = routes.phases[-1]
    expected = {
        one
        for one, time_sent in sent.items()
        if time_sent > last.taken + TAKEN_S / 2 and last.route.shadows_for(one, {})
    }
    assert len(expected) > 5

    def found() -> list[Verdict]:
        return [Verdict.FromString(record.value) for _, record in cluster.records(SHADOW)]

    wait(
        lambda: expected <= {one.request_id for one in found()},
        what=f"{len(expected)} shadow verdicts",
        seconds=20,
    )
    shadows = found()
    assert {one.release for one in shadows} == {B}
    assert len({one.verdict_id for one in shadows}) == len(shadows)
    drawn = Route.of(rollout(1, A, shadow=0.3))
    assert all(drawn.shadows_for(one.request_id, {}) for one in shadows)
