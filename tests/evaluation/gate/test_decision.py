"""Decisions: each guard alone can stop a judge, budgets are shared, and every finding says why."""

import json
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from judgestream.evaluation.gate import (
    GUARDS,
    Comparison,
    Decision,
    Evidence,
    Finding,
    Outcome,
    PairedItem,
    Policy,
    Rule,
    as_data,
    decide,
    figures,
    from_data,
)
from tests.evaluation.gate.items import UNREAD, items, judged, probes

ONE = Policy(guards={"labels": Rule(margin=0.03)})


def decided(some: Sequence[PairedItem], policy: Policy = ONE) -> Decision:
    return decide([Comparison(baseline="stable", evidence=Evidence.of(some))], policy)


def labels(decision: Decision) -> Finding:
    return next(finding for finding in decision.findings if finding.guard == "labels")


@pytest.mark.parametrize(
    ("gained", "lost", "outcome"),
    [
        (120, 20, Outcome.BETTER),
        (60, 60, Outcome.NOT_WORSE),
        (20, 160, Outcome.WORSE),
        (100, 140, Outcome.UNDECIDED),
    ],
)
def test_the_four_outcomes(gained: int, lost: int, outcome: Outcome) -> None:
    decision = decided(items(2500, gained=gained, lost=lost))
    assert decision.outcome is outcome
    assert outcome.accepts == (decision.reasons == [])
    assert bool(decision.breached) == (outcome is Outcome.WORSE)
    found = labels(decision)
    assert found.estimate == pytest.approx((gained - lost) / 2500)
    assert (found.gained, found.lost, found.units) == (gained, lost, 2500)
    assert found.estimate is not None and found.low < found.estimate < found.high


@pytest.mark.no_cover
def test_the_bounds_and_the_e_values_say_the_same() -> None:
    for lost in (50, 60, 70, 80, 90, 100):
        found = labels(decided(items(2500, gained=50, lost=lost)))
        assert (found.low > -found.margin) == (found.e_not_worse >= 20)


@pytest.mark.no_cover
def test_a_loss_that_is_shown_to_be_within_the_margin_is_not_called_worse() -> None:
    found = labels(decided(items(20_000, gained=100, lost=350)))
    assert found.high < 0 and found.e_worse > (found.e_needed or 0)
    assert found.outcome is Outcome.NOT_WORSE


def test_few_prompts_are_never_enough_to_accept() -> None:
    policy = Policy(guards={"labels": Rule(margin=0.03, least_units=1000)})
    decision = decided(items(900, gained=100), policy)
    assert decision.outcome is Outcome.UNDECIDED
    assert decided(items(1000, gained=100), policy).outcome is Outcome.BETTER


def test_items_of_one_prompt_do_not_stand_for_many() -> None:
    assert decided(items(2500, gained=120, each=2500)).outcome is Outcome.UNDECIDED


@pytest.mark.parametrize(
    ("guard", "bad"),
    [
        ("labels", judged(False)),
        ("known_answers", judged(False)),
        ("consistency", judged(True, consistent=False)),
        ("position", judged(True, consistent=False)),
        ("scored", UNREAD),
        ("latency", replace(judged(True), latency_s=9.0)),
        ("cost", replace(judged(True), cost=9.0)),
    ],
)
def test_each_guard_alone_stops_a_judge(guard: str, bad: object) -> None:
    some = list(items(600))
    some[:300] = [replace(one, new=bad) for one in some[:300]]  # type: ignore[arg-type]
    if guard == "known_answers":
        some = list(probes(some))
    decision = decided(some, Policy(guards={guard: Rule(margin=0.05), "format": Rule(margin=0.5)}))
    assert decision.outcome is Outcome.WORSE
    assert [found.guard for found in decision.breached] == [guard]
    assert decision.reasons[0].startswith(f"{guard} against stable: -0.")


def test_a_guard_that_is_not_required_is_shown_and_stops_nothing() -> None:
    some = [replace(one, new=replace(one.new, cost=1.0)) for one in items(2500, gained=120)]
    rules = {"labels": Rule(margin=0.03), "cost": Rule(margin=0.2, required=False)}
    decision = decided(some, Policy(guards=rules))
    assert decision.outcome is Outcome.BETTER
    assert [found.outcome for found in decision.findings] == [Outcome.BETTER, Outcome.WORSE]


