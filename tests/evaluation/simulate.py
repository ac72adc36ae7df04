"""Coverage of intervals by simulation. Seeds are fixed; the bounds leave room for chance."""

from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray

from judgestream.evaluation.agreement import CLASSES
from judgestream.evaluation.delta import IMAGINED, IMAGINED_FOR_KAPPA, Figure, LabelPair, figure
from judgestream.evaluation.intervals import Interval
from judgestream.evaluation.kappa import cohen_kappa, scott_pi
from judgestream.evaluation.macro import Table, macro

Statistic = Callable[[Table], float | None]

Cells = NDArray[np.float64]
"""Share of every (gold, predicted), 3 x 3."""


def coverage(intervals: Iterable[Interval | None], truth: float) -> float:
    """The share of intervals that hold the truth. One that is not given is left out."""
    given = [interval for interval in intervals if interval is not None]
    return sum(one.low <= truth <= one.high for one in given) / len(given)


def clustered(
    draw: np.random.Generator, *, share: float, correlation: float, clusters: int, size: int
) -> list[bool]:
    """Hits of `size` verdicts on each prompt, cluster by cluster; the intra-prompt correlation is exact:
    every prompt has its own share, drawn from a beta distribution."""
    if correlation == 0.0:
        own = np.full(clusters, share)
    else:
        spread = (1.0 - correlation) / correlation
        own = draw.beta(share * spread, (1.0 - share) * spread, clusters)
    hits: list[bool] = (draw.random((clusters, size)) < own[:, None]).ravel().tolist()
    return hits


def confident(
    draw: np.random.Generator, n: int, *, error: float, sharp: bool = False
) -> tuple[list[float], list[bool]]:
    """Confidences and hits of a judge that is too confident by `error` everywhere."""
    confidences = 1.0 - 0.6 * draw.beta(0.6, 4.0, n) if sharp else draw.uniform(0.4, 1.0, n)
    return confidences.tolist(), (draw.random(n) < confidences - error).tolist()


def world(shares: tuple[float, float, float], right: tuple[float, float, float]) -> Cells:
    """Share of every (gold, predicted): what is not right falls evenly on the other two."""
    cells = np.array([[(1 - right[k]) / 2] * 3 for k in range(3)])
    np.fill_diagonal(cells, right)
    result: Cells = cells * np.array(shares)[:, None]
    return result


FEW_TIES = world((0.48, 0.045, 0.475), (0.85, 0.5, 0.85))
RARE_TIES = world((0.48, 0.01, 0.51), (0.85, 0.3, 0.85))
NO_TIES = np.array([[0.45, 0.0025, 0.0475], [0, 0, 0], [0.0475, 0.0025, 0.45]])
"""No gold ties; half a percent of the verdicts are ties."""
EVEN = world((0.33, 0.34, 0.33), (0.6, 0.6, 0.6))

STATISTICS: dict[str, Callable[[tuple[int, ...]], Statistic]] = {
    "precision": lambda classes: lambda t: macro(t, classes).precision,
    "recall": lambda classes: lambda t: macro(t, classes).recall,
    "f1": lambda classes: lambda t: macro(t, classes).f1,
    "kappa": lambda _: cohen_kappa,
    "pi": lambda _: scott_pi,
}


def figure_and_truth(
    draw: np.random.Generator, cells: Cells, n: int, name: str
) -> tuple[Figure, float]:
    """A figure of `n` rows drawn from a world, and its value in that world over the classes which the
    sample's gold has: the set that is printed with it."""
    drawn = draw.multinomial(n, cells.ravel()).reshape(3, 3)
    rows: list[LabelPair] = [
        (g, p)
        for i, g in enumerate(CLASSES)
        for j, p in enumerate(CLASSES)
        for _ in range(drawn[i, j])
    ]
    statistic = STATISTICS[name](tuple(c for i, c in enumerate(CLASSES) if drawn[i].sum()))
    chance_corrected = name in ("kappa", "pi")
    found = figure(
        statistic,
        rows,
        outcomes=CLASSES,
        imagined=IMAGINED_FOR_KAPPA if chance_corrected else IMAGINED,
        lowest=-1.0 if chance_corrected else 0.0,
    )
    truth = statistic(
        {(g, p): cells[i, j] for i, g in enumerate(CLASSES) for j, p in enumerate(CLASSES)}
    )
    assert truth is not None
    return found, truth


def gains(
    draw: np.random.Generator, difference: float, correlation: float, *, prompts: int, size: int
) -> list[int]:
    """+1 with .15 + difference, -1 with .15 on average, by a Dirichlet of each prompt."""
    mean = np.array([0.15 + difference, 0.15, 0.7 - difference])
    own = np.tile(mean, (prompts, 1))
    if correlation:
        own = draw.dirichlet(mean * (1 - correlation) / correlation, prompts)
    picked = (own.cumsum(1)[:, None, :] < draw.random((prompts, size, 1))).sum(2)
    return [(1, -1, 0)[min(2, k)] for k in picked.ravel().tolist()]
