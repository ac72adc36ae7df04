"""A judge with prices and a budget: what is counted, when it pauses, and when it resumes."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from judgestream.apps.judging.asking import Asking, Tries
from judgestream.apps.judging.priced import PricedJudge
from judgestream.apps.worker import metrics
from judgestream.core.costs import Budget, Prices, Spent, Terms
from judgestream.core.errors import BudgetSpent, StoreUnavailable
from judgestream.core.passes import Pass
from judgestream.core.templates import JUDGELM
from judgestream.core.transforms import STRAIGHT
from judgestream.core.types import Release, Reply
from judgestream.settings import Judging

PRICES = Prices(per_million_in=1.0, per_million_out=2.0)


@dataclass
class FakeJudge:
    """Each reply takes 1,000 tokens in and 500 out: $0.002 at `PRICES`."""

    terms: Terms = field(default_factory=Terms)
    next_terms: Terms | None = None
    asked: int = 0
    release: Release = field(
        default_factory=lambda: Release(
            name="openai-0", checkpoint_digest="00", template_id=JUDGELM.id, max_input_tokens=9
        )
    )

    async def verify(self) -> None:
        self.terms = self.next_terms or self.terms

    async def ask(self, passes: Sequence[Pass]) -> list[Reply]:
        self.asked += 1
        prices = self.terms.prices
        cost = prices.cost(1_000, 500) if prices.stated else None
        return [Reply(text="8 3", input_tokens=1_000, output_tokens=500, cost=cost)] * len(passes)


@dataclass
class FakeLedger:
    amount: float = 0.0
    today: float | None = None
    away: bool = False

    async def spent(self, release: str) -> Spent:
        if self.away:
            raise StoreUnavailable("Redis does not answer")
        return Spent(today=self.amount if self.today is None else self.today, total=self.amount)

    async def add(self, release: str, cost: float) -> Spent:
        self.amount += cost
        return Spent(today=self.amount, total=self.amount)

    def known(self, release: str) -> Spent | None:
        return Spent(today=self.amount, total=self.amount)


def passes() -> tuple[Pass, ...]:
    return (
        Pass(transform=STRAIGHT, prompt="a request", grammar=JUDGELM.forms["pair"].grammar),
    ) * 2


def test_replies_are_counted_and_the_budget_is_checked_before_each_call() -> None:
    judge = FakeJudge(terms=Terms(prices=PRICES, budget=Budget(total=0.006)))
    ledger = FakeLedger()
    priced = PricedJudge(judge, ledger)
    before = metrics.cost._value.get()

    async def run() -> None:
        await priced.ask(passes())  # .004
        await priced.ask(passes())  # .008: the call is finished, though it ends above the budget
        with pytest.raises(BudgetSpent, match=r"\$0.008 of \$0.006 in total"):
            await priced.ask(passes())

    asyncio.run(run())
    assert judge.asked == 2 and ledger.amount == pytest.approx(0.008)
    assert metrics.cost._value.get() - before == pytest.approx(0.008)
    assert metrics.spent.labels("openai-0", "total")._value.get() == pytest.approx(0.008)


def test_without_prices_nothing_is_counted_and_without_a_budget_redis_is_not_needed() -> None:
    free = FakeLedger(away=True)
    asyncio.run(PricedJudge(FakeJudge(), free).ask(passes()))
    assert free.amount == 0
    asyncio.run(PricedJudge(FakeJudge(terms=Terms(prices=PRICES)), free).ask(passes()))
    assert free.amount == pytest.approx(0.004)


def test_an_unknown_amount_asks_nothing_and_is_retried() -> None:
    judge = FakeJudge(terms=Terms(prices=PRICES, budget=Budget(total=1)))
    with pytest.raises(StoreUnavailable):
        asyncio.run(PricedJudge(judge, FakeLedger(away=True)).ask(passes()))
    assert judge.asked == 0


@pytest.mark.parametrize("how", ["raised", "the day turns"])
def test_a_spent_budget_holds_requests_until_it_is_raised_or_the_day_turns(how: str) -> None:
    judge = FakeJudge(terms=Terms(prices=PRICES, budget=Budget(per_day=0.003)))
    ledger = FakeLedger(amount=0.003)
    asking = Asking(PricedJudge(judge, ledger), Judging())
    now = [0.0]
    asking.health.clock = lambda: now[0]
    paused: list[str] = []

    async def pause(seconds: float) -> None:
        paused.append("paused" if asking.health.paused else "")
        now[0] += seconds
        if len(paused) == 40:
            assert judge.asked == 0, "a probe of a spent budget costs nothing"
            if how == "raised":
                judge.next_terms = Terms(prices=PRICES, budget=Budget(per_day=1.0))
            else:
                ledger.today = 0.0

    tries = Tries()
    replies = asyncio.run(asking.ask(passes(), tries, pause))
    assert len(replies) == 2 and 40 <= len(paused) <= 52
    assert set(paused) == {"paused"}
    assert metrics.release_paused.labels("budget_spent")._value.get() == 0
    assert tries.held_s > 0, "waiting for a budget is not age"
