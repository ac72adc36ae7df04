"""Krippendorff's alpha: the published example, its relation to Scott's pi, and its interval."""

import random
from collections import Counter

import pytest

from judgestream.evaluation.confusion_figures import chance_corrected_figures
from judgestream.evaluation.kappa import scott_pi
from judgestream.evaluation.krippendorff import alpha_of, apart, krippendorff_alpha

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
