import json
import random
from pathlib import Path

import pytest
from sklearn.metrics import accuracy_score, precision_recall_fscore_support

from judgestream.evaluation.agreement import agreement
from judgestream.evaluation.majority import majority


def test_macro_metrics_worked_by_hand() -> None:
    # gold        +1 +1 +1  0 -1 -1
    # predicted   +1 +1 -1 -1 -1 +1      hits: +1 twice, -1 once; 0 is never predicted
    # precision   +1 2/3, 0 undefined = 0, -1 1/3                mean 1/3
    # recall      +1 2/3, 0 0/1, -1 1/2                          mean 7/18
    # F1 = 2 hits / (predicted + gold): +1 4/6, 0 0/1, -1 2/5    mean 16/45
    found = agreement([1, 1, 1, 0, -1, -1], [1, 1, -1, -1, -1, 1])
    assert found.n == 6
    assert found.accuracy == pytest.approx(3 / 6)
    assert found.precision == pytest.approx(1 / 3)
    assert found.recall == pytest.approx(7 / 18)
    assert found.f1 == pytest.approx(16 / 45)
    assert dict(found.confusion) == {
        (1, 1): 2,
        (1, -1): 1,
        (0, -1): 1,
        (-1, -1): 1,
        (-1, 1): 1,
    }


def test_an_unreadable_prediction_is_counted_and_is_in_no_rate() -> None:
    found = agreement([1, 0, -1, None], [1, None, -1, 1])
    assert (found.n, found.unscored, found.unlabelled) == (2, 1, 1)
    assert found.accuracy == found.f1 == 1.0


@pytest.mark.parametrize(("gold", "predicted"), [([], []), ([1], [None]), ([None], [1])])
def test_nothing_to_compare_has_no_value(
    gold: list[int | None], predicted: list[int | None]
) -> None:
    found = agreement(gold, predicted)
    assert found.n == 0
    assert (found.accuracy, found.precision, found.recall, found.f1) == (None,) * 4


def test_a_class_that_occurs_nowhere_does_not_dilute_the_mean() -> None:
    assert agreement([1, -1], [1, -1]).f1 == 1.0  # no tie in either: two classes, not three


def test_lists_of_different_length_are_refused() -> None:
    with pytest.raises(ValueError, match="shorter"):
        agreement([1, 0], [1])


def test_one_stray_tie_costs_one_verdict_and_not_a_third_of_the_figure() -> None:
    # statistics.md 2.7: 500 + 500 without ties, 900 right, one right one turned into a tie
    gold = [1] * 500 + [-1] * 500
    predicted = [1] * 449 + [0] + [-1] * 50 + [-1] * 450 + [1] * 50
    found = agreement(gold, predicted)
    assert found.classes == (1, -1)
    assert found.accuracy == pytest.approx(0.899)
    # precision 449/499 and 450/500; recall 449/500 and 450/500; F1 898/999 and 900/1000
    assert found.precision == pytest.approx((449 / 499 + 450 / 500) / 2)
    assert round(found.precision or 0, 4) == 0.8999
    assert round(found.recall or 0, 4) == 0.8990
    assert round(found.f1 or 0, 4) == 0.8994
    # JudgeLM's own definition lets the tie in as a third class
    assert found.judgelm.classes == (1, 0, -1)
    judgelm = (found.judgelm.precision, found.judgelm.recall, found.judgelm.f1)
    assert tuple(round(rate or 0, 4) for rate in judgelm) == (0.5999, 0.5993, 0.5996)


def test_declared_classes_stay_the_same_whatever_the_sample_holds() -> None:
    found = agreement([1, -1], [1, -1], classes=(1, 0, -1))
    assert found.classes == (1, 0, -1) and found.f1 == pytest.approx(2 / 3)
    with pytest.raises(ValueError, match="at least one class"):
        agreement([1], [1], classes=())


@pytest.mark.parametrize("seed", range(20))
def test_equals_scikit_learn(seed: int) -> None:
    draw = random.Random(seed)
    classes = draw.sample([-1, 0, 1], k=draw.randint(1, 3))
    gold, predicted = draw.choices(classes, k=30), draw.choices([-1, 0, 1], k=30)
    found = agreement(gold, predicted)
    precision, recall, f1, _ = precision_recall_fscore_support(
        gold, predicted, average="macro", zero_division=0
    )
    assert found.accuracy == pytest.approx(accuracy_score(gold, predicted))
    judgelm = found.judgelm
    assert (judgelm.precision, judgelm.recall, judgelm.f1) == pytest.approx((precision, recall, f1))
    precision, recall, f1, _ = precision_recall_fscore_support(
        gold, predicted, average="macro", zero_division=0, labels=sorted(set(gold))
    )
    assert (found.precision, found.recall, found.f1) == pytest.approx((precision, recall, f1))


# Accuracy, precision, recall, F1 against the human majority, percent: shared/facts/judgelm.md 4.
PANDALM = [
    ("gpt-3.5-turbo-testset-v1.json", "gpt_result", (71.07, 58.79, 57.36, 57.55)),
    ("pandalm-7b-testset-v1.json", "pandalm_result", (66.77, 57.38, 57.50, 57.43)),
]


@pytest.mark.parametrize(("file", "field", "expected"), PANDALM)
def test_pandalm_predictions_score_as_published(
    shared_data: Path, file: str, field: str, expected: tuple[float, ...]
) -> None:
    rows = json.loads((shared_data / "pandalm" / "testset-v1.json").read_text())
    humans = [[row[f"annotator{k}"] for k in (1, 2, 3)] for row in rows]
    gold = {row["idx"]: majority(votes) for row, votes in zip(rows, humans, strict=True)}
    outcome = {"1": 1, "2": 2}  # "Tie", 0 and garbage are ties, as published
    predicted = {
        row["idx"]: outcome.get(str(row[field]), 0)
        for row in json.loads((shared_data / "pandalm" / file).read_text())
    }
    found = agreement(list(gold.values()), [predicted[idx] for idx in gold])
    assert found.n == 999
    rates = (found.accuracy, found.precision, found.recall, found.f1)
    assert tuple(round(100 * (rate or 0.0), 2) for rate in rates) == expected
