"""The card of a judge made from the task families, as a Markdown page."""

from collections.abc import Sequence
from dataclasses import asdict

from judgestream_trainer.cards.bundled import Card
from judgestream_trainer.cards.calibrate import Fitted
from judgestream_trainer.cards.plots import as_markdown
from judgestream_trainer.cards.tables import (
    INTERVALS,
    ablation_table,
    calibration_lines,
    cell,
    group_table,
    judgelm_table,
    overall_table,
)
from judgestream_trainer.recipe import Recipe
from judgestream_trainer.tasks import FAMILIES


def page(card: Card, recipe: Recipe, plots: Sequence[str] = ()) -> str:
    """The card as Markdown; `plots` are the files to show."""
    sections = (
        _about(card, recipe),
        _figures(card, recipe),
        as_markdown(plots),
        _as_judgelm(card),
        _ablation(card),
        _facts(card),
        _single(card),
        _length(card),
        _calibration(card.calibration),
        _foreign(card),
        _made(card, recipe),
    )
    return "\n\n".join("\n".join(lines) for lines in sections if lines) + "\n"


def _about(card: Card, recipe: Recipe) -> list[str]:
    return [
        f"# Evaluation card: the {card.recipe} judge",
        "",
        f"A LLaMA-architecture model of {card.training.parameters / 1e6:.2f} M parameters, trained from"
        " nothing by `trainer/` on generated tasks whose truth is computed. A demonstration judge: it makes"
        " the whole pipeline run with real verdicts on any machine. It is not a general judge.",
        "",
        "## What it can judge",
        "",
        *(f"- **{name}**: it {FAMILIES[name].judges}" for name in recipe.families),
        "",
        "## What it cannot judge",
        "",
        *_limits(card),
    ]


def _figures(card: Card, recipe: Recipe) -> list[str]:
    return [
        "## Figures",
        "",
        f"Held-out items, {recipe.evaluation.items} per family, never seen in training (the split is by"
        " content). Accuracy is three-way (better, worse, equal) of the settled verdict: both orders,"
        " probabilities averaged, the most probable outcome. Consistency is the share of items on which"
        " the two orders alone decide alike; where they do not, each candidate fares better shown first, or"
        " second. Precision, recall and F1 are unweighted means over the outcomes that occur in the truth."
        f" {INTERVALS}",
        "",
        *overall_table(card.overall),
        "",
        "### With the reference",
        "",
        *group_table(card.families, "with_reference"),
        "",
        "### Without the reference",
        "",
        *group_table(card.families, "without_reference"),
    ]


def _as_judgelm(card: Card) -> list[str]:
    return [
        "### As JudgeLM measures",
        "",
        "Its own metrics by its own names, of its own reading: the scores that the straight order writes,"
        " an unreadable reply a tie.",
        "",
        *judgelm_table(card.skill.judgelm),
    ]


def _facts(card: Card) -> list[str]:
    return [
        "### Facts",
        "",
        "Facts by group, with and without the reference:",
        "",
        "| group | N | accuracy with | accuracy without |",
        "|---|---|---|---|",
        *(
            f"| {name} | {by['with_reference'].n} | {cell(by['with_reference'].accuracy)} |"
            f" {cell(by['without_reference'].accuracy)} |"
            for name, by in card.groups.items()
        ),
    ]


def _single(card: Card) -> list[str]:
    single = card.single
    return [
        f"Single answers ({single.n} items, both answers scored alone against the reference): the better"
        f" one scores higher in {cell(single.ranked)} of the untied items; mean error"
        f" {single.error:.2f} points; unreadable {single.unreadable:.1%}."
    ]


def _made(card: Card, recipe: Recipe) -> list[str]:
    training = card.training
    return [
        "## How it was made",
        "",
        f"Recipe `trainer/recipes/{card.recipe}.yaml`, seed {card.seed}; evaluation seed"
        f" {card.evaluation_seed}. {training.steps} steps, {training.pairs:,} pairs,"
        f" {training.tokens / 1e6:.2f} M tokens, {training.seconds / 60:.1f} minutes on one thread of one CPU"
        f" core, fp32. {training.date}. `make judge JUDGE={card.recipe}` retrains it; on the same CPU type"
        " the weights come out byte for byte, elsewhere the card must agree within"
        f" {recipe.evaluation.tolerance:.2f} (twice that per family).",
    ]


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


def _length(card: Card) -> list[str]:
    overall = card.overall["with_reference"]
    return [
        f"Length, with the reference: accuracy {cell(overall.longer_is_better)} where the better answer"
        f" is the longer one, {cell(overall.shorter_is_better)} where it is the shorter one. Padding and"
        " confident phrases are added without regard to quality."
    ]


def _calibration(fitted: Fitted) -> list[str]:
    return [*calibration_lines(asdict(fitted)), *_before_and_after(fitted)]


def _before_and_after(fitted: Fitted) -> list[str]:
    if fitted.temperature == 1.0:
        return []
    return [
        f"On those verdicts it takes the expected calibration error from {fitted.ece_before:.3f} to"
        f" {fitted.ece_after:.3f} and the mean negative log-likelihood of the truth from"
        f" {fitted.nll_before:.3f} to {fitted.nll_after:.3f}."
    ]


def _foreign(card: Card) -> list[str]:
    if card.foreign is None:
        return []
    f = card.foreign
    return [
        f"Foreign text, for which it was not made: on the {f['n']} pairs of {f['source']},"
        f" {f['unreadable']:.1%} of the requests have an unreadable reply, the longest prompt has"
        f" {f['longest']} tokens, and the verdict agrees with the human majority on {f['agreement']:.3f}"
        f" (the most frequent label alone: {f['majority_class']:.3f}). Readable, and a guess."
    ]


def _ablation(card: Card) -> list[str]:
    if card.ablation is None:
        return []
    return ["### Ablation", "", card.ablation_note, "", *ablation_table(card.ablation)]
