"""Accuracies of many tasks as one score per factor, and what a judge's score depends on.

Style Outweighs Substance (arXiv 2409.15268): accuracies are normalised by chance and averaged within a
factor; the weight of a factor in a judgement is its correlation with the overall score over the systems.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from judgestream.evaluation.rank_correlation import pearson
from judgestream.evaluation.regression import linear, standardised


def above_chance(accuracy: float, chance: float) -> float:
    """(accuracy - chance) / (1 - chance), at least 0: 0 for guessing, 1 for all right.

    Raises:
        ValueError: chance is not from 0 to below 1.
    """
    if not 0.0 <= chance < 1.0:
        raise ValueError(f"chance is {chance}: it must be from 0 to below 1")
    return max(0.0, (accuracy - chance) / (1.0 - chance))


@dataclass(frozen=True, kw_only=True, slots=True)
class Factor:
    """The mean over `tasks` tasks. It has no interval: the tasks are the factor, not a sample of it."""

    value: float
    tasks: int


def factor(accuracies: Mapping[str, float], chances: Mapping[str, float]) -> Factor | None:
    """The mean of the tasks' accuracies above chance; None without any.

    Args:
        chances: of tasks with choices; a task that is not there has none.
    """
    values = [above_chance(value, chances.get(name, 0.0)) for name, value in accuracies.items()]
    return Factor(value=fmean(values), tasks=len(values)) if values else None


@dataclass(frozen=True, kw_only=True, slots=True)
class Weights:
    """What the overall scores of `systems` systems depend on.

    correlations   Pearson's r of each factor with the overall score; None where one does not vary
    ridge          standardised coefficients of all factors together; None where too few systems are scored
    r2             of the ridge fit
    """

    systems: int
    correlations: Mapping[str, float | None]
    ridge: Mapping[str, float] | None
    r2: float | None


PENALTY = 1.0
"""Of the ridge fit, in systems: factors of one answer are close to collinear, and least squares unstable."""


def weights(
    factors: Mapping[str, Sequence[float]], overall: Sequence[float], *, penalty: float = PENALTY
) -> Weights:
    """How much each factor goes with the overall score over the systems.

    Raises:
        ValueError: a factor has not one value per system.
    """
    correlations = {name: pearson(column, overall) for name, column in factors.items()}
    fit = None
    if len(overall) > 2 and factors:
        columns = [standardised(column) for column in factors.values()]
        fit = linear(list(zip(*columns, strict=True)), standardised(overall), ridge=penalty)
    return Weights(
        systems=len(overall),
        correlations=correlations,
        ridge=None if fit is None else dict(zip(factors, fit.slopes, strict=True)),
        r2=None if fit is None else fit.r2,
    )
