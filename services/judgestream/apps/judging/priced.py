"""A judge that costs money: its budget is checked before each call, and its costs are counted after it.

Calls that are in flight when the budget is reached are finished and paid, so at most that much is spent
beyond it.
"""

from collections.abc import Sequence
from typing import Protocol

from judgestream.apps.judging.asking import Judge
from judgestream.apps.worker import metrics
from judgestream.core.costs import Spent, Terms, total_cost
from judgestream.core.errors import BudgetSpent
from judgestream.core.passes import Pass
from judgestream.core.types import Release, Reply


class TermsJudge(Judge, Protocol):
    """A judge whose release states prices and a budget.

    terms   as of the latest `verify`
    """

    terms: Terms

    async def verify(self) -> None: ...


class Ledger(Protocol):
    """What all workers spend on each release, in dollars."""

    async def spent(self, release: str) -> Spent: ...

    async def add(self, release: str, cost: float) -> Spent: ...

    def known(self, release: str) -> Spent | None: ...


class PricedJudge:
    """Asks within the budget."""

    def __init__(self, judge: TermsJudge, ledger: Ledger) -> None:
        self.release: Release = judge.release
        self._judge = judge
        self._ledger = ledger

    async def ask(self, passes: Sequence[Pass]) -> list[Reply]:
        """As the judge does.

        Raises:
            BudgetSpent: nothing was asked.
            StoreUnavailable: there is a budget, but what is spent of it is unknown.
        """
        await self._judge.verify()
        budget, name = self._judge.terms.budget, self.release.name
        if budget.set:
            spent = await self._ledger.spent(name)
            self._show(spent)
            if reached := budget.exhausted(spent):
                raise BudgetSpent(f"release {name} has spent its budget: {reached}")
        replies = await self._judge.ask(passes)
        if cost := total_cost([reply.cost for reply in replies]):
            metrics.cost.inc(cost)
            self._show(await self._ledger.add(name, cost))
        return replies

    def _show(self, spent: Spent) -> None:
        metrics.spent.labels(self.release.name, "today").set(spent.today)
        metrics.spent.labels(self.release.name, "total").set(spent.total)
