"""Krippendorff's alpha: the published example, its relation to Scott's pi, and its interval."""

import json
import random
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from judgestream.evaluation.confusion_figures import chance_corrected_figures
from judgestream.evaluation.kappa import scott_pi
from judgestream.evaluation.krippendorff import (
    alpha_of,
    apart,
    krippendorff_alpha,
    reliability_of_labels,
)
from tests.evaluation.simulate import coverage

GAP = None
# Krippendorff (2011), example C: four observers, twelve units, gaps.
OBSERVERS = (
    (1, 2, 3, 3, 2, 1, 4, 1, 2, GAP, GAP, GAP),
    (1, 2, 3, 3, 2, 2, 4, 1, 2, 5, GAP, 3),
    (GAP, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, GAP),
    (1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, GAP),
)


def test_the_published_example() -> None:
    units = list(zip(*OBSERVERS, strict=True))
    assert krippendorff_alpha(units) == pytest.approx(0.743, abs=5e-4)
    assert krippendorff_alpha(units, apart) == pytest.approx(0.849, abs=5e-4)


def test_two_annotators_without_gaps_have_scotts_pi_corrected_for_the_sample() -> None:
    draw = random.Random(3)
    pairs = [(draw.choice("abc"), draw.choice("abc")) for _ in range(40)]
    pi = scott_pi(Counter(pairs))
    assert pi is not None
    expected = 1 - (1 - pi) * 79 / 80
    assert krippendorff_alpha(pairs) == pytest.approx(expected)
    assert alpha_of(40)(Counter(pairs)) == pytest.approx(expected)
    found = chance_corrected_figures(pairs)["alpha"]
    assert found.value == pytest.approx(expected)
    assert found.interval is not None
    assert found.interval.low < expected < found.interval.high


@pytest.mark.parametrize(
    "items",
    [
        pytest.param([], id="nothing"),
        pytest.param([[1], [2, None]], id="no pair"),
        pytest.param([[1, 1], [1, 1]], id="one label"),
    ],
)
def test_without_two_labels_to_confuse_there_is_no_alpha(items: list[list[int | None]]) -> None:
    assert krippendorff_alpha(items) is None


def test_no_pair_has_no_figure() -> None:
    assert chance_corrected_figures([])["alpha"].value is None
    assert chance_corrected_figures([(1, 1)] * 4)["alpha"].interval is None


def test_annotators_of_pandalm_agree_among_themselves(shared_data: Path) -> None:
    """Three annotators, no gaps: the value is the generic alpha's, and prompts widen the interval."""
    rows = json.loads((shared_data / "pandalm" / "testset-v1.json").read_text())
    items = [[row[f"annotator{k}"] for k in (1, 2, 3)] for row in rows]
    prompts = [(row["instruction"], row["input"]) for row in rows]
    found = reliability_of_labels(items, prompts)
    assert found.value == krippendorff_alpha(items)
    assert round(found.value or 0.0, 3) == 0.864
    assert (found.n, found.clusters) == (999, 170)
    assert found.interval is not None and found.interval.low < 0.864 < found.interval.high
    assert found.design_effect > 1.0


@pytest.mark.no_cover
@pytest.mark.parametrize(("prompts", "size", "icc"), [(60, 1, 0.0), (40, 5, 0.3)])
def test_the_interval_covers_gaps_and_prompts(prompts: int, size: int, icc: float) -> None:
    """One to three annotators, right with .8 on average, else one of three labels at random."""
    draw = np.random.default_rng([prompts, size])

    def sample(number: int) -> tuple[list[list[int | None]], list[int]]:
        spread = (1 - icc) / icc if icc else 0.0
        own = draw.beta(0.8 * spread, 0.2 * spread, number) if icc else np.full(number, 0.8)
        right = draw.random((number, size, 3)) < own[:, None, None]
        truth = draw.choice(3, (number, size, 1), p=[0.45, 0.1, 0.45])
        labels = np.where(right, truth, draw.integers(0, 3, (number, size, 3)))
        given = draw.random((number, size, 3)) < 0.8
        items = [
            [int(one) if known else None for one, known in zip(row, mask, strict=True)]
            for row, mask in zip(labels.reshape(-1, 3), given.reshape(-1, 3), strict=True)
        ]
        return items, [k // size for k in range(number * size)]

    truth = krippendorff_alpha(sample(8000)[0])
    assert truth is not None
    found = [reliability_of_labels(*sample(prompts)).interval for _ in range(200)]
    assert coverage(found, truth) >= 0.93


def test_perfect_agreement_on_a_few_items_is_not_certain() -> None:
    found = reliability_of_labels([["a", "a"], ["b", "b"]] * 5)
    assert found.value == 1.0 and found.interval is not None
    assert 0.4 < found.interval.low < 0.95
    assert reliability_of_labels([["a"], ["b"]]).value is None
    assert reliability_of_labels([["a", "b"], ["b", "b"]], [1, 1]).interval is None
