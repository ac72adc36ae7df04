"""The evaluation card: what a judge can and cannot do, in numbers, as data and as a page."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any

from judgestream.engine.judge import Judge
from trainer.calibrate import Fitted
from trainer.evaluate import (
    Figures,
    Judged,
    Share,
    SingleFigures,
    figures,
    judge_pairs,
    judge_singles,
)
from trainer.recipe import Recipe
from trainer.tasks import FAMILIES, items
from trainer.tasks.base import Item

FORMATS = {"with_reference": True, "without_reference": False}

KNOWN = "trained facts"
"""The one group of facts that can be judged without a reference: for the others it cannot be known."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Training:
    """How the judge came to be: wall time on this machine, and what it saw."""

    seconds: float
    steps: int
    pairs: int
    tokens: int
    parameters: int
    date: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Card:
    """All figures by format (`with_reference`, `without_reference`), family and group.

    foreign  the share of unreadable replies and the agreement on human-labelled pairs from elsewhere,
             where such a file was at hand: text that the judge was not made for
    """

    recipe: str
    seed: int
    evaluation_seed: int
    training: Training
    overall: Mapping[str, Figures]
    families: Mapping[str, Mapping[str, Figures]]
    groups: Mapping[str, Mapping[str, Figures]]
    single: SingleFigures
    calibration: Fitted
    foreign: Mapping[str, Any] | None = None

    def data(self) -> dict[str, Any]:
        return asdict(self)


def held_out_items(recipe: Recipe, *, per_family: int, seed: int) -> list[Item]:
    """The evaluation set: as many held-out items of every family; prompts of any length."""
    return [
        item
        for name in recipe.families
        for item in islice(items(FAMILIES[name], seed=seed, held_out=True), per_family)
    ]


def measure(judge: Judge, recipe: Recipe, training: Training, calibration: Fitted) -> Card:
    """Judge the evaluation set in every format and add the figures up."""
    chosen = held_out_items(recipe, per_family=recipe.evaluation.items, seed=recipe.evaluation.seed)
    judged = {
        name: judge_pairs(judge, chosen, with_reference=shown) for name, shown in FORMATS.items()
    }
    groups = sorted({item.group for item in chosen if item.family == "knowledge"})
    return Card(
        recipe=recipe.name,
        seed=recipe.seed,
        evaluation_seed=recipe.evaluation.seed,
        training=training,
        overall={name: figures(rows) for name, rows in judged.items()},
        families=_by(judged, "family", list(recipe.families)),
        groups=_by(judged, "group", groups),
        single=judge_singles(judge, chosen),
        calibration=calibration,
    )


