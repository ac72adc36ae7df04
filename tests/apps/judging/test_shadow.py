"""Shadow judgements with judges in memory. With real servers: tests/integration/test_routing.py."""

import asyncio

import pytest

from judgestream.adapters.images.fetching import ImageFetcher
from judgestream.apps.judging.routed import FollowedJudges
from judgestream.apps.judging.shadow import ShadowJudge, wanted
from judgestream.apps.worker.status import WorkerStatus
from judgestream.contracts.records import Record
from judgestream.core.errors import JudgeUnavailable, RejectedByJudge
from judgestream.core.identity import verdict_id
from judgestream.core.known_answers import NAME_KEY
from judgestream.core.rollout.route import Arm, Route
from judgestream.settings import Images
from judgestream.v1.judging_pb2 import Candidate, Verdict
from tests.apps.judging.test_request import NOON, FakePublished, FakeTopics, request
from tests.apps.judging.test_routed import SETTINGS, Server, until

IN_SHADOW = Route(revision=1, stable="A", shadows=(Arm(release="B", share=0.5),))
ALL_IN_SHADOW = Route(revision=2, stable="A", shadows=(Arm(release="B", share=1.0),))


class Worker:
    """A shadow worker that has taken one route."""

    def __init__(self, route: Route, *, probe_share: float = 0.0) -> None:
        self.server, self.topics = Server(), FakeTopics()
        self.published = FakePublished()
        self.judges = FollowedJudges(
            self.server.opens,
            wanted=wanted("A", probe_share),
            status=WorkerStatus(kind="shadow", slot=0),
            most_s=2.0,
        )
        self.judges.take(route)
        self.shadow = ShadowJudge(
            judges=self.judges,
            publisher=self.topics,
            published=self.published,
            settings=SETTINGS,
            images=ImageFetcher(Images()),
            default="A",
            probe_share=probe_share,
        )

    async def __aenter__(self) -> "Worker":
        await self.judges.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.judges.close()

    async def handle(self, request_id: str, *, offset: int = 1, value: bytes | None = None) -> None:
        record = Record(
            topic="judge.requests.v1",
            partition=0,
            offset=offset,
            time=NOON,
            key=request_id.encode(),
            value=value or request(request_id=request_id),
        )
        await self.shadow.handle(record, asyncio.sleep)

    def verdicts(self, topic: str = "judge.shadow.v1") -> list[Verdict]:
        assert {name for name, *_ in self.topics.records} <= {"judge.shadow.v1", "judge.probes.v1"}
        return [
            Verdict.FromString(value) for name, _, value, _ in self.topics.records if name == topic
        ]


async def test_the_share_of_a_release_in_shadow_is_judged_by_it_alone() -> None:
    async with Worker(IN_SHADOW) as worker:
        ids = [f"r{k}" for k in range(30)]
        for k, one in enumerate(ids):
            await worker.handle(one, offset=k)
        expected = {one for one in ids if IN_SHADOW.shadows_for(one, {})}
        assert 0 < len(expected) < len(ids)
        assert {verdict.request_id for verdict in worker.verdicts()} == expected
        for verdict in worker.verdicts():
            assert (verdict.release, verdict.status) == ("B", Verdict.STATUS_SCORED)
            assert verdict.verdict_id == verdict_id(
                verdict.request_id, "B", "pairwise", verdict.content_digest
            )
        assert set(worker.server.answers) == {"B"} and worker.server.open == {"B"}


async def test_a_redelivered_record_is_not_judged_in_shadow_again() -> None:
    async with Worker(ALL_IN_SHADOW) as worker:
        for _ in range(2):
            await worker.handle("r1")
        assert len(worker.verdicts()) == 1


async def test_a_refused_request_becomes_a_failed_shadow_verdict_and_no_dead_letter() -> None:
    async with Worker(ALL_IN_SHADOW) as worker:
        worker.server.errors["B"] = RejectedByJudge("no")
        await worker.handle("r1")
        (verdict,) = worker.verdicts()
        assert (verdict.status, verdict.release) == (Verdict.STATUS_FAILED, "B")
        assert verdict.error_class == "rejected_by_judge"


async def test_a_record_that_cannot_be_read_is_left_to_the_judging_workers() -> None:
    async with Worker(ALL_IN_SHADOW) as worker:
        await worker.handle("r1", value=b"\xff")
        await worker.handle("r1", value=request(mode="majority"))
        assert not worker.topics.records


async def test_a_request_that_waits_is_dropped_when_its_release_leaves_shadow(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("judgestream.apps.judging.routed.WAIT_S", 0.02)
    async with Worker(ALL_IN_SHADOW) as worker:
        worker.server.errors["B"] = JudgeUnavailable("away")
        waiting = asyncio.create_task(worker.handle("r1"))
        await asyncio.sleep(0.1)
        assert not waiting.done()
        worker.judges.take(Route(revision=3, stable="A"))
        await worker.judges.start()
        await until(waiting.done)
        assert not worker.topics.records and waiting.exception() is None


async def test_without_a_shadow_nothing_is_decoded_and_nothing_is_open() -> None:
    async with Worker(Route(revision=1, stable="A")) as worker:
        await worker.handle("r1", value=b"\xff")
        assert not worker.server.open and not worker.published.ids


@pytest.mark.parametrize(
    ("route", "judged_by"),
    [(Route(revision=1, stable="B"), {"B"}), (ALL_IN_SHADOW, {"A", "B"})],
    ids=["stable alone", "with a shadow"],
)
async def test_probes_are_judged_on_their_own_topic_by_all_that_are_compared(
    route: Route, judged_by: set[str]
) -> None:
    async with Worker(route, probe_share=1.0) as worker:
        answers = [
            Candidate(id="a", text="It is 4, because 2 and 2 are 4."),
            Candidate(id="b", text="5"),
        ]
        for k in range(5):
            await worker.handle(
                f"r{k}", offset=k, value=request(request_id=f"r{k}", candidates=answers)
            )
        probes = worker.verdicts("judge.probes.v1")
        assert {verdict.release for verdict in worker.verdicts()} == judged_by - {route.stable}
        by_release = {
            name: {one.request_id for one in probes if one.release == name} for name in judged_by
        }
        assert all(by_release.values()) and len(set(map(frozenset, by_release.values()))) == 1
        assert {verdict.release for verdict in probes} == judged_by
        assert all(verdict.metadata[NAME_KEY] for verdict in probes)
        assert all(verdict.request_id.startswith("probe-") for verdict in probes)
