"""A share of the pairs in both orders, and all of them while Redis tells of an alarm on position bias."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

from judgestream.adapters.redis.batch import Batch
from judgestream.apps.judging.one_judge import OneJudge
from judgestream.apps.judging.one_release import OneRelease
from judgestream.apps.judging.request import RequestJudge
from judgestream.apps.judging.swap_rates import SwapRates
from judgestream.core.errors import StoreUnavailable
from judgestream.v1.judging_pb2 import Verdict
from tests.apps.judging.test_request import Bench, request


@dataclass
class FakeRedis:
    """Answers whether a release is doubted."""

    doubted: set[str] = field(default_factory=set)
    away: bool = False

    async def run(self, command: Callable[[Any], Any]) -> int:
        if self.away:
            raise StoreUnavailable("away")
        return int(command(self) in {f"p:bias:doubted:{name}" for name in self.doubted})

    def exists(self, key: str) -> str:
        return key


def rates(redis: FakeRedis | None, rate: float = 0.2) -> SwapRates:
    return SwapRates(rate, cast(Batch, cast(Any, redis)) if redis else None, prefix="p")


def test_all_pairs_until_redis_says_that_no_alarm_is_raised_and_again_when_one_is() -> None:
    redis = FakeRedis()
    made = rates(redis)
    assert made("judge") == 1.0
    asyncio.run(made.look())
    assert made("judge") == 0.2
    redis.doubted.add("judge")
    asyncio.run(made.look())
    assert (made("judge"), made("another")) == (1.0, 1.0)
    redis.away = True
    redis.doubted.clear()
    asyncio.run(made.look())
    assert made("judge") == 1.0, "the last answer holds"
    redis.away = False
    asyncio.run(made.look())
    assert (made("judge"), made("another")) == (0.2, 0.2)


def test_without_redis_the_setting_holds_and_one_means_every_pair() -> None:
    assert rates(None)("judge") == 0.2
    assert rates(FakeRedis(), rate=1.0)("judge") == 1.0


def judged(number: int, rate: float) -> list[Verdict]:
    bench = Bench()
    bench.requests = RequestJudge(
        judges=OneJudge(OneRelease(bench.judge, bench.settings, swap_rate=lambda _: rate)),
        publisher=bench.topics,
        published=bench.published,
        settings=bench.settings,
        images=cast(Any, None),
    )
    for k in range(number):
        bench.handle(request(request_id=f"r{k}"))
    assert not bench.topics.letters()
    return bench.topics.verdicts()


def test_a_verdict_states_the_probability_of_both_orders() -> None:
    verdicts = judged(60, 0.5)
    names = [tuple(one.name for one in verdict.passes) for verdict in verdicts]
    assert set(names) == {("straight", "swapped"), ("straight",), ("swapped",)}
    assert {verdict.both_orders_probability for verdict in verdicts} == {0.5}
    for verdict in verdicts:
        assert verdict.HasField("flipped") == (len(verdict.passes) == 2)
        # the judge always prefers what it sees first
        alone = {"straight": 1.0, "swapped": 0.0}
        if len(verdict.passes) == 1:
            assert verdict.p_win == alone[verdict.passes[0].name]


def test_without_sampling_no_probability_is_stated() -> None:
    assert not any(one.HasField("both_orders_probability") for one in judged(5, 1.0))