def test_every_baseline_has_to_be_matched_and_better_means_better_than_all() -> None:
    better, equal = (Evidence.of(items(2500, gained=gained, lost=20)) for gained in (120, 20))
    worse = Evidence.of(items(2500, gained=20, lost=200))

    def against(best: Evidence) -> Outcome:
        return decide(
            [
                Comparison(baseline="stable", evidence=better),
                Comparison(baseline="best", evidence=best),
            ],
            ONE,
        ).outcome

    assert against(better) is Outcome.BETTER
    assert against(equal) is Outcome.NOT_WORSE
    assert against(worse) is Outcome.WORSE
    assert against(Evidence()) is Outcome.UNDECIDED


def test_one_budget_is_shared_by_guards_comparisons_and_directions() -> None:
    evidence = Evidence.of(items(100))
    comparisons = [Comparison(baseline=name, evidence=evidence) for name in ("stable", "best")]
    findings = decide(comparisons, Policy()).findings
    assert len(findings) == 2 * len(GUARDS)
    assert 2 * sum(1 / (f.e_needed or 0) for f in findings) == pytest.approx(0.05)


def test_a_guard_without_weight_never_says_better_or_worse() -> None:
    policy = Policy(guards={"labels": Rule(margin=0.03, weight=0.0)})
    assert labels(decided(items(10), policy)).e_needed is None
    assert decided(items(2500, gained=900), policy).outcome is Outcome.NOT_WORSE
    assert decided(items(2500, lost=900), policy).outcome is Outcome.UNDECIDED


def test_nothing_compared_and_no_item_are_undecided_with_the_reason() -> None:
    nothing = decide([], Policy())
    assert (nothing.outcome, nothing.reasons) == (Outcome.UNDECIDED, ["nothing was compared"])
    (reason,) = decided([]).reasons
    assert reason == "labels against stable: no item shows it, and at least 192 prompts are needed"


def test_an_undecided_finding_says_how_many_prompts_an_equal_judge_needs() -> None:
    (reason,) = decided(items(400, gained=30, lost=30)).reasons
    assert "undecided: above -0.030 is required, and an equal judge needs about 2" in reason


@pytest.mark.no_cover
@given(st.integers(0, 300), st.integers(0, 300), st.sampled_from([1, 2, 5]))
@settings(max_examples=25, deadline=None)
def test_exchanging_the_judges_mirrors_every_finding(gained: int, lost: int, each: int) -> None:
    there = items(1000, gained=gained, lost=lost, each=each)
    back = [replace(one, new=one.old, old=one.new) for one in there]
    for one, other in zip(decided(there).findings, decided(back).findings, strict=True):
        assert one.estimate == pytest.approx(-(other.estimate or 0.0))
        assert (one.low, one.high) == pytest.approx((-other.high, -other.low))
        assert (one.e_better, one.new) == pytest.approx((other.e_worse, other.old))


def test_a_decision_survives_json() -> None:
    evidence = Evidence.of(items(300, gained=20, lost=10))
    parts = [
        Comparison(baseline="stable", evidence=evidence, shown="with_reference"),
        Comparison(baseline="best", evidence=Evidence()),
    ]
    decision = decide(parts, Policy())
    assert from_data(json.loads(json.dumps(as_data(decision), allow_nan=False))) == decision
    told = figures(decision)
    assert told["stable.with_reference.labels.estimate"] == pytest.approx(10 / 300)
    assert "best.labels.estimate" not in told and told["best.labels.units"] == 0
    assert all(isinstance(value, float) for value in told.values())


@pytest.mark.parametrize(
    "wrong", [{}, {"outcome": "good"}, {"findings": [{}]}, {"findings": 3}, {"alpha": "0.05"}]
)
def test_what_is_not_a_decision_is_refused(wrong: dict[str, object]) -> None:
    data = as_data(decided(items(10))) | wrong if wrong else {}
    with pytest.raises(ValueError, match="not a decision|not a valid Outcome"):
        from_data(data)


@pytest.mark.parametrize(
    ("name", "value"),
    [("estimate", "0.1"), ("low", None), ("units", 1.5), ("units", True), ("why", 3)]
    + [("high", float("nan")), ("required", 1), ("outcome", "good")],
)
def test_a_finding_with_a_wrong_value_is_refused(name: str, value: object) -> None:
    data = as_data(decided(items(10)))
    data["findings"][0][name] = value
    with pytest.raises(ValueError, match=f"not a decision: {name}|not a valid Outcome"):
        from_data(data)


def test_whole_numbers_and_unknown_keys_of_another_writer_are_read() -> None:
    data = as_data(decided(items(10)))
    data["findings"][0] |= {"low": -1, "newer": "key"}
    assert labels(from_data(data)).low == -1.0
