"""Requests under changing routes, with judges in memory. Real servers: tests/integration/test_routing.py."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import pytest

from judgestream.adapters.images.fetching import ImageFetcher
from judgestream.adapters.redis.worker_board import WorkerState
from judgestream.apps.judging import opened, routed
from judgestream.apps.judging.one_release import OneRelease, RequestsJudge
from judgestream.apps.judging.release_health import HealthStatus
from judgestream.apps.judging.request import RequestJudge
from judgestream.apps.judging.routed import RoutedJudges
from judgestream.apps.worker import metrics
from judgestream.apps.worker.status import WorkerStatus
from judgestream.contracts.records import Record
from judgestream.core.errors import JudgestreamError, JudgeUnavailable, KeyRefused, ReleaseNotLoaded
from judgestream.core.passes import Pass
from judgestream.core.rollout.route import Arm, Route
from judgestream.core.types import Release, Reply
from judgestream.settings import Images, Judging
from judgestream.v1.judging_pb2 import Verdict
from tests.apps.judging.test_request import NOON, FakePublished, FakeTopics, request

A = Route(revision=1, stable="A")
B = Route(revision=2, stable="B")
SETTINGS = Judging(backoff_s=0.01, max_backoff_s=0.02)


def release(name: str) -> Release:
    return Release(
        name=name, checkpoint_digest=name, template_id="judgelm-v1", max_input_tokens=2048
    )


@dataclass
class Server:
    """Judges by their release's name, as on one Triton.

    loaded    releases that can be opened
    errors    release -> what its judge raises
    slow      release -> seconds that opening takes
    open      releases that are open now
    answers   releases in the order of their answered calls
    """

    loaded: set[str] = field(default_factory=lambda: {"A", "B"})
    errors: dict[str, JudgestreamError] = field(default_factory=dict)
    slow: dict[str, float] = field(default_factory=dict)
    open: set[str] = field(default_factory=set)
    answers: list[str] = field(default_factory=list)
    answering_s: float = 0.0

    @asynccontextmanager
    async def opens(self, name: str, status: HealthStatus) -> AsyncIterator[RequestsJudge]:
        await asyncio.sleep(self.slow.get(name, 0.0))
        if name not in self.loaded:
            raise ReleaseNotLoaded(f"{name} is not loaded")
        self.open.add(name)
        yield OneRelease(Judge(self, release(name)), SETTINGS, status)
        self.open.discard(name)


@dataclass
class Judge:
    server: Server
    release: Release

    async def ask(self, passes: Sequence[Pass]) -> list[Reply]:
        name = self.release.name
        await asyncio.sleep(self.server.answering_s)
        if name in self.server.errors:
            raise self.server.errors[name]
        if name not in self.server.loaded:
            raise ReleaseNotLoaded(f"{name} is not loaded")
        self.server.answers.append(name)
        return [Reply(text=f"8 3\n{name}") for _ in passes]


class Worker:
    """A worker that follows routes. Use it as a context: it follows in the background."""

    def __init__(
        self, server: Server, route: Route, *, published: FakePublished | None = None
    ) -> None:
        self.server = server
        self.topics = FakeTopics()
        self.status = WorkerStatus(kind="judging", slot=0)
        self.judges = RoutedJudges(server.opens, default="A", status=self.status, most_s=2.0)
        self.judges.take(route)
        self.requests = RequestJudge(
            judges=self.judges,
            publisher=self.topics,
            published=published or FakePublished(),
            settings=SETTINGS,
            images=ImageFetcher(Images()),
        )

    async def __aenter__(self) -> "Worker":
        await self.judges.start()
        self.following = asyncio.create_task(self.judges.follow())
        return self

    async def __aexit__(self, *_: object) -> None:
        self.following.cancel()
        await self.judges.close()

    async def handle(self, offset: int, request_id: str = "r1") -> None:
        record = Record(
            topic="judge.requests.v1",
            partition=0,
            offset=offset,
            time=NOON,
            key=request_id.encode(),
            value=request(request_id=request_id),
        )
        await self.requests.handle(record, asyncio.sleep)

    async def takes(self, route: Route) -> None:
        """Publish a route and wait until it is in effect."""
        self.judges.take(route)
        await until(lambda: self.judges.route == route)

    @property
    def releases(self) -> list[str]:
        return [one.release for one in self.topics.verdicts()]


async def until(condition: object) -> None:
    for _ in range(300):
        if condition():  # type: ignore[operator]
            return
        await asyncio.sleep(0.01)
    raise AssertionError("nothing happened within 3 s")


async def test_requests_go_to_the_release_that_the_route_gives() -> None:
    async with Worker(Server(), Route()) as worker:
        await worker.handle(1, "before")
        assert worker.releases == ["A"], "without a route the default answers"
        await worker.takes(replace(A, canaries=(Arm(release="B", share=0.5),)))
        ids = [f"r{k}" for k in range(40)]
        for k, one in enumerate(ids):
            await worker.handle(10 + k, one)
        expected = [worker.judges.route.release_for(one, {}) for one in ids]
        assert worker.releases[1:] == expected and set(expected) == {"A", "B"}
        entry = worker.status.entry()
        assert (entry.route, entry.release) == (1, "A")
        await worker.takes(B)
        await worker.handle(99, "after")
        assert worker.releases[-1] == "B"
        counts = metrics.routed.labels("B", "stable")._value.get()
        assert counts >= 1


async def test_a_route_takes_effect_when_its_release_is_open() -> None:
    server = Server(slow={"B": 0.8})
    async with Worker(server, A) as worker:
        worker.judges.take(B)
        await asyncio.sleep(0.05)
        await worker.handle(1, "meanwhile")
        assert worker.releases == ["A"]
        await until(lambda: worker.judges.route == B)
        assert "B" in server.open


async def test_requests_wait_for_a_release_that_is_not_loaded_and_the_status_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(routed, "OPEN_S", 0.05)
    server = Server(loaded={"A"})
    async with Worker(server, A) as worker:
        await worker.takes(B)
        waiting = asyncio.create_task(worker.handle(1))
        await asyncio.sleep(0.1)
        assert not waiting.done()
        entry = worker.status.entry()
        assert (entry.state, entry.reason) == (
            WorkerState.PAUSED,
            "release_not_loaded: B is not loaded",
        )
        server.loaded.add("B")
        await waiting
        assert worker.releases == ["B"] and worker.status.entry().state is WorkerState.WORKING


@pytest.mark.parametrize(
    "error", [JudgeUnavailable("away"), KeyRefused("401")], ids=["away", "401"]
)
async def test_a_waiting_request_moves_when_its_release_leaves_the_route(
    error: JudgestreamError, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(routed, "WAIT_S", 0.02)
    server = Server(errors={"A": error})
    published = FakePublished()
    async with Worker(server, A, published=published) as worker:
        waiting = asyncio.create_task(worker.handle(1))
        await asyncio.sleep(0.1)
        assert not waiting.done()
        await worker.takes(B)
        await asyncio.wait_for(waiting, 2.0)
        assert worker.releases == ["B"]
        (verdict,) = worker.topics.verdicts()
        assert verdict.attempts == 1, "the tries at A are none of B's"
        await worker.handle(1)
        assert worker.releases == ["B"], "a redelivery is suppressed"


async def test_a_call_in_flight_is_finished_by_its_release_which_stays_open_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(opened, "LINGER_S", 0.0)
    monkeypatch.setattr(routed, "SWEEP_S", 0.02)
    server = Server(answering_s=0.8)
    async with Worker(server, A) as worker:
        waiting = asyncio.create_task(worker.handle(1))
        await asyncio.sleep(0.05)
        await worker.takes(B)
        await asyncio.sleep(0.1)
        assert server.open == {"A", "B"}
        await waiting
        assert worker.releases == ["A"]
        await until(lambda: server.open == {"B"})


async def test_a_redelivered_record_is_judged_by_the_release_it_was_assigned_to() -> None:
    server, published = Server(), FakePublished()
    async with Worker(server, A, published=published) as first:
        first.topics.publish = killed  # type: ignore[method-assign]
        with pytest.raises(Killed):
            await first.handle(1)
    async with Worker(server, B, published=published) as second:
        await second.handle(1)
        assert second.releases == ["A"], "its first verdict may be on the topic"
        await second.handle(2)
        assert second.releases == ["A", "B"], "a resend takes the route"
        await second.handle(3)
        assert second.releases == ["A", "B"], "B has scored it"


@pytest.mark.parametrize("gone", ["not loaded", "paused"])
async def test_a_redelivered_record_takes_the_route_if_its_release_cannot_be_reached(
    gone: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(routed, "WAIT_S", 0.02)
    server, published = Server(), FakePublished()
    async with Worker(server, A, published=published) as first:
        first.topics.publish = killed  # type: ignore[method-assign]
        with pytest.raises(Killed):
            await first.handle(1)
    if gone == "paused":
        server.errors["A"] = KeyRefused("401")
    else:
        server.loaded.discard("A")
    async with Worker(server, B, published=published) as second:
        await asyncio.wait_for(second.handle(1), 2.0)
        assert second.releases == ["B"]


async def test_a_record_that_cannot_be_read_is_answered_in_the_name_of_the_stable_release() -> None:
    async with Worker(Server(), B) as worker:
        record = Record(
            topic="t", partition=0, offset=1, time=NOON, key=b"k", value=b"\xff", headers=()
        )
        await worker.requests.handle(record, asyncio.sleep)
        (verdict,) = worker.topics.verdicts()
        assert (verdict.release, verdict.status) == ("B", Verdict.STATUS_FAILED)


class Killed(BaseException):
    """SIGKILL, between the delivery of a verdict and its note."""


async def killed(*_: object, **__: object) -> None:
    raise Killed
