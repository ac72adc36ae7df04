"""The spent shares of budgets, as the metrics page has them."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from prometheus_client import REGISTRY

from judgestream.apps.judging.budget_metrics import BUDGETS, BudgetCollector
from judgestream.core.costs import Budget, Prices, Spent, Terms
from judgestream.core.types import Release

PRICES = Prices(per_million_in=1.0)


def terms(**budget: float) -> Terms:
    return Terms(prices=PRICES, budget=Budget(**budget))


@dataclass
class Judge:
    name: str
    terms: Terms = field(default_factory=Terms)

    @property
    def release(self) -> Release:
        return Release(
            name=self.name, checkpoint_digest="00", template_id="judgelm-v1", max_input_tokens=9
        )


def shown(collector: BudgetCollector) -> dict[tuple[str, str], float]:
    (family,) = collector.collect()
    assert len(family.samples) == len({str(sample.labels) for sample in family.samples})
    return {
        (sample.labels["release"], sample.labels["period"]): sample.value
        for sample in family.samples
    }


def test_each_limit_of_an_open_release_is_shown_as_it_is_now() -> None:
    spent = {"a": Spent(today=0.5, total=9.0), "b": Spent(today=0.5, total=9.0)}
    a, free = Judge("a", terms(per_day=2.0, total=10.0)), Judge("b")
    collector = BudgetCollector()
    remove = collector.show([a, free, Judge("unknown", terms(total=1.0))], spent.get)
    assert shown(collector) == {("a", "today"): 0.25, ("a", "total"): 0.9}
    spent["a"] = Spent(today=0.0, total=9.0)  # midnight
    a.terms = terms(per_day=2.0, total=30.0)
    assert shown(collector) == pytest.approx({("a", "today"): 0.0, ("a", "total"): 0.3})
    a.terms = terms(total=30.0)
    assert shown(collector).keys() == {("a", "total")}
    remove()
    assert shown(collector) == {}


def test_a_release_that_is_open_twice_is_shown_once_and_until_both_are_closed() -> None:
    collector = BudgetCollector()
    one, other = Judge("a", terms(total=10.0)), Judge("a", terms(total=10.0))
    first = collector.show([one], lambda name: Spent(total=1.0))
    second = collector.show([other], lambda name: Spent(total=1.0))
    assert shown(collector) == {("a", "total"): 0.1}
    first()
    assert shown(collector) == {("a", "total"): 0.1}
    second()
    assert shown(collector) == {}


@pytest.fixture
def on_the_page() -> Iterator[None]:
    remove = BUDGETS.show([Judge("a", terms(total=10.0))], lambda name: Spent(total=9.5))
    yield
    remove()


@pytest.mark.usefixtures("on_the_page")
def test_the_page_has_it() -> None:
    labels = {"release": "a", "period": "total"}
    assert REGISTRY.get_sample_value("judgestream_budget_spent_ratio", labels) == 0.95