def _by(
    judged: Mapping[str, Sequence[Judged]], what: str, names: Sequence[str]
) -> dict[str, dict[str, Figures]]:
    return {
        name: {
            shown: figures([row for row in rows if getattr(row, what) == name])
            for shown, rows in judged.items()
        }
        for name in names
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


def page(card: Card, recipe: Recipe) -> str:
    """The card as Markdown."""
    single = card.single
    training = card.training
    lines = [
        f"# Evaluation card: the {card.recipe} judge",
        "",
        f"A LLaMA-architecture model of {training.parameters / 1e6:.2f} M parameters, trained from nothing"
        f" by `trainer/` on generated tasks whose truth is computed. A demonstration judge: it makes"
        f" the whole pipeline run with real verdicts on any machine. It is not a general judge.",
        "",
        "## What it can judge",
        "",
        *(f"- **{name}**: it {FAMILIES[name].judges}" for name in recipe.families),
        "",
        "## What it cannot judge",
        "",
        *_limits(card),
        "",
        "## Figures",
        "",
        f"Held-out items, {recipe.evaluation.items} per family, never seen in training (the split is by"
        " content). Accuracy is three-way (better, worse, equal) of the settled verdict: both orders,"
        " probabilities averaged, the most probable outcome. Consistency is the share of items on which"
        " the two orders alone decide alike. Brackets: 95 % Wilson intervals.",
        "",
        *_table("with the reference", "with_reference", card),
        "",
        *_table("without the reference", "without_reference", card),
        "",
        "Facts by group, with and without the reference:",
        "",
        "| group | N | accuracy with | accuracy without |",
        "|---|---|---|---|",
        *(
            f"| {name} | {by['with_reference'].n} | {_cell(by['with_reference'].accuracy)} |"
            f" {_cell(by['without_reference'].accuracy)} |"
            for name, by in card.groups.items()
        ),
        "",
        f"Single answers ({single.n} items, both answers scored alone against the reference): the better"
        f" one scores higher in {_cell(single.ranked)} of the untied items; mean error"
        f" {single.error:.2f} points; unreadable {single.unreadable:.1%}.",
        "",
        *_length(card),
        "",
        *_calibration(card.calibration),
        "",
        *_foreign(card),
        "## How it was made",
        "",
        f"Recipe `trainer/recipes/{card.recipe}.yaml`, seed {card.seed}; evaluation seed"
        f" {card.evaluation_seed}. {training.steps} steps, {training.pairs:,} pairs,"
        f" {training.tokens / 1e6:.2f} M tokens, {training.seconds / 60:.1f} minutes on one thread of one CPU"
        f" core, fp32. {training.date}. `make judge` retrains it; on the same CPU type the weights"
        " come out byte for byte, elsewhere the card must agree within"
        f" {recipe.evaluation.tolerance:.2f} (twice that per family).",
        "",
    ]
    return "\n".join(lines)


def _limits(card: Card) -> list[str]:
    sums = card.families.get("arithmetic", {}).get("without_reference")
    lines = [
        "- **Anything outside these tasks.** On other text its score line is readable, but a guess.",
        "- **Facts without a reference**, unless they are among the 128 it was trained on. Groups below.",
        "- **Reasons.** Its explanations are stock phrases that go with the scores, not evidence.",
        "- **Fine grades.** It gives the scores its tasks define (1 to 9), and never 10.",
        "- **Other languages, long documents, code, conversations.** It was not trained to read them.",
    ]
    if sums is not None:
        lines.insert(
            2,
            f"- **Sums without a reference**: accuracy {sums.accuracy.share:.2f}; it compares results,"
            " it does not calculate reliably.",
        )
    return lines


def _table(title: str, shown: str, card: Card) -> list[str]:
    rows = {"**all**": card.overall[shown], **{n: by[shown] for n, by in card.families.items()}}
    return [
        f"### {title.capitalize()}",
        "",
        "| family | N | accuracy | accuracy, ties left out | consistency | to 1st / 2nd | ECE | unreadable |",
        "|---|---|---|---|---|---|---|---|",
        *(
            f"| {name} | {f.n} | {_cell(f.accuracy)} | {_cell(f.decided_accuracy)} |"
            f" {_cell(f.consistency)} | {f.toward_first:.3f} / {f.toward_second:.3f} | {f.ece:.3f} |"
            f" {f.unreadable:.1%} |"
            for name, f in rows.items()
        ),
    ]


def _length(card: Card) -> list[str]:
    overall = card.overall["with_reference"]
    return [
        f"Length, with the reference: accuracy {_cell(overall.longer_is_better)} where the better answer"
        f" is the longer one, {_cell(overall.shorter_is_better)} where it is the shorter one. Padding and"
        " confident phrases are added without regard to quality."
    ]


def _calibration(fitted: Fitted) -> list[str]:
    return [
        f"Calibration: temperature {fitted.temperature:.3f} on the joint score distribution, fitted on"
        f" {fitted.n} other held-out verdicts, with and without reference. There it takes the expected"
        f" calibration error from {fitted.ece_before:.3f} to {fitted.ece_after:.3f} and the mean negative"
        f" log-likelihood of the truth from {fitted.nll_before:.3f} to {fitted.nll_after:.3f}. All figures"
        " of this card are with it."
    ]


def _foreign(card: Card) -> list[str]:
    if card.foreign is None:
        return []
    f = card.foreign
    return [
        f"Foreign text, for which it was not made: on the {f['n']} pairs of {f['source']},"
        f" {f['unreadable']:.1%} of the requests have an unreadable reply, the longest prompt has"
        f" {f['longest']} tokens, and the verdict agrees with the human majority on {f['agreement']:.3f}"
        f" (the most frequent label alone: {f['majority_class']:.3f}). Readable, and a guess.",
        "",
    ]


def _cell(share: Share | None) -> str:
    return "-" if share is None else f"{share.share:.3f} [{share.low:.3f}, {share.high:.3f}]"
