"""Style differences of two answers, as covariates of their comparison.

Arena's style control (FastChat): for each feature (a - b) / (a + b + 1), divided by its size over all
comparisons. A coefficient is the log-odds that one such unit of difference is worth. Arena also subtracts the
mean, which would make the result depend on which answer stands first; here nothing is subtracted.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt

from judgestream.core.preference import Preference
from judgestream.core.types import RERANK, Status, Style, Verdict
from judgestream.evaluation.comparisons import Comparison, Parameter, strengths
from judgestream.evaluation.prompt_clusters import Cluster, cluster_of
from judgestream.evaluation.scored_verdict import outcome_of

FEATURES = ("words", "headers", "list_items", "bold")
"""Fields of `Style`, in the order of the covariates."""


def style_difference(first: Style, second: Style) -> tuple[float, ...]:
    """The normalised difference of each feature, -1 to 1; exchanging the answers changes the signs."""
    return tuple(
        (getattr(first, name) - getattr(second, name))
        / (getattr(first, name) + getattr(second, name) + 1)
        for name in FEATURES
    )


def standardised(
    rows: Sequence[tuple[float, ...]],
) -> tuple[list[tuple[float, ...]], tuple[bool, ...]]:
    """The rows with every column divided by its root mean square, without the columns that are 0 everywhere;
    and which columns were kept."""
    if not rows:
        return [], ()
    columns = list(zip(*rows, strict=True))
    sizes = [sqrt(sum(value * value for value in column) / len(rows)) for column in columns]
    kept = tuple(size > 0.0 for size in sizes)
    scaled = [
        tuple(value / size for value, size in zip(row, sizes, strict=True) if size > 0.0)
        for row in rows
    ]
    return scaled, kept


@dataclass(frozen=True, kw_only=True, slots=True)
class StyledPair:
    """A verdict on two answers whose style is known, whichever systems gave them."""

    outcome: Preference
    difference: tuple[float, ...]
    cluster: Cluster


@dataclass(frozen=True, kw_only=True, slots=True)
class StyleEffects:
    """What a judge gives for each feature: the log-odds that one unit of difference is worth; None for a
    feature in which no two answers differ."""

    features: Mapping[str, Parameter | None]
    pairs: int
    prompts: int


def styled_pair(verdict: Verdict) -> StyledPair | None:
    """None for a verdict that is not one on two answers of known style."""
    if not verdict.is_counted or verdict.status is not Status.SCORED or verdict.mode == RERANK:
        return None
    styles = [score.style for score in verdict.scores]
    outcome = outcome_of(verdict, [score.candidate_id for score in verdict.scores])
    if outcome is None or styles[0] is None or styles[1] is None:
        return None
    return StyledPair(
        outcome=outcome,
        difference=style_difference(styles[0], styles[1]),
        cluster=cluster_of(verdict),
    )


def style_effects(pairs: Iterable[StyledPair]) -> StyleEffects | None:
    """The effect of style on a judge's verdicts, without regard to who gave the answers; None without pairs.

    Better answers may be longer. Where systems are named, `leaderboard` with style control separates the two.
    """
    known = sorted(pairs, key=lambda one: (one.cluster, one.difference, one.outcome))
    rows, kept = standardised([one.difference for one in known])
    fit = strengths(
        1,
        [
            Comparison(first=0, second=0, outcome=one.outcome, cluster=one.cluster, covariates=row)
            for one, row in zip(known, rows, strict=True)
        ],
        covariates=sum(kept),
    )
    if fit is None:
        return None
    coefficients = iter(fit.coefficients)
    return StyleEffects(
        features={
            name: next(coefficients) if is_kept else None
            for name, is_kept in zip(FEATURES, kept, strict=True)
        },
        pairs=fit.n,
        prompts=fit.clusters,
    )
