"""Auto-J's and PandaLM's tests: the published figures, and what their recordings hold."""

import pytest

from judgestream.apps.suites.running import Wish, now, planned
from judgestream.core.preference import Preference
from judgestream.core.types import Orders
from judgestream.evaluation.order_rules import OrderRule
from judgestream.suites import autoj, pandalm
from judgestream.suites.report import Figure
from tests.suites.folders import published


def test_auto_js_predictions_have_its_published_agreement_and_consistency() -> None:
    report = autoj.published(published("auto-j", "autoj").tables)
    found = {one.name: one.value for one in report.figures}
    assert found["agreement"] == pytest.approx(0.5496, abs=5e-5)
    assert found["flip_consistency"] == pytest.approx(0.8341, abs=5e-5)
    assert found["first_order_agreement"] == pytest.approx(0.5999, abs=5e-5)
    assert {row[1] for row in report.table("agreement by scenario").rows} == {24}


def test_pandalms_judges_have_their_accuracy_and_f1() -> None:
    report = pandalm.published(published("pandalm", "pandalm").tables)
    table = report.table("judges")
    for judge, accuracy, f1 in (("pandalm-7b", 66.77, 57.43), ("gpt-3.5-turbo", 71.07, 57.55)):
        (row,) = (row for row in table.rows if row[0] == judge)
        for name, value in (("agreement", accuracy), ("f1", f1)):
            cell = row[table.head.index(name)]
            assert isinstance(cell, Figure) and cell.value is not None
            assert 100 * cell.value == pytest.approx(value, abs=0.006)


def test_pandalms_labels_are_the_majority() -> None:
    items = list(pandalm.items(published("pandalm", "pandalm").tables))
    golds = [item.gold for item in items]
    assert [golds.count(one) for one in (Preference.FIRST, Preference.SECOND, Preference.TIE)] == [
        422,
        472,
        105,
    ]


def test_the_recordings_hold_every_order_that_was_judged() -> None:
    both = list(autoj.recorded(published("auto-j", "autoj").tables))
    assert len(both) == 2 * 1392 and {one.reply for one in both} == {"A", "B", "C"}
    assert both[0].answers == both[1].answers[::-1]
    tables = published("pandalm", "pandalm").tables
    assert len(list(pandalm.SUITE.recordings["pandalm-7b"](tables))) == 999
    replies = {one.reply for one in pandalm.SUITE.recordings["gpt-3.5-turbo"](tables)}
    assert replies == {"A", "B", "C", "garbage"}


@pytest.mark.parametrize("rule", [OrderRule.STRAIGHT, OrderRule.AVERAGED], ids=["one", "both"])
def test_the_rule_of_the_first_order_asks_for_no_other(rule: OrderRule) -> None:
    loaded = published("pandalm", "pandalm")
    wish = Wish(suite=pandalm.SUITE, loaded=loaded, seed=0, rule=rule, limit=20)
    asked = {request.options.orders for _, request in planned(wish, now()).rows}
    assert asked == {Orders.STRAIGHT if rule is OrderRule.STRAIGHT else Orders.BOTH}
