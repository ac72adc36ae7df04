"""Measures and their intervals: hand-worked values, the paper's identities, scikit-learn as a witness."""

import math
import random
from dataclasses import replace

import pytest
from sklearn.metrics import accuracy_score, precision_recall_fscore_support

from judgestream.core.preference import Preference
from judgestream.evaluation.agreement import agreement
from judgestream.evaluation.calibration import calibration
from judgestream.evaluation.measures import estimates
from judgestream.evaluation.pair_outcome import PairOutcome
from judgestream.evaluation.position import position
from judgestream.evaluation.summary import figures, upstream


def judged(
    truth: int,
    verdict: int | None,
    straight: int | None = None,
    swapped: int | None = None,
    confidence: float = 0.75,
) -> PairOutcome:
    """An item whose greedy reading is its probabilities' one; both orders as the verdict, if not given."""
    straight = verdict if straight is None else straight
    swapped = verdict if swapped is None else swapped
    first, second = (None if one is None else Preference(one) for one in (straight, swapped))
    return PairOutcome(
        truth=Preference(truth),
        verdict=None if verdict is None else Preference(verdict),
        straight=first,
        swapped=second,
        confidence=confidence,
        greedy_straight=first,
        greedy_swapped=second,
        longer=Preference.FIRST,
    )


def drawn(n: int, seed: int, *, unread: float = 0.05) -> list[PairOutcome]:
    """Items of a middling judge; every class occurs, ties are rare, some replies are unreadable."""
    rng = random.Random(seed)
    rows = []
    for _ in range(n):
        truth = rng.choices((1, 0, -1), (0.5, 0.1, 0.4))[0]
        straight = truth if rng.random() < 0.7 else rng.choice((1, 0, -1))
        swapped = straight if rng.random() < 0.8 else rng.choice((1, 0, -1))
        if rng.random() < unread:
            rows.append(replace(judged(truth, None), confidence=0.0))
        else:
            rows.append(judged(truth, straight, straight, swapped, rng.uniform(0.34, 1.0)))
    return rows


def test_four_items_by_hand() -> None:
    # right, right, wrong and leaning to the first position, unreadable
    rows = [judged(1, 1), judged(0, 0), judged(-1, 1, 1, -1), judged(1, None, confidence=0.0)]
    found = estimates(rows)
    # classes win, tie, lose: precision 1/2, 1, 0; recall 1, 1, 0; F1 2/3, 1, 0
    expected = {
        "accuracy": 2 / 3,
        "precision": 0.5,
        "recall": 2 / 3,
        "f1": 5 / 9,
        "consistency": 2 / 3,
        "toward_first": 1 / 3,
        "toward_second": 0.0,
        "delta_bias": 1 / 3,
        "ece": abs(3 * 0.75 - 2) / 3,  # all three in one bin
        "unscored": 0.25,
    }
    assert {name: one.share for name, one in found.items()} == pytest.approx(expected)


@pytest.mark.parametrize("seed", range(5))
def test_measures_equal_those_of_the_core_and_of_scikit_learn(seed: int) -> None:
    rows = drawn(200, seed)
    found = {name: one.share for name, one in estimates(rows).items()}
    read = [j for j in rows if j.verdict is not None]
    truths, verdicts = [j.truth for j in read], [j.verdict for j in read]
    core = agreement([j.truth for j in rows], [j.verdict for j in rows])
    where = position([j.straight for j in rows], [j.swapped for j in rows])
    for name in ("accuracy", "precision", "recall", "f1"):
        assert found[name] == pytest.approx(getattr(core, name))
    theirs = precision_recall_fscore_support(truths, verdicts, average="macro", zero_division=0)
    assert [found[name] for name in ("precision", "recall", "f1")] == pytest.approx(theirs[:3])
    assert found["accuracy"] == pytest.approx(accuracy_score(truths, verdicts))
    assert found["consistency"] == where.consistency
    assert found["delta_bias"] == pytest.approx(where.delta_bias)
    honest = calibration([j.confidence for j in read], [j.verdict == j.truth for j in read])
    assert honest is not None and found["ece"] == pytest.approx(honest.ece)


