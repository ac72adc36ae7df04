"""The trainer's use of the evidence gate: each condition alone stops a judge, and says why."""

import json
from dataclasses import replace

import pytest

from judgestream.core.preference import Preference
from judgestream.evaluation.pair_outcome import PairOutcome
from judgestream_trainer.continuous.gate import BEST, CURRENT, Publication, decided
from judgestream_trainer.continuous.limits import Limits

Items = list[PairOutcome]


def item(verdict: int | None) -> PairOutcome:
    """An item whose truth is that the first is better, with one verdict in both orders."""
    read = None if verdict is None else Preference(verdict)
    return PairOutcome(truth=Preference.FIRST, verdict=read, straight=read, swapped=read)


def items(n: int, *, right: int, flipped: int = 0, unread: int = 0) -> Items:
    """The first `right` have the right verdict, the last `unread` none; of the others the last `flipped`
    change with the order."""
    rows = [item(1) if k < right else item(-1) for k in range(n)]
    for k in range(n - unread - flipped, n - unread):
        rows[k] = replace(rows[k], swapped=Preference(-(rows[k].straight or 0)))
    for k in range(n - unread, n):
        rows[k] = item(None)
    return rows


def compared(new: Items, current: Items, *, best: Items | None = None) -> Publication:
    baselines = {CURRENT: {"shown": current}} | ({BEST: {"shown": best}} if best else {})
    return decided({"shown": new}, baselines, Limits())


def test_a_better_judge_is_published_as_the_best_and_the_record_says_so() -> None:
    found = compared(items(600, right=540), items(600, right=420))
    assert found.publish and found.best and found.reasons == []
    record = json.loads(json.dumps(found.data(), allow_nan=False))
    assert (record["outcome"], record["publish"], record["best"]) == ("better", True, True)
    assert record["evidence"] == {"shown": {"n": 600, "read": 600, "right": 540, "prompts": 600}}
    accuracy = record["findings"][0]
    assert (accuracy["guard"], accuracy["gained"], accuracy["lost"]) == ("labels", 120, 0)


def test_the_same_judge_is_published_where_there_are_enough_prompts_and_is_not_the_best() -> None:
    found = compared(items(250, right=200), items(250, right=200))
    assert found.publish and not found.best


@pytest.mark.parametrize(
    ("new", "reasons"),
    [
        pytest.param(items(600, right=480), ["labels"], id="accuracy"),
        pytest.param(items(600, right=560, flipped=90), ["consistency"], id="consistency"),
        pytest.param(items(6000, right=5879, unread=121), ["unreadable"], id="unreadable"),
        pytest.param(
            items(600, right=600, unread=600),
            ["could be read", "unreadable", "labels", "consistency"],
            id="nothing read",
        ),
    ],
)
def test_each_condition_alone_stops_a_judge(new: Items, reasons: list[str]) -> None:
    found = compared(new, items(len(new), right=len(new) * 14 // 15))
    assert not found.publish and not found.best
    assert len(found.reasons) == len(reasons)
    assert all(part in reason for part, reason in zip(reasons, found.reasons, strict=True))


@pytest.mark.parametrize("n", [50, 100, 150, 200, 250, 300, 350, 400, 450, 500, 550, 600])
def test_exactly_the_share_of_unreadable_replies_that_may_be_is_let_pass(n: int) -> None:
    """6 of 300 are 2 %, whatever 1 - 294 / 300 is in floating point."""

    def unreadable(count: int) -> bool:
        found = compared(items(n, right=n, unread=count), items(n, right=0))
        return any("unreadable" in reason for reason in found.reasons)

    assert not unreadable(n // 50)
    assert unreadable(n // 50 + 1)


@pytest.mark.parametrize(
    ("n", "before", "after", "unread"), [(300, 240, 231, 5), (500, 400, 386, 9)]
)
def test_an_unreadable_item_is_not_right(n: int, before: int, after: int, unread: int) -> None:
    """231 of the 295 that could be read are .783, but 231 of all 300 are .770, .030 less than .800."""
    found = compared(items(n, right=after, unread=unread), items(n, right=before))
    assert not found.publish
    accuracy = found.decision.findings[0]
    assert accuracy.estimate == pytest.approx((after - before) / n)


def test_too_few_examples_stop_a_judge_and_the_reason_says_how_many_an_equal_one_needs() -> None:
    few = compared(items(20, right=20), items(20, right=20)).reasons
    assert few[0] == "shown: 20 of 20 held-out examples could be read, 50 are needed"
    assert "labels shown against the current judge: +0.000" in few[1]
    assert "an equal judge needs about" in few[1]
    needed = int(few[1].split("needs about ")[1].split()[0])
    assert compared(items(needed, right=needed), items(needed, right=needed)).publish


def test_examples_of_one_prompt_do_not_stand_for_many() -> None:
    one = [replace(row, cluster="p") for row in items(600, right=600)]
    found = compared(one, items(600, right=400))
    assert not found.publish
    assert found.held_out["shown"].prompts == 1


def test_a_small_loss_is_refused_on_few_examples_and_let_pass_on_many() -> None:
    """2 % lost, 3 % accepted: 300 examples cannot tell 2 % from 3 %, 3,000 can."""
    assert not compared(items(300, right=294), items(300, right=300)).publish
    assert compared(items(3000, right=2940), items(3000, right=3000)).publish


def test_losses_do_not_add_up_because_the_best_judge_is_a_second_baseline() -> None:
    best, current, new = (items(2000, right=n) for n in (1800, 1770, 1740))
    assert compared(new, current).publish
    found = compared(new, current, best=best)
    assert not found.publish
    assert ["against the best judge so far" in reason for reason in found.reasons] == [True]


def test_a_judge_that_beats_the_current_one_but_not_the_best_is_published_and_not_the_best() -> (
    None
):
    best, current = items(1000, right=900), items(1000, right=700)
    found = compared(items(1000, right=902), current, best=best)
    assert found.publish and not found.best


def test_any_readable_judge_beats_a_base_that_cannot_judge_at_all() -> None:
    assert compared(items(100, right=60), items(100, right=0, unread=100)).publish


def test_without_a_held_out_example_or_a_baseline_nothing_is_published() -> None:
    nothing = decided({}, {}, Limits())
    assert not nothing.publish and not nothing.best
    assert nothing.reasons == ["no held-out example"]
    assert not decided({"shown": []}, {CURRENT: {"shown": []}}, Limits()).publish
    alone = decided({"shown": items(400, right=400)}, {}, Limits())
    assert (alone.publish, alone.reasons) == (False, ["nothing was compared"])


def test_one_format_that_got_worse_is_enough_to_stop() -> None:
    good, bad = items(400, right=360), items(400, right=200)
    current = {"with_reference": good, "without_reference": good}
    found = decided(
        {"with_reference": good, "without_reference": bad}, {CURRENT: current}, Limits()
    )
    assert not found.publish
    assert all("without_reference" in reason for reason in found.reasons)


def test_items_that_do_not_pair_are_an_error() -> None:
    with pytest.raises(ValueError, match="argument 2 is"):
        compared(items(100, right=50), items(99, right=50))
