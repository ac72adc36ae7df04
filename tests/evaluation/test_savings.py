"""Offline evaluation of a spending policy, by hand and on simulated judges."""

from dataclasses import replace
from statistics import fmean

import numpy as np
import pytest

from judgestream.core.escalation import Ask, EscalationPolicy
from judgestream.core.preference import Preference
from judgestream.core.types import Label, Reply, Status, Verdict
from judgestream.evaluation.labels import Ballots
from judgestream.evaluation.savings import (
    Answer,
    BothOrders,
    Cost,
    Unit,
    answer_of,
    both_orders,
    cascade_savings,
    savings,
)
from tests.core.build import NOON, UNREAD, reading, result, verdict
from tests.evaluation.simulate_savings import cascaded, sampled

SURE, UNSURE, OPPOSITE = reading(0.95, 0.03, 0.02), reading(0.5, 0.2, 0.3), reading(0.1, 0.1, 0.8)


def judged(name: str, straight: object, swapped: object, cost: float | None = None) -> Verdict:
    passes = tuple(
        replace(result(order, of), reply=Reply(text="", input_tokens=tokens))  # type: ignore[arg-type]
        for order, of, tokens in (("straight", straight, 100), ("swapped", swapped, 300))
    )
    return replace(
        verdict(winner="a", passes=passes), request_id=name, cost=cost, prompt_digest=name
    )


def pairs(*verdicts: Verdict) -> list[BothOrders]:
    return [one for one in map(both_orders, verdicts) if one is not None]


def label(name: str, winner: str) -> Label:
    return Label(
        label_id=name,
        request_id=name,
        annotator="h",
        labelled_at=NOON,
        winner=winner,
        tie=not winner,
    )


def test_the_second_order_is_asked_where_the_first_is_unsure() -> None:
    known = pairs(judged("r1", SURE, SURE), judged("r2", UNSURE, OPPOSITE))
    policy = EscalationPolicy(second_order_below=0.9)
    found = savings(policy, known, Ballots([label("r1", "a"), label("r2", "b")]))
    assert found is not None
    assert (found.n, found.missing, found.unit) == (2, 0, Unit.TOKENS)
    assert found.asked == {Ask.NOTHING: 1, Ask.SECOND_ORDER: 1}
    assert found.saved == pytest.approx(300 / 800)
    assert found.changed.value == 0.0
    assert found.agreement is not None and found.agreement.difference == 0.0


def test_one_order_alone_changes_outcomes_and_agreement() -> None:
    known = pairs(judged("r1", SURE, SURE), judged("r2", UNSURE, OPPOSITE))
    found = savings(
        EscalationPolicy(second_order_below=0.0),
        known,
        Ballots([label("r1", "a"), label("r2", "b")]),
    )
    assert found is not None
    assert found.saved == pytest.approx(600 / 800)
    assert found.changed.value == 0.5
    assert found.agreement is not None and found.agreement.difference == -0.5


def test_another_release_costs_more_and_may_be_missing() -> None:
    known = pairs(judged("r1", UNSURE, UNSURE), judged("r2", UNSURE, UNSURE))
    other = Answer(outcome=Preference.SECOND, cost=Cost(dollars=None, tokens=2000, passes=2))
    policy = EscalationPolicy(second_order_below=0.9, release_below=0.6, release="large")
    found = savings(policy, known, Ballots(), {"r1": other})
    assert found is not None
    assert (found.n, found.missing, found.agreement) == (1, 1, None)
    assert found.asked == {Ask.SECOND_ORDER: 1, Ask.RELEASE: 1}
    assert found.saved == pytest.approx(1 - 2400 / 400)
    assert found.changed.value == 1.0
    assert savings(policy, known, Ballots()) is None


