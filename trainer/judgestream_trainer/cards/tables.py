"""The Markdown tables of every card."""

from collections.abc import Mapping, Sequence
from math import exp
from typing import Any

from judgestream.evaluation.bootstrap import Estimate
from judgestream.evaluation.summary import Figures, Share
from judgestream_trainer.cards.figures import FORMATS

Ablation = Mapping[str, Mapping[str, Sequence[float]]]
"""Variant -> figure -> mean and standard deviation over seeds."""

_COLUMNS = {
    "accuracy": "accuracy",
    "decided_accuracy": "accuracy, ties left out",
    "f1": "F1",
    "consistency": "consistency",
    "toward_first": "to 1st",
    "toward_second": "to 2nd",
    "delta_bias": "delta",
    "ece": "ECE",
    "ece_if_calibrated": "ECE if calibrated",
    "unscored": "unscored",
}
NAME_CHARACTERS = 60

_ALL = {"precision": "precision", "recall": "recall"}


INTERVALS = (
    "Brackets: 95 % intervals (Wilson for shares; the bias worker's for delta; smoothed delta method for"
    " precision, recall and F1; examples of one question counted as one where several share it). The ECE of"
    " a few verdicts is above 0 by chance alone: the next figure is what a perfectly calibrated judge would"
    " show on as many, and the ECE's interval is that of the true error."
)


def overall_table(overall: Mapping[str, Figures]) -> list[str]:
    """Every figure of the whole set, a row each, a column a format."""
    names = {"accuracy": _COLUMNS["accuracy"], **_ALL, **_COLUMNS}
    rows = [
        [label, *(cell(getattr(figures, name)) for figures in overall.values())]
        for name, label in names.items()
    ]
    heads = [f"{name.replace('_', ' ')}, N = {one.n}" for name, one in overall.items()]
    return table(["figure", *heads], rows)


def group_table(groups: Mapping[str, Mapping[str, Figures]], shown: str) -> list[str]:
    """A row a group: the figures of one format; a group that could not be read is said to be so."""
    rows = [
        [plain(name), str(by[shown].n), *(cell(getattr(by[shown], column)) for column in _COLUMNS)]
        if shown in by
        else [plain(name), "none read", *("-" for _ in _COLUMNS)]
        for name, by in groups.items()
    ]
    return table(["group", "N", *_COLUMNS.values()], rows)


def judgelm_table(judgelm: Mapping[str, Mapping[str, float]]) -> list[str]:
    """JudgeLM's metrics by its own names, in its own order."""
    names = list(dict.fromkeys(name for by in judgelm.values() for name in by))
    rows = [
        [f"`{name}`", *(_plain(name, by.get(name)) for by in judgelm.values())] for name in names
    ]
    return table(["metric", *(shown.replace("_", " ") for shown in judgelm)], rows)


def ablation_table(ablation: Ablation) -> list[str]:
    """A row a variant, mean +- standard deviation."""
    names = list(dict.fromkeys(name for by in ablation.values() for name in by))
    rows = [
        [variant, *(_spread(by[name]) if name in by else "-" for name in names)]
        for variant, by in ablation.items()
    ]
    return table(["variant", *names], rows)


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [heads, ["---"] * len(heads), *rows]
    return [f"| {' | '.join(line)} |" for line in lines]


def cell(figure: Estimate | Share | float | None) -> str:
    if figure is None:
        return "-"
    if isinstance(figure, float):
        return f"{figure:.3f}"
    return f"{figure.share:.3f} [{figure.low:.3f}, {figure.high:.3f}]"


def plain(name: str) -> str:
    """A group's name in a table. Groups come with the data, so it may hold anything."""
    shown = " ".join(name.split()).replace("|", "\\|").replace("<", "\\<")
    return shown if len(shown) <= NAME_CHARACTERS else shown[: NAME_CHARACTERS - 1] + "…"


def calibration_lines(calibration: Mapping[str, Any] | None) -> list[str]:
    """What the card says of the temperature, from the manifest's record of it."""
    if calibration is None:
        return ["Calibration: none; probabilities are as the model gives them."]
    temperature, n = calibration.get("temperature"), calibration.get("n")
    unread = calibration.get("unread") or 0
    left_out = f"; {unread} unreadable replies left out" if unread else ""
    reason = calibration.get("reason")
    if reason:
        return [
            f"Calibration: none (temperature 1), because {reason}; {n} held-out verdicts{left_out}."
        ]
    error = calibration.get("error")
    spread = ""
    if isinstance(temperature, int | float) and isinstance(error, int | float):
        low, high = (temperature * exp(sign * 1.96 * error) for sign in (-1, 1))
        spread = f" [{low:.3f}, {high:.3f}]"
    return [
        f"Calibration: temperature {temperature}{spread} on the joint score distribution, fitted on {n} other"
        f" held-out verdicts{left_out}, with a prior around 1. All figures but JudgeLM's are with it."
    ]


def headline(overall: Mapping[str, Figures]) -> dict[str, dict[str, float]]:
    """What the manifest and the event repeat of the card: a few numbers a format."""
    return {
        shown: {
            "n": overall[shown].n,
            **{
                name: getattr(overall[shown], name).share
                for name in ("accuracy", "f1", "consistency", "delta_bias", "ece", "unscored")
            },
        }
        for shown in FORMATS
        if shown in overall
    }


def _plain(name: str, value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.0f}" if name == "total_num" else f"{value:.4f}"


def _spread(values: Sequence[float]) -> str:
    mean, deviation = values
    return f"{mean:.3f} ± {deviation:.3f}"