@pytest.mark.parametrize("seed", range(5))
def test_the_papers_identities_hold_in_both_readings(seed: int) -> None:
    rows = drawn(150, seed)
    ours = figures(rows)
    parts = (ours.consistency, ours.toward_first, ours.toward_second)
    assert sum(part.share for part in parts) == pytest.approx(1)
    gap = ours.toward_first.share - ours.toward_second.share
    assert ours.delta_bias.share == pytest.approx(abs(gap))
    theirs = upstream(rows)
    before, after = theirs["perfer_before_rate"], theirs["perfer_after_rate"]
    assert theirs["consistency"] + before + after == pytest.approx(1)
    assert theirs["delta_bias"] == pytest.approx(abs(before - after))
    assert theirs["total_bias"] == pytest.approx(before + after)
    assert theirs["total_num"] == len(rows)


def test_upstream_reads_the_forward_run_alone_and_takes_an_unreadable_reply_for_a_tie() -> None:
    rows = [
        judged(1, 1, 1, -1),  # forward right, the orders disagree: each time the first shown wins
        judged(0, None),  # unreadable: a tie by their rule, and so right
        judged(-1, 0, -1, -1),  # settled as a tie, forward right
    ]
    found = upstream(rows)
    assert found["accuracy"] == 1.0
    assert found["perfer_before_rate"] == pytest.approx(1 / 3)
    assert found["total_num"] == 3


@pytest.mark.parametrize(
    ("first", "second", "n", "low", "high"),
    [
        (78, 84, 750, 0.0, 0.0414),  # tiny, overall without reference
        (6, 15, 150, 0.0, 0.1203),
        (27, 39, 150, 0.0, 0.1845),
        (5, 0, 150, 0.0, 0.0666),
    ],
)
def test_the_interval_of_delta_bias_is_that_of_the_bias_worker(
    first: int, second: int, n: int, low: float, high: float
) -> None:
    rows = [judged(1, 1, 1, -1)] * first + [judged(1, 1, -1, 1)] * second
    rows += [judged(1, 1)] * (n - first - second)
    found = estimates(rows)["delta_bias"]
    assert found.share == pytest.approx(abs(first - second) / n)
    assert (found.low, found.high) == pytest.approx((low, high), abs=5e-5)


def test_every_interval_has_width_even_if_all_items_are_alike() -> None:
    found = estimates([judged(1, 1)] * 50)
    assert found["accuracy"].low == pytest.approx(0.9287, abs=1e-4)  # Wilson, 50 of 50
    assert all(one.high > one.low for one in found.values())
    assert all(one.low <= one.share <= one.high for one in found.values())


def test_items_of_one_question_are_not_independent() -> None:
    rows = [judged(1, 1 if k < 60 else -1) for k in range(100)]
    alone = estimates(rows)["accuracy"]
    shared = [replace(row, cluster=f"question {k // 10}") for k, row in enumerate(rows)]
    together = estimates(shared)["accuracy"]
    assert together.share == alone.share == 0.6
    assert together.high - together.low > 1.5 * (alone.high - alone.low)


def test_the_calibration_error_of_a_calibrated_judge_is_what_chance_gives() -> None:
    rng = random.Random(5)
    rows = []
    for _ in range(100):
        confidence = rng.uniform(0.4, 1.0)
        rows.append(judged(1, 1 if rng.random() < confidence else -1, confidence=confidence))
    found = figures(rows)
    assert found.ece.low == 0.0  # compatible with no error at all
    assert found.ece_if_calibrated == pytest.approx(found.ece.share, abs=0.06)
    assert found.ece_if_calibrated > 0.04


def test_an_unreadable_item_counts_only_as_unscored() -> None:
    found = estimates([judged(1, 1), *[replace(judged(1, None), confidence=0.0)] * 5])
    assert found["accuracy"].share == 1.0
    assert found["unscored"].share == pytest.approx(5 / 6)
    assert not any(math.isnan(one.low + one.high) for one in found.values())


def test_items_that_were_never_read_in_both_orders_have_no_consistency() -> None:
    rows = [replace(judged(1, 1), swapped=None), replace(judged(-1, -1), straight=None)]
    assert [row.lean for row in rows] == [None, None]
    with pytest.raises(ValueError, match="both orders"):
        estimates(rows)


def test_items_of_one_question_show_nothing_about_other_questions() -> None:
    rows = [replace(judged(1, 1 if k else -1), cluster="the same") for k in range(10)]
    found = estimates(rows)["accuracy"]
    assert (found.share, found.low, found.high) == (0.9, 0.0, 1.0)


def test_items_without_a_readable_reply_are_an_error() -> None:
    with pytest.raises(ValueError, match="none of 2 items could be read"):
        figures([judged(1, None), judged(0, None)])