def test_costs_are_in_the_first_unit_that_all_state() -> None:
    policy = EscalationPolicy(second_order_below=0.0)
    priced = judged("r1", SURE, SURE, cost=0.04)
    found = savings(policy, pairs(priced), Ballots())
    assert found is not None and found.unit is Unit.DOLLARS
    assert found.saved == pytest.approx(0.75)
    mixed = savings(policy, pairs(priced, judged("r2", SURE, SURE)), Ballots())
    assert mixed is not None and mixed.unit is Unit.TOKENS
    bare = replace(priced, passes=(result("straight", SURE), result("swapped", SURE)), cost=None)
    counted = savings(policy, pairs(bare, priced), Ballots())
    assert counted is not None and counted.unit is Unit.PASSES
    assert counted.saved == 0.5


@pytest.mark.parametrize(
    "one",
    [
        pytest.param(judged("r", SURE, UNREAD), id="an order unread"),
        pytest.param(replace(judged("r", SURE, SURE), status=Status.UNSCORED), id="unscored"),
        pytest.param(replace(judged("r", SURE, SURE), passes=()), id="no passes"),
        pytest.param(replace(judged("r", SURE, SURE), mode="follow_up"), id="follow-up"),
    ],
)
def test_what_shows_nothing(one: Verdict) -> None:
    assert both_orders(one) is None


def test_another_releases_answer() -> None:
    found = answer_of(replace(judged("r", SURE, SURE), input_tokens=400, cost=0.5))
    assert found == Answer(outcome=Preference.FIRST, cost=Cost(dollars=0.5, tokens=400, passes=2))
    assert answer_of(replace(judged("r", SURE, SURE), status=Status.FAILED)) is None


@pytest.mark.no_cover
def test_a_calibrated_judge_saves_much_and_loses_little() -> None:
    draw = np.random.default_rng(3)
    found = [sampled(draw, 0.8) for _ in range(60)]
    mean = fmean(one.saved for one in found)
    assert 0.25 < mean < 0.4
    held = [
        one.interval.low <= mean <= one.interval.high for one in found if one.interval is not None
    ]
    assert len(held) == 60 and fmean(held) >= 0.9
    assert abs(fmean(one.agreement.difference for one in found if one.agreement)) < 0.01
    assert max(one.changed.value for one in found) < 0.05


@pytest.mark.parametrize(
    ("below", "escalated", "saved", "changed", "difference"),
    [
        (0.4, 0, 1 - 1200 / 3000, 2 / 3, -1 / 3),
        (0.9, 2, 1 - (1200 + 2000) / 3000, 0.0, 0.0),
        (1.0, 3, -1200 / 3000, 0.0, 0.0),
    ],
    ids=["never", "unsure", "always"],
)
def test_a_cascade_is_compared_with_its_last_release(
    below: float, escalated: int, saved: float, changed: float, difference: float
) -> None:
    names = ("r1", "r2", "r3", "r4")
    known = pairs(
        *(
            judged(name, one, one)
            for name, one in zip(names, (SURE, UNSURE, UNSURE, SURE), strict=True)
        )
    )
    cost = Cost(dollars=None, tokens=1000, passes=2)
    sides = (Preference.FIRST, Preference.SECOND, Preference.SECOND)
    others = {
        name: Answer(outcome=side, cost=cost) for name, side in zip(names, sides, strict=False)
    }
    labels = [label("r1", "a"), label("r2", "b"), label("r3", "")]
    found = cascade_savings(below, known, others, Ballots(labels))
    assert found is not None and found.unit is Unit.TOKENS
    assert (found.n, found.missing, found.asked.get(Ask.RELEASE, 0)) == (3, 1, escalated)
    assert found.saved == pytest.approx(saved)
    assert found.changed.value == pytest.approx(changed)
    assert found.agreement is not None
    assert found.agreement.difference == pytest.approx(difference)
    assert cascade_savings(below, known, {}, Ballots()) is None


@pytest.mark.no_cover
def test_the_interval_of_what_a_cascade_saves_holds_its_mean() -> None:
    draw = np.random.default_rng(4)
    found = [cascaded(draw, 0.8) for _ in range(60)]
    mean = fmean(one.saved for one in found)
    assert 0.2 < mean < 0.8
    held = [
        one.interval.low <= mean <= one.interval.high for one in found if one.interval is not None
    ]
    assert len(held) == 60 and fmean(held) >= 0.9
