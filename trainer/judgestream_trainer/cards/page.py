"""The Markdown page of an evaluation card, for bundled judges and for any other checkpoint."""

from collections.abc import Mapping, Sequence
from math import exp
from typing import Any

from judgestream.evaluation.summary import Figures
from judgestream_trainer.cards.plots import as_markdown
from judgestream_trainer.cards.results import JudgeResults
from judgestream_trainer.cards.tables import (
    Ablation,
    ablation_table,
    cell,
    group_table,
    judgelm_table,
    overall_table,
)

Section = Sequence[str]
"""The lines of one section; an empty one is left out of the page."""

DEFINITIONS = (
    "Accuracy is three-way (first answer better, tie, second answer better) and is that of the final verdict:"
    " the most probable outcome after averaging the probabilities of both orders. Consistency is the share of"
    " items on which the two orders agree. On the rest, each answer does better when it is shown first"
    " (`to 1st`) or when it is shown second (`to 2nd`); delta is the difference between these two shares."
    " Precision, recall and F1 are unweighted means over the outcomes that occur in the ground truth."
)

INTERVALS = (
    "Brackets hold 95 % intervals: Wilson's for shares, the paired-difference interval for delta, and the"
    " smoothed delta method for precision, recall and F1. Examples that share a question count as one. The"
    " expected calibration error (ECE) of a small sample exceeds 0 by chance alone: `ECE if calibrated` is"
    " what a perfectly calibrated judge would show on as many verdicts, and the interval of the ECE is that"
    " of the true error."
)


def render_page(
    results: JudgeResults,
    *,
    front: Section,
    measured_on: str,
    details: Sequence[Section] = (),
    calibration: Mapping[str, Any] | None,
    ablation: Ablation | None = None,
    ablation_note: str = "",
    plots: Sequence[str] = (),
    back: Sequence[Section] = (),
) -> str:
    """The page of one card.

    Args:
        front: title and description of the judge.
        measured_on: one sentence about the measured set, or "".
        details: further sections of measurements.
        calibration: the manifest's record of the fitted temperature, None without one.
        plots: the image files to show, relative to the page.
        back: the sections that close the page.
    """
    sections: list[Section] = [
        front,
        _figures(results, measured_on),
        *(_groups(results, name) for name in results.overall),
        as_markdown(plots),
        _judgelm(results),
        _ablation(ablation, ablation_note),
        *details,
        _length(results.overall),
        ["## Calibration", "", *calibration_lines(calibration)],
        *back,
    ]
    return "\n\n".join("\n".join(lines) for lines in sections if lines) + "\n"


def calibration_lines(calibration: Mapping[str, Any] | None) -> list[str]:
    """The temperature, or a reward model's scale, in words, from the manifest's record of it."""
    if calibration is None:
        return ["None: the probabilities are those of the model."]
    if "scale" in calibration:
        return [_scale(calibration)]
    temperature, n = calibration.get("temperature"), calibration.get("n")
    unread = calibration.get("unread") or 0
    left_out = f" ({unread} unreadable replies left out)" if unread else ""
    reason = calibration.get("reason")
    if reason:
        return [f"None (temperature 1): {reason}. Held-out verdicts: {n}{left_out}."]
    error = calibration.get("error")
    interval = ""
    if isinstance(temperature, int | float) and isinstance(error, int | float):
        low, high = (temperature * exp(sign * 1.96 * error) for sign in (-1, 1))
        interval = f" [{low:.3f}, {high:.3f}]"
    return [
        f"Temperature {temperature}{interval} on the joint score distribution, fitted to {n} other held-out"
        f" verdicts{left_out} with a prior around 1. All figures except JudgeLM's use it."
        f"{_effect(calibration)}"
    ]


def _scale(calibration: Mapping[str, Any]) -> str:
    """A reward model's scale and tie margin, each with its 95 % interval."""
    numbers = {
        name: f"{calibration[name]:.3g} ± {1.96 * calibration[f'{name}_error']:.2g}"
        for name in ("scale", "margin")
    }
    return (
        f"Values are divided by the scale {numbers['scale']}; the tie margin is {numbers['margin']} in units"
        f" of log-odds. Both were fitted to {calibration['n']} other labelled pairs, {calibration['ties']} of"
        f" them ties, whose mean negative log-likelihood is {calibration['nll']:.3f} with them and"
        f" {calibration['nll_shares']:.3f} by the shares of the outcomes."
    )


def _effect(calibration: Mapping[str, Any]) -> str:
    """What the temperature does to the verdicts that it was fitted to."""
    names = ("ece_before", "ece_after", "nll_before", "nll_after")
    values = [calibration.get(name) for name in names]
    if calibration.get("temperature") == 1.0 or not all(isinstance(v, float) for v in values):
        return ""
    before, after, nll_before, nll_after = values
    return (
        f" On those verdicts it changes the expected calibration error from {before:.3f} to {after:.3f}, and"
        f" the mean negative log-likelihood of the ground truth from {nll_before:.3f} to {nll_after:.3f}."
    )


def _figures(results: JudgeResults, measured_on: str) -> Section:
    definitions = f"{measured_on} {DEFINITIONS}".strip()
    return ["## Figures", "", definitions, "", INTERVALS, "", *overall_table(results.overall)]


def _groups(results: JudgeResults, name: str) -> Section:
    if len(results.groups) < 2:
        return []
    heading = f"### {name.replace('_', ' ').capitalize()}, by group"
    return [heading, "", *group_table(results.groups, name)]


def _judgelm(results: JudgeResults) -> Section:
    return [
        "### JudgeLM's metrics",
        "",
        "The metrics of JudgeLM's evaluator, under its names and by its rule: the scores written in the"
        " original order decide, and an unreadable reply counts as a tie.",
        "",
        *judgelm_table(results.judgelm),
    ]


def _ablation(ablation: Ablation | None, note: str) -> Section:
    if ablation is None:
        return []
    return ["### Ablation", "", *([note, ""] if note else []), *ablation_table(ablation)]


def _length(overall: Mapping[str, Figures]) -> Section:
    rows = [
        f"- {name.replace('_', ' ').capitalize()}: {cell(figures.longer_is_better)} when the better answer is"
        f" the longer one, {cell(figures.shorter_is_better)} when it is the shorter one."
        for name, figures in overall.items()
    ]
    return ["### Length", "", "Accuracy by length of the better answer, ties left out:", "", *rows]
