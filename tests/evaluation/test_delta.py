"""Figures of a confusion: the estimate is exact, and the interval holds the truth with rare classes, too."""

import random
from collections import Counter
from collections.abc import Hashable
from functools import partial

import numpy as np
import pytest

from judgestream.evaluation.agreement import CLASSES
from judgestream.evaluation.delta import IMAGINED_FOR_KAPPA, figure
from judgestream.evaluation.kappa import cohen_kappa, scott_pi
from judgestream.evaluation.macro import macro
from tests.evaluation.simulate import (
    EVEN,
    FEW_TIES,
    NO_TIES,
    RARE_TIES,
    STATISTICS,
    Cells,
    coverage,
    figure_and_truth,
)

# The percentile bootstrap covers 84, 64, 83, 19, 90 % here.
WORLDS = [
    pytest.param(FEW_TIES, 50, id="4.5 % ties"),
    pytest.param(RARE_TIES, 100, id="1 % ties of 100"),
    pytest.param(RARE_TIES, 500, id="1 % ties of 500"),
    pytest.param(NO_TIES, 50, id="no ties"),
    pytest.param(EVEN, 20, id="even"),
]


@pytest.mark.parametrize("name", STATISTICS)
@pytest.mark.parametrize(("cells", "n"), WORLDS)
def test_the_interval_covers_with_rare_classes(name: str, cells: Cells, n: int) -> None:
    draw = np.random.default_rng([n, len(name), int(1000 * cells[1].sum())])
    found = [figure_and_truth(draw, cells, n, name) for _ in range(300)]
    given = [(one.interval, truth) for one, truth in found if one.interval is not None]
    assert len(given) >= 290
    inside = sum(interval.low <= truth <= interval.high for interval, truth in given)
    assert (
        inside / len(given) >= 0.92
    )  # 93 % and more over many rounds, see docs/design/statistics.md


@pytest.mark.parametrize("correlated", [False, True])
def test_the_interval_covers_with_many_verdicts_on_a_prompt(correlated: bool) -> None:
    """40 prompts of 10 verdicts; a prompt's verdicts all have one gold and, when correlated, mostly one
    verdict. Truth: recall .8 of either class, so kappa is .6."""
    draw = np.random.default_rng(int(correlated))
    clusters = [k // 10 for k in range(400)]
    found, naive = [], []
    for _ in range(150):
        gold = draw.choice([1, -1], 40)
        own = draw.beta(1.6, 0.4, 40) if correlated else np.full(40, 0.8)  # correlation 1/3
        hits = draw.random((40, 10)) < own[:, None]
        rows = [
            (int(g), int(g) if hit else -int(g))
            for g, row in zip(gold, hits, strict=True)
            for hit in row
        ]
        kappa = partial(figure, cohen_kappa, rows, imagined=IMAGINED_FOR_KAPPA, lowest=-1.0)
        found.append(kappa(clusters))
        naive.append(kappa())
    assert coverage((one.interval for one in found), 0.6) >= 0.92
    if correlated:
        assert coverage((one.interval for one in naive), 0.6) < 0.8
        assert min(one.design_effect for one in found) > 1.5


def test_the_estimate_is_that_of_the_rows_and_lies_inside() -> None:
    draw = random.Random(4)
    for n in (1, 2, 5, 30):
        rows = [(draw.choice((1, 0, -1)), draw.choice((1, 0, -1))) for _ in range(n)]
        found = figure(lambda t: macro(t).f1, rows)
        assert found.value == macro(Counter(rows)).f1
        assert found.interval is not None and found.value is not None
        assert 0.0 <= found.interval.low <= found.value <= found.interval.high <= 1.0
        assert found.interval.low < found.interval.high


def test_perfect_agreement_is_not_certain() -> None:
    found = figure(lambda t: macro(t).f1, [(1, 1)] * 10 + [(-1, -1)] * 10)
    assert found.interval is not None
    assert found.value == 1.0 == found.interval.high
    assert 0.65 < found.interval.low < 0.95


def test_a_rare_class_widens_the_interval() -> None:
    common = [(1, 1)] * 80 + [(-1, -1)] * 80 + [(1, -1)] * 20 + [(-1, 1)] * 20
    ends = [
        figure(lambda t: macro(t).recall, [*common, *rare]).interval
        for rare in ([], [(0, 0)] * 2 + [(0, 1)], ([(0, 0)] * 2 + [(0, 1)]) * 20)
    ]
    without, few, many = (one.high - one.low for one in ends if one)
    assert many < few / 3
    assert few > 3 * without


def test_an_undefined_figure_has_no_interval() -> None:
    assert figure(cohen_kappa, [(1, 1)] * 5).interval is None  # chance explains it
    assert figure(lambda t: macro(t).f1, []).value is None
    alone = figure(lambda t: macro(t).f1, [(1, 1), (1, -1)], ["q", "q"])
    assert (alone.value is not None, alone.interval) == (True, None)


def test_kappa_and_pi_do_not_depend_on_the_total_of_a_confusion() -> None:
    draw = random.Random(0)
    first, second = draw.choices(CLASSES, k=30), draw.choices(CLASSES, k=30)
    confusion: Counter[tuple[Hashable, Hashable]] = Counter(zip(first, second, strict=True))
    tenth: dict[tuple[Hashable, Hashable], float] = {
        pair: count / 10 for pair, count in confusion.items()
    }
    assert cohen_kappa(tenth) == pytest.approx(cohen_kappa(confusion))
    assert scott_pi(tenth) == pytest.approx(scott_pi(confusion))
