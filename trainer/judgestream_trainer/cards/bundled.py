"""The evaluation card of a bundled judge, which is trained on the task families."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import islice
from typing import Any

from judgestream.engine.judge import Judge
from judgestream.evaluation.pair_outcome import PairOutcome
from judgestream.evaluation.summary import Figures
from judgestream_trainer.cards.calibrate import Fitted
from judgestream_trainer.cards.judging import SingleFigures, judge_pairs, judge_singles
from judgestream_trainer.cards.results import (
    FORMATS,
    ByFormat,
    JudgeResults,
    by_group,
    results_of,
)
from judgestream_trainer.cards.tables import Ablation
from judgestream_trainer.recipe import Recipe
from judgestream_trainer.tasks import FAMILIES, items
from judgestream_trainer.tasks.base import Item


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingRecord:
    """How the judge was trained. `seconds` is wall time; `date` is ISO 8601."""

    seconds: float
    steps: int
    pairs: int
    tokens: int
    parameters: int
    date: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Card:
    """All figures of a bundled judge. The groups of `results` are the task families.

    groups         facts by whether the judge was trained on them, by format
    out_of_domain  readability and agreement on human-labelled pairs, where such a file was given
    ablation       variant -> figure -> mean and standard deviation over seeds, where it was measured;
                   `ablation_note` describes the experiment
    """

    recipe: str
    seed: int
    evaluation_seed: int
    training: TrainingRecord
    results: JudgeResults
    groups: Mapping[str, Mapping[str, Figures]]
    single: SingleFigures
    calibration: Fitted
    out_of_domain: Mapping[str, Any] | None = None
    ablation: Ablation | None = None
    ablation_note: str = ""

    @property
    def overall(self) -> Mapping[str, Figures]:
        return self.results.overall

    @property
    def families(self) -> Mapping[str, Mapping[str, Figures]]:
        return self.results.groups

    def data(self) -> dict[str, Any]:
        """The content of `evaluation.json`."""
        plain = asdict(self)
        results = plain.pop("results")
        families = results.pop("groups")
        out_of_domain = {"foreign": plain.pop("out_of_domain")}
        ablation = {name: plain.pop(name) for name in ("ablation", "ablation_note")}
        return {**plain, **out_of_domain, **ablation, **results, "families": families}


def held_out_items(recipe: Recipe, *, per_family: int, seed: int) -> list[Item]:
    """The evaluation set: the same number of held-out items of every family, of any length."""
    return [
        item
        for name in recipe.families
        for item in islice(items(FAMILIES[name], seed=seed, held_out=True), per_family)
    ]


def measure(judge: Judge, recipe: Recipe, training: TrainingRecord, calibration: Fitted) -> Card:
    """Judge the evaluation set in every format and summarise the results."""
    seed = recipe.evaluation.seed
    chosen = held_out_items(recipe, per_family=recipe.evaluation.items, seed=seed)
    judged = {
        name: judge_pairs(judge, chosen, with_reference=shown) for name, shown in FORMATS.items()
    }
    return Card(
        recipe=recipe.name,
        seed=recipe.seed,
        evaluation_seed=seed,
        training=training,
        results=results_of(judged),
        groups=by_group(_facts(chosen, judged)),
        single=judge_singles(judge, chosen),
        calibration=calibration,
    )


def _facts(chosen: Sequence[Item], judged: ByFormat) -> dict[str, list[PairOutcome]]:
    """The knowledge items by group, such as `trained facts`."""
    return {
        name: [
            replace(row, group=item.group)
            for item, row in sorted(zip(chosen, rows, strict=True), key=lambda pair: pair[0].group)
            if item.family == "knowledge"
        ]
        for name, rows in judged.items()
    }


def differences(card: Card, data: Mapping[str, Any], tolerance: float) -> list[str]:
    """Where a card differs from an earlier card's data by more than `tolerance`; empty when they agree.

    Accuracy and consistency are compared: overall within `tolerance`, per family within twice that, since a
    family has few items.
    """
    lines: list[str] = []
    now = card.data()
    for shown in FORMATS:
        lines += _apart(
            f"overall, {shown}", now["overall"][shown], data["overall"][shown], tolerance
        )
        for name, by_format in now["families"].items():
            if name not in data["families"]:
                lines.append(f"{name}: not in the earlier card")
                continue
            earlier = data["families"][name][shown]
            lines += _apart(f"{name}, {shown}", by_format[shown], earlier, 2 * tolerance)
    return lines


def _apart(
    where: str, now: Mapping[str, Any], earlier: Mapping[str, Any], tolerance: float
) -> list[str]:
    return [
        f"{where}: {what} {now[what]['share']:.3f} now, {earlier[what]['share']:.3f} before"
        for what in ("accuracy", "consistency")
        if abs(now[what]["share"] - earlier[what]["share"]) > tolerance
    ]
