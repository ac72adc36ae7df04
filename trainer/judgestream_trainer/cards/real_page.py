"""The Markdown page of the small judge's card."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from judgestream.checkpoints.reward_scale import RewardScale
from judgestream.evaluation.reward_fit import RewardFit
from judgestream_trainer.cards.real_sets import SetFigures, figures_table


@dataclass(frozen=True, kw_only=True, slots=True)
class Point:
    """A measurement during training: losses in nats per weighted pair; `accuracy` on clear preferences."""

    step: int
    loss: float
    accuracy: float
    train: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Variant:
    """A training that was compared with the shipped one.

    decided   set -> share of its pairs without a tie on which the variant is right
    shorter   set -> the same where the better answer is shorter
    """

    name: str
    how: str
    decided: Mapping[str, float]
    shorter: Mapping[str, float]


def page(
    *,
    title: str,
    made: Sequence[str],
    figures: Mapping[str, SetFigures],
    curve: Sequence[Point],
    variants: Sequence[Variant],
    baselines: Sequence[str],
    scale: RewardScale,
    fit: RewardFit,
    fitted_on: Sequence[str],
) -> str:
    """The page. `made` and `baselines` are paragraphs of text."""
    sections = [
        [f"# {title}"],
        *([line] for line in made),
        ["## Figures"],
        figures_table(figures),
        [
            "Brackets hold 95 % intervals; pairs of one question count as one cluster. Consistency is 1 by"
            " construction: each answer is valued alone, so there is no order. The last two columns are a"
            " judge that always prefers the longer answer. The scale and the tie margin were fitted on"
            f" {' and '.join(fitted_on)}, so the ECE of these sets is too good."
        ],
        *([line] for line in baselines),
        ["## Training"],
        _curve(curve),
        *([["## Variants"], _variants(variants)] if variants else []),
        ["## Calibration"],
        [
            f"P(first better) = s((x - y) / {scale.scale:g} - {scale.margin:g}) for raw values x and y"
            f" (Rao and Kupper; `core/rewards.py`), fitted on {fit.n} pairs with {fit.ties} ties:"
            f" standard errors {fit.scale_error:.2g} and {fit.margin_error:.2g}; negative log-likelihood"
            f" {fit.nll:.3f}, by the outcomes' shares alone {fit.nll_shares:.3f}. The single score of a"
            f" value x is 1 + 9 s((x - c) / {scale.scale:g}) with c = {scale.centre:g}, the mean value of"
            " these answers."
        ],
    ]
    return "\n\n".join("\n".join(lines) for lines in sections) + "\n"


def card_data(
    figures: Mapping[str, Any], curve: Sequence[Any], variants: Sequence[Any], fit: Any
) -> dict[str, Any]:
    """The content of `evaluation.json`."""
    return {"sets": figures, "curve": curve, "variants": variants, "calibration": fit}


def _curve(curve: Sequence[Point]) -> list[str]:
    best = min(curve, key=lambda point: point.loss)
    rows = [
        f"| {point.step}{' (kept)' if point is best else ''} | {point.train:.4f} | {point.loss:.4f} |"
        f" {point.accuracy:.3f} |"
        for point in curve
    ]
    head = "| step | training loss | development loss | development accuracy (clear preferences) |"
    return [head, "|---|---|---|---|", *rows]


def _variants(variants: Sequence[Variant]) -> list[str]:
    sets = list(variants[0].decided)
    head = "| variant | " + " | ".join(f"{name}: without ties (shorter is better)" for name in sets)
    lines = [f"{head} |", "|---" * (len(sets) + 1) + "|"]
    for variant in variants:
        cells = [
            f"{variant.decided[name]:.3f} ({variant.shorter[name]:.3f})"
            if name in variant.shorter
            else f"{variant.decided[name]:.3f}"
            for name in sets
        ]
        lines.append(f"| {variant.name}: {variant.how} | {' | '.join(cells)} |")
    return lines
