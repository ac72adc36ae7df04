"""Chance-corrected agreement, worked by hand, against scikit-learn and against published numbers."""

import csv
import json
import random
from collections import Counter
from collections.abc import Hashable, Sequence
from pathlib import Path

import pytest
from sklearn.metrics import cohen_kappa_score

from judgestream.evaluation.agreement import accuracy_of
from judgestream.evaluation.kappa import cohen_kappa, scott_pi


def table(
    first: Sequence[Hashable], second: Sequence[Hashable]
) -> Counter[tuple[Hashable, Hashable]]:
    return Counter(zip(first, second, strict=True))


def test_worked_by_hand() -> None:
    # first   y y y n n      observed 4/5
    # second  y y n n n      Cohen: 3/5 * 2/5 + 2/5 * 3/5 = 12/25, (20 - 12) / (25 - 12) = 8/13
    #                        Scott: pooled 5/10 and 5/10, 1/4 + 1/4 = 1/2, (0.8 - 0.5) / 0.5 = 0.6
    confusion = table("yyynn", "yynnn")
    assert cohen_kappa(confusion) == pytest.approx(8 / 13)
    assert scott_pi(confusion) == pytest.approx(0.6)


def test_opposite_annotators_are_worse_than_chance() -> None:
    # expected 1/2, observed 0: (0 - 1/2) / (1 - 1/2) = -1
    assert cohen_kappa(table([0, 1], [1, 0])) == -1.0
    assert scott_pi(table([0, 1], [1, 0])) == -1.0


def test_nothing_compared_has_no_value() -> None:
    assert cohen_kappa({}) is None
    assert scott_pi({}) is None
    assert cohen_kappa({(1, 0): 0.0}) is None


def test_one_label_for_all_has_no_value_because_chance_explains_it() -> None:
    assert cohen_kappa(table([1, 1, 1], [1, 1, 1])) is None
    assert scott_pi(table([1, 1, 1], [1, 1, 1])) is None


@pytest.mark.parametrize("seed", range(20))
def test_cohen_equals_scikit_learn_and_is_symmetric(seed: int) -> None:
    draw = random.Random(seed)
    first, second = draw.choices([-1, 0, 1], k=40), draw.choices([-1, 0, 1], k=40)
    found = cohen_kappa(table(first, second))
    assert found == pytest.approx(cohen_kappa_score(first, second))
    assert found == pytest.approx(cohen_kappa(table(second, first)))
    assert (scott_pi(table(first, second)) or 0.0) <= (found or 0.0) + 1e-12


def test_pandalm_annotators(shared_data: Path) -> None:
    rows = json.loads((shared_data / "pandalm" / "testset-v1.json").read_text())
    by = {k: [row[f"annotator{k}"] for row in rows] for k in (1, 2, 3)}
    found = [round(cohen_kappa(table(by[a], by[b])) or 0.0, 3) for a, b in ((1, 2), (1, 3), (2, 3))]
    assert found == [0.852, 0.879, 0.862]


# Agreement, kappa, pi, times 100, of "Judging the Judges" (arXiv 2406.12624).
TRIVIAQA = [
    ("judgments_v1.csv", "Llama3-70B", (92.66, 81.79, 81.74)),
    ("judgments_v1.csv", "GPT-4", (91.15, 78.76, 78.75)),
    ("judgments_v1.csv", "EM", (70.88, 45.78, 41.13)),
    ("judgments_v1.csv", "Llama-13B", (77.50, 54.42, 52.85)),
    ("judgments_v1.csv", "Gemma-2B", (78.03, 42.20, 41.32)),
    ("judgments_v2.csv", "GPT-4", (95.00, 89.24, 89.24)),
    ("judgments_v2.csv", "Llama3-70B", (94.41, 87.65, 87.63)),
    ("judgments_v2.csv", "JudgeLM", (52.06, 17.45, 1.71)),
    ("judgments_v2.csv", "Gemma-2B", (62.69, 4.99, -3.49)),
]


@pytest.mark.parametrize(("file", "judge", "expected"), TRIVIAQA)
def test_judges_of_triviaqa_against_humans(
    shared_data: Path, file: str, judge: str, expected: tuple[float, float, float]
) -> None:
    with (shared_data / "triviaqa_judges" / file).open() as lines:
        rows = list(csv.DictReader(lines))
    human, judged = ([row[name] or None for row in rows] for name in ("human", judge))
    confusion = Counter({pair: n for pair, n in table(human, judged).items() if None not in pair})
    found = (accuracy_of(confusion), cohen_kappa(confusion), scott_pi(confusion))
    assert tuple(round(100 * (value or 0.0), 2) for value in found) == expected
