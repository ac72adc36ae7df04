"""The spent shares of budgets as Prometheus metrics.

They are computed when somebody asks for the metrics: the share of the day is 0 after midnight, also of a
release that is not asked any more, and a release that is closed has none.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from prometheus_client import REGISTRY
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from judgestream.core.costs import Spent, Terms
from judgestream.core.types import Release


class HasTerms(Protocol):
    """A judge whose release states prices and a budget.

    terms   as of the latest call
    """

    @property
    def release(self) -> Release: ...

    @property
    def terms(self) -> Terms: ...


Known = Callable[[str], Spent | None]
"""What is known to be spent on a release, without a question to Redis."""


class BudgetCollector(Collector):
    """Labels are bounded by the releases that the worker has opened, and by the two limits."""

    def __init__(self) -> None:
        self._open: list[tuple[HasTerms, Known]] = []

    def show(self, judges: Sequence[HasTerms], known: Known) -> Callable[[], None]:
        """Add the budgets of these judges. Call the result to remove them."""
        added = [(judge, known) for judge in judges]
        self._open = [*self._open, *added]

        def remove() -> None:
            self._open = [one for one in self._open if one not in added]

        return remove

    def collect(self) -> Iterator[Metric]:
        spent_ratio = GaugeMetricFamily(
            "judgestream_budget_spent_ratio",
            "Share that all workers have spent of each limit of a release's budget: today (UTC) and in total",
            labels=["release", "period"],
        )
        shares: dict[tuple[str, str], float] = {}
        for judge, known in self._open:  # a release may be open twice: by itself, and in a jury
            name = judge.release.name
            if (spent := known(name)) is not None:
                shares |= {(name, one): n for one, n in judge.terms.budget.shares(spent).items()}
        for labels, share in shares.items():
            spent_ratio.add_metric(labels, share)
        yield spent_ratio


BUDGETS = BudgetCollector()
REGISTRY.register(BUDGETS)
