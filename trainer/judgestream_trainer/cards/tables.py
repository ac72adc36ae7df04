"""The Markdown tables of evaluation cards."""

from collections.abc import Mapping, Sequence

from judgestream.evaluation.measures import Estimate
from judgestream.evaluation.summary import Figures, Share
from judgestream_trainer.cards.results import FORMATS

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


def overall_table(overall: Mapping[str, Figures]) -> list[str]:
    """One row per figure of the whole set, one column per format."""
    names = {"accuracy": _COLUMNS["accuracy"], **_ALL, **_COLUMNS}
    rows = [
        [label, *(cell(getattr(figures, name)) for figures in overall.values())]
        for name, label in names.items()
    ]
    heads = [f"{name.replace('_', ' ')}, N = {one.n}" for name, one in overall.items()]
    return table(["figure", *heads], rows)


def group_table(groups: Mapping[str, Mapping[str, Figures]], shown: str) -> list[str]:
    """One row per group with the figures of one format. A group without a readable reply says so."""
    rows = [
        [plain(name), str(by[shown].n), *(cell(getattr(by[shown], column)) for column in _COLUMNS)]
        if shown in by
        else [plain(name), "none readable", *("-" for _ in _COLUMNS)]
        for name, by in groups.items()
    ]
    return table(["group", "N", *_COLUMNS.values()], rows)


def judgelm_table(judgelm: Mapping[str, Mapping[str, float]]) -> list[str]:
    """JudgeLM's metrics under its own names, in its own order."""
    names = list(dict.fromkeys(name for by in judgelm.values() for name in by))
    rows = [
        [f"`{name}`", *(_plain(name, by.get(name)) for by in judgelm.values())] for name in names
    ]
    return table(["metric", *(shown.replace("_", " ") for shown in judgelm)], rows)


def ablation_table(ablation: Ablation) -> list[str]:
    """One row per variant: mean and standard deviation of every figure."""
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
    """A group's name, escaped for a table. It comes from the data, so it may hold any text."""
    shown = " ".join(name.split()).replace("|", "\\|").replace("<", "\\<")
    return shown if len(shown) <= NAME_CHARACTERS else shown[: NAME_CHARACTERS - 1] + "…"


def headline(overall: Mapping[str, Figures]) -> dict[str, dict[str, float]]:
    """The few numbers per format that the manifest and the checkpoint event repeat."""
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
