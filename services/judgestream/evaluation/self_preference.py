"""Self-preference: whether a judge favours answers of its family beyond what they are worth.

What an answer is worth must come from elsewhere: from labels on the same requests, or from judges of other
families. Pairs count in which exactly one answer is of the judge's family.
"""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from judgestream.core.preference import Preference
from judgestream.evaluation.clusters import Mean, clustered_mean
from judgestream.evaluation.comparisons import Comparison, Parameter, strengths
from judgestream.evaluation.families import family_of
from judgestream.evaluation.intervals import LEVEL
from judgestream.evaluation.leaderboard import Battle, most_frequent
from judgestream.evaluation.style_control import standardised, style_difference


@dataclass(frozen=True, kw_only=True, slots=True)
class SelfPreference:
    """What an answer gains by being of the judge's family, from judges of several families.

    log_odds   added to the log-odds of winning; 0 for an impartial judge
    own        battles in which exactly one side is of the judge's family
    judges     families of the judges
    """

    log_odds: Parameter
    own: int
    battles: int
    judges: tuple[str, ...]


def own_side(
    judge: str, first: str, second: str, families: Mapping[str, Sequence[str]] | None = None
) -> int:
    """+1 where the first system alone is of the judge's family, -1 where the second alone is, else 0.

    Args:
        judge: the name of the judge's model; its family is derived as those of systems are.
    """
    family = family_of(judge, families)
    if not family:
        return 0
    return (family_of(first, families) == family) - (family_of(second, families) == family)


def gain_over_labels(
    verdicts: Sequence[Preference],
    labels: Sequence[Preference],
    sides: Sequence[int],
    clusters: Sequence[Hashable] | None = None,
    *,
    level: float = LEVEL,
) -> Mean | None:
    """The judge's win rate for its family less that of the labels on the same pairs, ties half; -1 to 1.

    MT-Bench's self-enhancement (arXiv 2306.05685). The difference is taken pair by pair, so the interval is
    that of paired values. None without a pair of which one side is of the family.

    Args:
        verdicts: of each pair, in candidate order.
        labels: of each pair, as `verdicts`.
        sides: as `own_side` gives them.

    Raises:
        ValueError: the lists differ in length.
    """
    groups = range(len(sides)) if clusters is None else clusters
    rows = [
        ((verdict - label) * side / 2, group)
        for verdict, label, side, group in zip(verdicts, labels, sides, groups, strict=True)
        if side
    ]
    return clustered_mean(
        [gain for gain, _ in rows],
        [group for _, group in rows],
        lowest=-1.0,
        highest=1.0,
        level=level,
    )


def self_preference(
    judged: Iterable[tuple[str, Battle]],
    *,
    families: Mapping[str, Sequence[str]] | None = None,
    style_control: bool = False,
    level: float = LEVEL,
) -> SelfPreference | None:
    """Self-preference from the verdicts of several judges on the same systems, without labels.

    One model of all judges' battles: the systems have common strengths, and being of the judge's family is a
    covariate beside them. With judges of one family alone, strength and preference cannot be separated:
    None, and also where no pair has exactly one side of its judge's family.

    Args:
        judged: the name of the judge's model, and a battle that it decided.
        style_control: whether differences of style are covariates, too; battles without style are left out.
    """
    kept = [(judge, one) for judge, one in judged if not style_control or one.styles is not None]
    frequent = most_frequent(one for _, one in kept)
    kept = [row for row in kept if row[1].within(frequent)]
    kept.sort(key=lambda row: (row[0], row[1].cluster, row[1].first, row[1].second))
    rows = [(judge, one.first, one.second) for judge, one in kept]
    side_of = {row: own_side(*row, families) for row in set(rows)}
    sides = [side_of[row] for row in rows]
    judges = tuple(
        sorted({family_of(judge, families) for judge in {row[0] for row in rows}} - {""})
    )
    if len(judges) < 2 or not any(sides):
        return None
    styles: list[tuple[float, ...]] = [()] * len(kept)
    if style_control:
        styles, _ = standardised([style_difference(*one.styles) for _, one in kept if one.styles])
    systems = sorted({name for _, one in kept for name in (one.first, one.second)})
    number = {name: k for k, name in enumerate(systems)}
    fit = strengths(
        len(systems),
        [
            Comparison(
                first=number[one.first],
                second=number[one.second],
                outcome=one.outcome,
                cluster=one.cluster,
                covariates=(float(side), *style),
            )
            for (_, one), side, style in zip(kept, sides, styles, strict=True)
        ],
        covariates=1 + (len(styles[0]) if styles else 0),
        level=level,
    )
    if fit is None:
        return None
    return SelfPreference(
        log_odds=fit.coefficients[0], own=sum(map(abs, sides)), battles=len(kept), judges=judges
    )
