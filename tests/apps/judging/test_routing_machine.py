"""A state machine of routing: deliveries, kills, changes of the route and resends, in any order.

At most one release has a scored verdict of a request, unless the request was sent again; and every request
has one.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from judgestream.adapters.images.fetching import ImageFetcher
from judgestream.apps.judging.request import RequestJudge
from judgestream.apps.judging.routed import RoutedJudges
from judgestream.apps.worker.status import WorkerStatus
from judgestream.contracts.events import Header
from judgestream.contracts.records import Record
from judgestream.core.errors import JudgeUnavailable
from judgestream.core.rollout.route import Arm, Route
from judgestream.settings import Images
from judgestream.v1.judging_pb2 import Verdict
from tests.apps.judging.test_request import NOON, FakePublished, request
from tests.apps.judging.test_routed import SETTINGS, Killed, Server

RELEASES = ("A", "B", "C")
REQUESTS = tuple(f"r{k}" for k in range(3))


class RoutingMachine(RuleBasedStateMachine):
    @initialize()
    def start(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.server = Server(loaded=set(RELEASES))
        self.published = FakePublished()
        self.revision = 0
        self.route = Route()
        self.sent: defaultdict[str, int] = defaultdict(int)
        self.uncommitted: list[tuple[int, str]] = []
        self.scored: defaultdict[str, list[str]] = defaultdict(list)
        self.kill_after, self.stable_after = 0, "A"
        self.offset = 0
        self.worker = self.new_worker()

    def teardown(self) -> None:
        self.loop.run_until_complete(self.judges.close())
        self.loop.close()

    def new_worker(self) -> RequestJudge:
        """A worker without the memory of the one before."""
        self.judges = RoutedJudges(
            self.server.opens,
            default="A",
            status=WorkerStatus(kind="judging", slot=0),
            most_s=60.0,
        )
        self.judges.take(self.route)
        self.loop.run_until_complete(self.judges.start())
        return RequestJudge(
            judges=self.judges,
            publisher=self,
            published=self.published,
            settings=SETTINGS,
            images=ImageFetcher(Images()),
        )

    async def publish(
        self, topic: str, *, key: bytes | None, value: bytes, headers: Sequence[Header]
    ) -> None:
        assert topic == "judge.verdicts.v1"
        verdict = Verdict.FromString(value)
        assert verdict.status == Verdict.STATUS_SCORED
        assert [one.text for one in verdict.passes] == [f"8 3\n{verdict.release}"] * 2
        self.scored[verdict.request_id].append(verdict.release)
        self.kill_after -= 1
        if self.kill_after == 0:
            raise Killed

    @rule(stable=st.sampled_from(RELEASES), canary=st.sampled_from(RELEASES), share=st.floats(0, 1))
    def route_changes(self, stable: str, canary: str, share: float) -> None:
        self.change(stable, canary, share)
        self.loop.run_until_complete(self.judges._put_into_effect())

    def change(self, stable: str, canary: str, share: float) -> None:
        self.revision += 1
        arms = (Arm(release=canary, share=share),) if canary != stable else ()
        self.route = Route(revision=self.revision, stable=stable, canaries=arms)
        self.judges.take(self.route)

    @rule(request_id=st.sampled_from(REQUESTS))
    def sends(self, request_id: str) -> None:
        """A new request, or a resend of an earlier one."""
        self.offset += 1
        self.sent[request_id] += 1
        self.uncommitted.append((self.offset, request_id))
        self.deliver(self.offset, request_id)

    @rule(data=st.data())
    def delivers_again(self, data: st.DataObject) -> None:
        if self.uncommitted:
            self.deliver(*data.draw(st.sampled_from(self.uncommitted)))

    @rule()
    def commits(self) -> None:
        self.uncommitted.clear()

    @rule(after=st.integers(1, 2), stable=st.sampled_from(RELEASES))
    def will_be_killed(self, after: int, stable: str) -> None:
        """SIGKILL when the next verdict, or the one after it, is on the topic and nobody has noted it.
        The route changes before the worker is started again."""
        self.kill_after, self.stable_after = after, stable

    @rule()
    def restarts(self) -> None:
        self.loop.run_until_complete(self.judges.close())
        self.worker = self.new_worker()

    @rule(
        request_id=st.sampled_from(REQUESTS),
        away=st.sampled_from(RELEASES),
        stable=st.sampled_from(RELEASES),
    )
    def leaves_while_it_waits(self, request_id: str, away: str, stable: str) -> None:
        """A release does not answer, until a new route takes its requests."""
        self.offset += 1
        self.sent[request_id] += 1
        self.uncommitted.append((self.offset, request_id))
        self.server.errors[away] = JudgeUnavailable("away")
        pauses = 0

        async def pause(_: float) -> None:
            nonlocal pauses
            pauses += 1
            await asyncio.sleep(0)
            if pauses == 3:
                self.change(stable, stable, 0.0)
                await self.judges._put_into_effect()
            if pauses == 6:
                self.server.errors.clear()

        self.deliver(self.offset, request_id, pause)
        self.server.errors.clear()

    def deliver(self, offset: int, request_id: str, pause: Any = asyncio.sleep) -> None:
        record = Record(
            topic="judge.requests.v1",
            partition=0,
            offset=offset,
            time=NOON,
            key=request_id.encode(),
            value=request(request_id=request_id),
        )
        try:
            self.loop.run_until_complete(
                asyncio.wait_for(self.worker.handle(record, pause), timeout=10)
            )
        except Killed:
            self.server.errors.clear()
            self.change(self.stable_after, self.stable_after, 0.0)
            self.restarts()
            # the group delivers everything again that was not committed, in order
            for place, one in list(self.uncommitted):
                self.deliver(place, one)

    @invariant()
    def one_release_per_request(self) -> None:
        for request_id, releases in self.scored.items():
            assert len(set(releases)) <= self.sent[request_id], (request_id, releases)
        assert all(self.scored[request_id] for request_id, count in self.sent.items() if count)


class TestRouting(RoutingMachine.TestCase):  # type: ignore[misc,valid-type]
    @classmethod
    def setUpClass(cls) -> None:
        logging.disable(logging.ERROR)

    @classmethod
    def tearDownClass(cls) -> None:
        logging.disable(logging.NOTSET)


TestRouting.settings = settings(
    max_examples=max(60, settings().max_examples // 5), stateful_step_count=12, deadline=None
)
