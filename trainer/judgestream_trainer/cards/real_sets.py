"""The evaluation card of the small judge: its figures on published sets, beside baselines and variants."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from judgestream.evaluation.measures import Estimate, estimates
from judgestream.evaluation.pair_outcome import PairOutcome


@dataclass(frozen=True, kw_only=True, slots=True)
class SetFigures:
    """Figures of one set. Shares with 95 % intervals in which pairs of one question count as one cluster.

    three_way          accuracy over all pairs, ties included
    decided            accuracy over the pairs whose truth is not a tie
    longer_is_better, shorter_is_better   accuracy over the pairs whose better answer is longer, or shorter
    ece                expected calibration error of the confidence
    length_alone       `decided` of a judge that always prefers the longer answer
    length_three_way   its `three_way`
    """

    n: int
    ties: int
    three_way: Estimate
    decided: Estimate
    longer_is_better: Estimate | None
    shorter_is_better: Estimate | None
    ece: Estimate
    length_alone: Estimate
    length_three_way: Estimate


def set_figures(judged: Sequence[PairOutcome]) -> SetFigures:
    """The figures of a set with at least one decided pair."""
    decided = [row for row in judged if row.truth]
    by_length = [replace(row, verdict=row.longer, confidence=1.0) for row in judged]
    whole = estimates(judged)
    return SetFigures(
        n=len(judged),
        ties=len(judged) - len(decided),
        three_way=whole["accuracy"],
        decided=_accuracy(decided),
        longer_is_better=_maybe([row for row in decided if row.truth == row.longer]),
        shorter_is_better=_maybe([row for row in decided if row.truth == -row.longer]),
        ece=whole["ece"],
        length_alone=_accuracy([row for row in by_length if row.truth]),
        length_three_way=_accuracy(by_length),
    )


def figures_data(figures: Mapping[str, SetFigures]) -> dict[str, Any]:
    """The figures as plain data, for `evaluation.json`."""
    return {name: asdict(row) for name, row in figures.items()}


def figures_table(figures: Mapping[str, SetFigures]) -> list[str]:
    """A Markdown table, one set a row."""
    lines = [
        "| set | pairs (ties) | three-way | without ties | longer is better | shorter is better | ECE |"
        " longer answer wins: three-way | without ties |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name, row in figures.items():
        cells = (
            f"{row.n:,} ({row.ties})",
            *map(
                _cell,
                (
                    row.three_way,
                    row.decided,
                    row.longer_is_better,
                    row.shorter_is_better,
                    row.ece,
                    row.length_three_way,
                    row.length_alone,
                ),
            ),
        )
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines


def _accuracy(judged: Sequence[PairOutcome]) -> Estimate:
    return estimates(judged)["accuracy"]


def _maybe(judged: Sequence[PairOutcome]) -> Estimate | None:
    return _accuracy(judged) if judged else None


def _cell(estimate: Estimate | None) -> str:
    if estimate is None:
        return "-"
    return f"{estimate.share:.3f} [{estimate.low:.3f}, {estimate.high:.3f}]"
