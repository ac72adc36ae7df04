"""Figures of a confusion: the estimate is exact, and the interval holds the truth with rare classes, too."""

import random
from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest

from judgestream.core.stats.delta import IMAGINED, IMAGINED_FOR_KAPPA, Row, figure
from judgestream.core.stats.kappa import cohen_kappa, kappa_of, pi_of, scott_pi
from judgestream.core.stats.macro import Table, macro

from .simulate import coverage

CLASSES = (1, 0, -1)

Statistic = Callable[[Table], float | None]


def world(shares: tuple[float, float, float], right: tuple[float, float, float]) -> np.ndarray:
    """Share of every (gold, predicted): what is not right falls evenly on the other two."""
    cells = np.array([[(1 - right[k]) / 2] * 3 for k in range(3)])
    np.fill_diagonal(cells, right)
    return cells * np.array(shares)[:, None]


NO_TIES = np.array([[0.45, 0.0025, 0.0475], [0, 0, 0], [0.0475, 0.0025, 0.45]])
"""No gold ties; half a percent of the verdicts are ties."""

# statistics.md section 3. The percentile bootstrap covers 84, 64, 83, 19, 90 % here.
WORLDS = [
    ("4.5 % ties", world((0.48, 0.045, 0.475), (0.85, 0.5, 0.85)), 50),
    ("1 % ties", world((0.48, 0.01, 0.51), (0.85, 0.3, 0.85)), 100),
    ("1 % ties", world((0.48, 0.01, 0.51), (0.85, 0.3, 0.85)), 500),
    ("no ties", NO_TIES, 50),
    ("even", world((0.33, 0.34, 0.33), (0.6, 0.6, 0.6)), 20),
]
STATISTICS: dict[str, Callable[[tuple[int, ...]], Statistic]] = {
    "precision": lambda classes: lambda t: macro(t, classes).precision,
    "recall": lambda classes: lambda t: macro(t, classes).recall,
    "f1": lambda classes: lambda t: macro(t, classes).f1,
    "kappa": lambda _: kappa_of,
    "pi": lambda _: pi_of,
}


@pytest.mark.parametrize("name", STATISTICS)
@pytest.mark.parametrize(("label", "cells", "n"), WORLDS, ids=lambda value: str(value)[:6])
def test_the_interval_covers_with_rare_classes(
    name: str, label: str, cells: np.ndarray, n: int
) -> None:
    """The truth is that over the classes which the sample's gold has: the set that is printed with it."""
    draw = np.random.default_rng([n, len(name), len(label)])
    of_all = {(g, p): cells[i, j] for i, g in enumerate(CLASSES) for j, p in enumerate(CLASSES)}
    chance_corrected = name in ("kappa", "pi")
    given, inside = 0, 0
    for _ in range(150):
        drawn = draw.multinomial(n, cells.ravel()).reshape(3, 3)
        rows: list[Row] = [
            (g, p)
            for i, g in enumerate(CLASSES)
            for j, p in enumerate(CLASSES)
            for _ in range(drawn[i, j])
        ]
        classes = tuple(c for i, c in enumerate(CLASSES) if drawn[i].sum())
        statistic = STATISTICS[name](classes)
        found = figure(
            statistic,
            rows,
            outcomes=CLASSES,
            imagined=IMAGINED_FOR_KAPPA if chance_corrected else IMAGINED,
            lowest=-1.0 if chance_corrected else 0.0,
        )
        truth = statistic(of_all)
        assert truth is not None
        if found.interval is not None:
            given += 1
            inside += found.interval.low <= truth <= found.interval.high
    assert given >= 145
    assert inside / given >= 0.92  # 93 % and more over many rounds, see docs/statistics.md


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
        options = {"imagined": IMAGINED_FOR_KAPPA, "lowest": -1.0}
        found.append(figure(kappa_of, rows, clusters, **options))
        naive.append(figure(kappa_of, rows, **options))
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
        assert found.interval is not None
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


def test_what_has_no_value_has_no_interval() -> None:
    assert figure(kappa_of, [(1, 1)] * 5).interval is None  # chance explains it
    assert figure(lambda t: macro(t).f1, []).value is None
    alone = figure(lambda t: macro(t).f1, [(1, 1), (1, -1)], ["q", "q"])
    assert (alone.value is not None, alone.interval) == (True, None)


@pytest.mark.parametrize("seed", range(10))
def test_kappa_and_pi_of_a_confusion_are_those_of_the_lists(seed: int) -> None:
    draw = random.Random(seed)
    first, second = draw.choices(CLASSES, k=30), draw.choices(CLASSES, k=30)
    confusion = Counter(zip(first, second, strict=True))
    tenth = {pair: count / 10 for pair, count in confusion.items()}
    assert kappa_of(tenth) == pytest.approx(cohen_kappa(first, second).value)
    assert pi_of(tenth) == pytest.approx(scott_pi(first, second).value)
    assert kappa_of({}) is None and pi_of({(1, 1): 3.0}) is None
