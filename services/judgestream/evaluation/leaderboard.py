"""Leaderboard of systems: strengths from a judge's verdicts on pairs of answers, optionally free of style."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from enum import StrEnum
from math import log

from judgestream.core.preference import Preference
from judgestream.core.types import RERANK, Status, Style, Verdict
from judgestream.evaluation.clusters import Mean, clustered_mean
from judgestream.evaluation.comparisons import Comparison, Parameter, strengths
from judgestream.evaluation.intervals import LEVEL
from judgestream.evaluation.prompt_clusters import Cluster, cluster_of
from judgestream.evaluation.scored_verdict import outcome_of
from judgestream.evaluation.style_control import FEATURES, standardised, style_difference

PER_NAT = 400.0 / log(10.0)
"""Rating points per unit of log-odds: 400 points are odds of 10 : 1, as in chess and in Arena."""
CENTRE = 1000.0
"""The mean rating of the systems on a board."""
MOST_SYSTEMS = 100
"""On one board: the time of a fit grows with the third power, and anybody may publish new names."""


class Skipped(StrEnum):
    """Why a verdict is not a battle. Counted, and in no figure."""

    NOT_COUNTED = "not_counted"  # a probe, or a question about a verdict
    NOT_SCORED = "not_scored"  # unscored or failed
    NOT_A_PAIR = "not_a_pair"  # of one answer, a ranking, or documents
    NO_SYSTEM = "no_system"  # an answer does not say which system gave it
    SAME_SYSTEM = "same_system"  # both answers are one system's
    RARE_SYSTEM = "rare_system"  # of a system beyond the `MOST_SYSTEMS` with the most battles
    NO_STYLE = "no_style"  # judged by a version that did not count style; with style control only


@dataclass(frozen=True, kw_only=True, slots=True)
class Battle:
    """One verdict on answers of two systems."""

    first: str
    second: str
    outcome: Preference
    cluster: Cluster
    styles: tuple[Style, Style] | None

    def within(self, systems: Set[str]) -> bool:
        """Whether both systems are among these."""
        return self.first in systems and self.second in systems


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """One system's row.

    rating     in Elo points; the mean of all systems is `CENTRE`
    rank       1 + the systems whose interval lies above this one's, so that equals share a rank
    win_rate   wins and half of the ties, as a share of the battles
    """

    system: str
    rank: int
    rating: Parameter
    battles: int
    win_rate: Mean


@dataclass(frozen=True, kw_only=True, slots=True)
class Board:
    """A leaderboard, best first; without battles it has no places.

    style    of a board with style control: the log-odds that one unit of each feature's difference is worth;
             None for a feature in which no two answers differ
    groups   of systems that battles connect; ratings of different groups do not compare
    """

    places: tuple[Place, ...]
    style: Mapping[str, Parameter | None]
    tie_rate: float | None
    battles: int
    prompts: int
    groups: int
    skipped: Mapping[Skipped, int]


def battle_of(verdict: Verdict, cluster_key: str = "") -> Battle | Skipped:
    """A verdict as a battle, or why it is not one."""
    if not verdict.is_counted:
        return Skipped.NOT_COUNTED
    if len(verdict.scores) != 2 or verdict.mode == RERANK:
        return Skipped.NOT_SCORED if verdict.status is Status.FAILED else Skipped.NOT_A_PAIR
    if verdict.status is not Status.SCORED:
        return Skipped.NOT_SCORED
    first, second = verdict.scores
    outcome = outcome_of(verdict, (first.candidate_id, second.candidate_id))
    if outcome is None:
        return Skipped.NOT_A_PAIR
    if not first.system or not second.system:
        return Skipped.NO_SYSTEM
    if first.system == second.system:
        return Skipped.SAME_SYSTEM
    styles = None
    if first.style is not None and second.style is not None:
        styles = (first.style, second.style)
    return Battle(
        first=first.system,
        second=second.system,
        outcome=outcome,
        cluster=cluster_of(verdict, cluster_key),
        styles=styles,
    )


def leaderboard(
    found: Iterable[Battle | Skipped],
    *,
    style_control: bool = False,
    resamples: int = 0,
    seed: int = 0,
    level: float = LEVEL,
) -> Board:
    """The board of these battles.

    Args:
        style_control: whether style differences are covariates, so that ratings are those of equal style.
        resamples: see `comparisons.strengths`.
    """
    battles: list[Battle] = []
    skipped: Counter[Skipped] = Counter()
    for one in found:
        if isinstance(one, Skipped):
            skipped[one] += 1
        elif style_control and one.styles is None:
            skipped[Skipped.NO_STYLE] += 1
        else:
            battles.append(one)
    frequent = most_frequent(battles)
    skipped[Skipped.RARE_SYSTEM] += sum(not one.within(frequent) for one in battles)
    battles = [one for one in battles if one.within(frequent)]
    # in a fixed order, so that the same battles give the same digits however they arrived
    battles.sort(key=lambda one: (one.cluster, one.first, one.second, one.outcome, str(one.styles)))
    systems = sorted({name for one in battles for name in (one.first, one.second)})
    rows, kept = _covariates(battles) if style_control else ([()] * len(battles), ())
    number = {name: k for k, name in enumerate(systems)}
    fit = strengths(
        len(systems),
        [
            Comparison(
                first=number[one.first],
                second=number[one.second],
                outcome=one.outcome,
                cluster=one.cluster,
                covariates=row,
            )
            for one, row in zip(battles, rows, strict=True)
        ],
        covariates=sum(kept),
        resamples=resamples,
        seed=seed,
        level=level,
    )
    if fit is None:
        return Board(
            places=(),
            style={},
            tie_rate=None,
            battles=0,
            prompts=0,
            groups=0,
            skipped=dict(+skipped),
        )
    coefficients = iter(fit.coefficients)
    return Board(
        places=_places(systems, fit.systems, battles, level),
        style={
            name: next(coefficients) if is_kept else None
            for name, is_kept in zip(FEATURES, kept, strict=False)
        },
        tie_rate=sum(one.outcome is Preference.TIE for one in battles) / len(battles),
        battles=len(battles),
        prompts=fit.clusters,
        groups=fit.groups,
        skipped=dict(sorted((+skipped).items())),
    )


def most_frequent(battles: Iterable[Battle], most: int = MOST_SYSTEMS) -> Set[str]:
    """The systems with the most battles; of equal numbers the first by name."""
    counts = Counter(name for one in battles for name in (one.first, one.second))
    return set(sorted(counts, key=lambda name: (-counts[name], name))[:most])


def _covariates(battles: Sequence[Battle]) -> tuple[list[tuple[float, ...]], tuple[bool, ...]]:
    return standardised([style_difference(*one.styles) for one in battles if one.styles])


def _places(
    systems: Sequence[str],
    fitted: Sequence[Parameter],
    battles: Sequence[Battle],
    level: float,
) -> tuple[Place, ...]:
    points: defaultdict[str, list[tuple[float, Cluster]]] = defaultdict(list)
    for one in battles:
        points[one.first].append(((1 + one.outcome) / 2, one.cluster))
        points[one.second].append(((1 - one.outcome) / 2, one.cluster))
    ratings = [one.scaled(PER_NAT, CENTRE) for one in fitted]
    places = []
    for name, rating in zip(systems, ratings, strict=True):
        values, clusters = zip(*points[name], strict=True)
        rate = clustered_mean(values, clusters, level=level)
        assert rate is not None  # noqa: S101  # it has battles  # nosec B101
        places.append(
            Place(
                system=name,
                rank=1 + sum(_above(other, rating) for other in ratings),
                rating=rating,
                battles=len(values),
                win_rate=rate,
            )
        )
    return tuple(sorted(places, key=lambda place: (-place.rating.value, place.system)))


def _above(one: Parameter, other: Parameter) -> bool:
    """Whether the whole interval of one lies above the other's; without intervals, the value."""
    if one.interval is None or other.interval is None:
        return one.value > other.value
    return one.interval.low > other.interval.high
