"""The table of gates: a judge passes with all of them, and each alone can stop it, saying why."""

from dataclasses import replace

import pytest

from judgestream.core.preference import Preference
from judgestream.evaluation.gates import BEST, CURRENT, GATES, Decision, Limits, decide
from judgestream.evaluation.pair_outcome import PairOutcome


def item(verdict: int | None) -> PairOutcome:
    """An item whose truth is that the first is better, with one verdict in both orders."""
    read = None if verdict is None else Preference(verdict)
    return PairOutcome(truth=Preference.FIRST, verdict=read, straight=read, swapped=read)


def items(n: int, *, right: int, flipped: int = 0, unread: int = 0) -> list[PairOutcome]:
    """The first `right` have the right verdict, the last `unread` none; of the others the last `flipped`
    change with the order."""
    rows = [item(1) if k < right else item(-1) for k in range(n)]
    for k in range(n - unread - flipped, n - unread):
        rows[k] = replace(rows[k], swapped=Preference(-(rows[k].straight or 0)))
    for k in range(n - unread, n):
        rows[k] = item(None)
    return rows


def decided(
    new: list[PairOutcome],
    current: list[PairOutcome],
    *,
    best: list[PairOutcome] | None = None,
    limits: Limits | None = None,
) -> Decision:
    baselines = {CURRENT: {"shown": current}} | ({BEST: {"shown": best}} if best else {})
    return decide({"shown": new}, baselines, limits or Limits())


def failing(decision: Decision) -> set[str]:
    return {finding.gate for finding in decision.findings if not finding.holds}


def test_a_better_judge_passes_every_gate_and_the_evidence_says_so() -> None:
    decision = decided(items(300, right=270), items(300, right=210))
    assert decision.publish and decision.best
    assert {finding.gate for finding in decision.findings} == set(GATES)
    assert decision.reasons == []
    found = decision.evidence["shown"].against[CURRENT]["accuracy"]
    assert (found.gained, found.lost, found.better) == (60, 0, True)
    assert decision.data()["evidence"]["shown"]["right"] == 270


def test_the_same_judge_passes_where_there_are_enough_prompts_and_is_not_the_best() -> None:
    decision = decided(items(200, right=160), items(200, right=160))
    assert decision.publish and not decision.best


@pytest.mark.parametrize(
    ("new", "gates"),
    [
        (items(300, right=240), {"accuracy"}),
        (items(300, right=285, flipped=60), {"consistency"}),
        (items(3000, right=2939, unread=61), {"unscored"}),
        (items(300, right=300, unread=300), {"examples", "unscored", "accuracy", "consistency"}),
    ],
)
def test_each_gate_alone_stops_a_judge(new: list[PairOutcome], gates: set[str]) -> None:
    decision = decided(new, items(len(new), right=len(new) * 14 // 15))
    assert not decision.publish
    assert failing(decision) == gates
    assert len(decision.reasons) == len(gates)


@pytest.mark.parametrize("n", [50, 100, 150, 200, 250, 300, 350, 400, 450, 500, 550, 600])
def test_exactly_the_share_of_unreadable_replies_that_may_be_is_let_pass(n: int) -> None:
    """6 of 300 are 2 %, whatever 1 - 294 / 300 is in floating point."""
    baseline = items(n, right=0)
    assert "unscored" not in failing(decided(items(n, right=n, unread=n // 50), baseline))
    assert "unscored" in failing(decided(items(n, right=n, unread=n // 50 + 1), baseline))


@pytest.mark.parametrize(
    ("n", "before", "after", "unread"), [(300, 240, 231, 5), (500, 400, 386, 9)]
)
def test_an_unreadable_item_is_not_right(n: int, before: int, after: int, unread: int) -> None:
    """231 of the 295 that could be read are .783, but 231 of all 300 are .770, .030 less than .800."""
    decision = decided(items(n, right=after, unread=unread), items(n, right=before))
    assert "accuracy" in failing(decision)
    found = decision.evidence["shown"].against[CURRENT]["accuracy"]
    assert found.difference == pytest.approx((after - before) / n)


def test_too_few_examples_stop_a_judge_however_good_it_looks() -> None:
    decision = decided(items(20, right=20), items(20, right=4))
    assert failing(decision) == {"examples", "consistency"}
    assert "20 of 20 held-out examples could be read, 50 are needed" in decision.reasons[0]
    assert "fewer than 99 nothing shows" in decision.reasons[0]  # .97 ** 99 = .049


def test_examples_of_one_prompt_do_not_stand_for_many() -> None:
    one = [replace(row, cluster="p") for row in items(300, right=300)]
    assert failing(decided(one, items(300, right=200))) == {"examples", "accuracy", "consistency"}


def test_a_small_loss_is_refused_on_few_examples_and_let_pass_on_many() -> None:
    """2 % lost, 3 % accepted: 300 examples cannot tell 2 % from 3 %, 3,000 can."""
    few = decided(items(300, right=294), items(300, right=300))
    assert failing(few) == {"accuracy"}
    assert "an equally good judge needs about" in few.reasons[0]
    assert decided(items(3000, right=2940), items(3000, right=3000)).publish


def test_losses_do_not_add_up_because_the_best_judge_is_a_second_baseline() -> None:
    best, current, new = (items(1000, right=n) for n in (900, 880, 865))
    assert decided(new, current).publish
    decision = decided(new, current, best=best)
    assert failing(decision) == {"accuracy"}
    assert "against the best judge so far" in decision.reasons[0]


def test_a_judge_that_beats_the_current_one_but_not_the_best_is_published_and_not_crowned() -> None:
    best, current = items(1000, right=900), items(1000, right=700)
    decision = decided(items(1000, right=902), current, best=best)
    assert decision.publish and not decision.best


def test_any_readable_judge_beats_a_base_that_cannot_judge_at_all() -> None:
    assert decided(items(100, right=60), items(100, right=0, unread=100)).publish


def test_without_a_held_out_example_or_a_baseline_nothing_is_published() -> None:
    decision = decide({}, {}, Limits())
    assert not decision.publish and not decision.best
    assert decision.reasons == ["held out: no held-out example"]
    assert not decide({"shown": []}, {CURRENT: {"shown": []}}, Limits()).publish
    assert not decide({"shown": items(200, right=200)}, {}, Limits()).publish


def test_one_format_that_got_worse_is_enough_to_stop() -> None:
    good, bad = items(200, right=180), items(200, right=100)
    decision = decide(
        {"with_reference": good, "without_reference": bad},
        {CURRENT: {"with_reference": good, "without_reference": good}},
        Limits(),
    )
    assert {f.shown for f in decision.findings if not f.holds} == {"without_reference"}


def test_items_that_do_not_pair_are_an_error() -> None:
    with pytest.raises(ValueError, match="argument 2 is"):
        decided(items(100, right=50), items(99, right=50))
