"""The state as the topic has it, and what an instance does when its writes do not count."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from queue import Empty, Queue
from unittest.mock import AsyncMock

import pytest
from pydantic import SecretStr

from judgestream.adapters.kafka.rollout_topic import Published
from judgestream.apps.rollout.api import MOST_AVAILABLE, RolloutApi
from judgestream.apps.rollout.checkpoints import Announced, announced
from judgestream.apps.rollout.desk import Desk
from judgestream.apps.rollout.log import RolloutLog, TermEnded
from judgestream.contracts.codecs.rollouts import LARGEST, Fence, rollout_from_message
from judgestream.contracts.events import Header
from judgestream.core.errors import BrokerUnavailable, ConfigurationError, UndecodableRecord
from judgestream.core.rollout.state import Action, Evidence, Rollout
from judgestream.evaluation.gate import Policy
from judgestream.v1 import rollout_pb2 as pb
from tests.core.rollout.build import NOON, move


@dataclass
class Topic:
    """A topic in memory, for several readers and writers."""

    records: list[bytes] = field(default_factory=list)
    loses: bool = False
    refuses: bool = False

    async def publish(
        self, topic: str, *, key: bytes | None, value: bytes, headers: list[Header]
    ) -> None:
        if self.refuses:
            self.records.append(value)  # stored all the same
            raise BrokerUnavailable("not confirmed")
        if not self.loses:
            self.records.append(value)


class Reader:
    def __init__(self, topic: Topic) -> None:
        self._topic = topic
        self._at = 0
        self._wake: Queue[None] = Queue()
        self.rollout, self.fence = Rollout(), Fence()

    def poll(self, timeout_s: float) -> list[Published]:
        if self._at == len(self._topic.records):
            try:
                self._wake.get(timeout=0.01)
            except Empty:
                pass
        published = []
        for value in self._topic.records[self._at :]:
            self._at += 1
            message = pb.Rollout.FromString(value)
            counts = self.fence.admits(message)
            if counts:
                self.fence = self.fence.after(message)
                self.rollout = rollout_from_message(message)
            published.append(Published(message=message, rollout=self.rollout if counts else None))
        return published

    def end(self) -> dict[int, int]:
        return {0: len(self._topic.records)}

    def reached(self, offsets: dict[int, int]) -> bool:
        return self._at >= offsets[0]

    def read_to_end(self, *, timeout_s: float) -> None:
        self.poll(0)

    def close(self) -> None:
        pass


@asynccontextmanager
async def started(topic: Topic, instance: str) -> AsyncIterator[RolloutLog]:
    log = RolloutLog(
        lambda: Reader(topic),  # type: ignore[arg-type, return-value]
        topic,
        instance=instance,
        now=lambda: datetime(2026, 1, 1, tzinfo=UTC),
    )
    try:
        await log.start()
        yield log
    finally:
        await log.stop()


def test_the_newer_writer_counts_and_the_older_one_learns_of_it() -> None:
    async def test() -> None:
        topic = Topic()
        async with started(topic, "one") as one:
            await one.begin_term(prepare=lambda state: replace(state, next_checkpoint=7))
            await Desk(one).move(move(Action.STAGE, "a"))
            async with started(topic, "two") as two:
                await two.begin_term(prepare=lambda state: state)
                assert (two.epoch, two.state.revision, two.state.next_checkpoint) == (2, 1, 7)
                one.epoch = 1  # it has not noticed
                with pytest.raises(TermEnded):
                    await one.append(replace(one.state, revision=99))
                await Desk(two).move(move(Action.RETIRE, "a"))
                assert two.state.revision == 2 and one.epoch == 0
                with pytest.raises(TermEnded, match="does not write"):
                    await Desk(one).move(move(Action.STAGE, "b"))

    asyncio.run(test())


def test_an_unconfirmed_write_ends_the_term_and_the_next_one_begins_on_what_was_stored() -> None:
    async def test() -> None:
        topic = Topic()
        async with started(topic, "one") as one:
            await one.begin_term(prepare=lambda state: state)
            topic.refuses = True
            with pytest.raises(BrokerUnavailable):
                await Desk(one).move(move(Action.STAGE, "a"))
            assert one.epoch == 0
            topic.refuses = False
            await one.begin_term(prepare=lambda state: state)
            assert one.epoch == 2 and "a" in one.state.releases

    asyncio.run(test())


def test_a_caller_that_goes_away_does_not_end_the_term() -> None:
    async def test() -> None:
        async with started(Topic(), "one") as one:
            await one.begin_term(prepare=lambda state: state)
            desk = Desk(one)
            calling = asyncio.create_task(desk.move(move(Action.STAGE, "a")))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            calling.cancel()
            await asyncio.gather(calling, return_exceptions=True)
            await desk.measured("a", Evidence(decision="better", measured_at=NOON))
            assert one.epoch == 1 and one.state.releases["a"].evidence is not None
            assert one.state.revision == 1

    asyncio.run(test())


def test_an_epoch_that_nobody_can_follow_is_reported_and_changes_nothing() -> None:
    async def test() -> None:
        largest = pb.Rollout(epoch=LARGEST, instance="x")
        beyond = pb.Rollout(epoch=LARGEST + 1, instance="y", revision=5)
        topic = Topic([beyond.SerializeToString(), largest.SerializeToString()])
        async with started(topic, "one") as one:
            assert one.state.revision == 0
            with pytest.raises(ConfigurationError, match="largest epoch.*topics apply"):
                await one.begin_term(prepare=lambda state: state)

    asyncio.run(test())


def test_the_api_shows_the_newest_checkpoints_and_locations_without_their_secrets() -> None:
    async def test() -> None:
        secret = "https://me:hidden@store/checkpoint"
        async with started(Topic(), "one") as one:
            await one.begin_term(prepare=lambda state: state)
            await Desk(one).move(move(Action.STAGE, "a", location=secret))
            available = [
                Announced(
                    release=f"b-{k:08}",
                    offset=k,
                    message=pb.Checkpoint(name=f"b-{k:08}", location=secret),
                )
                for k in range(MOST_AVAILABLE + 20)
            ]
            api = RolloutApi(
                one,
                Desk(one),
                Policy(),
                AsyncMock(),
                not_leading=lambda: "",
                progress=lambda: {},
                available=lambda: available,
                unload=lambda release, by: None,
                key=SecretStr(""),
            )
            shown = await api.Get(pb.GetRequest(), None)
            assert shown.releases[0].location == "https://me:***@store/checkpoint"
            assert shown.available[0].location == "https://me:***@store/checkpoint"
            assert shown.available[0].name == available[-1].release
            assert len(shown.available) == MOST_AVAILABLE
            assert one.state.releases["a"].location == available[0].message.location == secret

    asyncio.run(test())


@pytest.mark.parametrize(
    "message",
    [
        pytest.param(UndecodableRecord("no protobuf"), id="not a record"),
        pytest.param(pb.Checkpoint(digest="x", family="judgelm", location="/a"), id="digest"),
        pytest.param(
            pb.Checkpoint(digest="a" * 64, family="../etc", location="/a"), id="a path as family"
        ),
        pytest.param(pb.Checkpoint(digest="a" * 64, family="judgelm"), id="no location"),
        pytest.param(
            pb.Checkpoint(digest="a" * 64, family="judgelm", location="/a", name="x" * 20_000),
            id="a huge name",
        ),
    ],
)
def test_a_checkpoint_that_cannot_be_installed_is_left_out(
    message: pb.Checkpoint | UndecodableRecord,
) -> None:
    assert announced(message, 3) is None
