"""The evaluation card of a judge made from the task families: what it can and cannot do, in numbers."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import islice
from typing import Any

from judgestream.engine.judge import Judge
from judgestream.evaluation.summary import Figures, Judged
from judgestream_trainer.cards.calibrate import Fitted
from judgestream_trainer.cards.figures import FORMATS, ByFormat, Skill, by_group, skill
from judgestream_trainer.cards.judging import SingleFigures, judge_pairs, judge_singles
from judgestream_trainer.cards.tables import Ablation
from judgestream_trainer.recipe import Recipe
from judgestream_trainer.tasks import FAMILIES, items
from judgestream_trainer.tasks.base import Item


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingRecord:
    """How the judge came to be: wall time on this machine, and what it saw."""

    seconds: float
    steps: int
    pairs: int
    tokens: int
    parameters: int
    date: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Card:
    """All figures of a judge that was made from the task families; a skill's groups are the families.

    groups    facts by whether the judge could have learned them, by format
    foreign   the share of unreadable replies and the agreement on human-labelled pairs from elsewhere,
              where such a file was at hand: text that the judge was not made for
    ablation  variant -> figure -> mean and standard deviation over seeds, where it was measured;
              `ablation_note` says how
    """

    recipe: str
    seed: int
    evaluation_seed: int
    training: TrainingRecord
    skill: Skill
    groups: Mapping[str, Mapping[str, Figures]]
    single: SingleFigures
    calibration: Fitted
    foreign: Mapping[str, Any] | None = None
    ablation: Ablation | None = None
    ablation_note: str = ""

    @property
    def overall(self) -> Mapping[str, Figures]:
        return self.skill.overall

    @property
    def families(self) -> Mapping[str, Mapping[str, Figures]]:
        return self.skill.groups

    def data(self) -> dict[str, Any]:
        """What `evaluation.json` holds."""
        plain = asdict(self)
        parts = plain.pop("skill")
        families = parts.pop("groups")
        return {**plain, **parts, "families": families}


def held_out_items(recipe: Recipe, *, per_family: int, seed: int) -> list[Item]:
    """The evaluation set: as many held-out items of every family; prompts of any length."""
    return [
        item
        for name in recipe.families
        for item in islice(items(FAMILIES[name], seed=seed, held_out=True), per_family)
    ]


def measure(judge: Judge, recipe: Recipe, training: TrainingRecord, calibration: Fitted) -> Card:
    """Judge the evaluation set in every format and add the figures up."""
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
        skill=skill(judged),
        groups=by_group(_facts(chosen, judged)),
        single=judge_singles(judge, chosen),
        calibration=calibration,
    )


def _facts(chosen: Sequence[Item], judged: ByFormat) -> dict[str, list[Judged]]:
    """The knowledge items under their finer names."""
    return {
        name: [
            replace(row, group=item.group)
            for item, row in sorted(zip(chosen, rows, strict=True), key=lambda pair: pair[0].group)
            if item.family == "knowledge"
        ]
        for name, rows in judged.items()
    }


def differences(card: Card, data: Mapping[str, Any], tolerance: float) -> list[str]:
    """Where a card departs from an earlier card's data by more than `tolerance`; empty when it agrees.

    Compared are accuracy and consistency, overall with the tolerance as it is, per family with twice
    that (its items are few).
    """
    found: list[str] = []
    now = card.data()
    for shown in FORMATS:
        found += _apart(
            f"overall, {shown}", now["overall"][shown], data["overall"][shown], tolerance
        )
        for name, by_format in now["families"].items():
            if name not in data["families"]:
                found.append(f"{name}: not in the earlier card")
                continue
            earlier = data["families"][name][shown]
            found += _apart(f"{name}, {shown}", by_format[shown], earlier, 2 * tolerance)
    return found


def _apart(
    where: str, now: Mapping[str, Any], earlier: Mapping[str, Any], tolerance: float
) -> list[str]:
    return [
        f"{where}: {what} {now[what]['share']:.3f} now, {earlier[what]['share']:.3f} before"
        for what in ("accuracy", "consistency")
        if abs(now[what]["share"] - earlier[what]["share"]) > tolerance
    ]
