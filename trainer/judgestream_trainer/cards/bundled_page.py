"""The page of a bundled judge's card: its tasks, its limits and how it was made, around the figures."""

from collections.abc import Sequence
from dataclasses import asdict

from judgestream_trainer.cards.bundled import Card
from judgestream_trainer.cards.page import Section, render_page
from judgestream_trainer.cards.tables import cell, table
from judgestream_trainer.recipe import Recipe
from judgestream_trainer.tasks import FAMILIES


def page(card: Card, recipe: Recipe, plots: Sequence[str] = ()) -> str:
    """The card as Markdown; `plots` are the image files to show."""
    return render_page(
        card.results,
        front=_front(card, recipe),
        measured_on=(
            f"{recipe.evaluation.items} held-out items per task family, never seen in training; the split"
            " depends on the content of an item alone."
        ),
        details=(_facts(card), _single(card)),
        calibration=asdict(card.calibration),
        ablation=card.ablation,
        ablation_note=card.ablation_note,
        plots=plots,
        back=(_out_of_domain(card), _made(card, recipe)),
    )


def _front(card: Card, recipe: Recipe) -> Section:
    return [
        f"# Evaluation card: the {card.recipe} judge",
        "",
        f"A model of the LLaMA architecture with {card.training.parameters / 1e6:.2f} M parameters, trained"
        " from scratch on generated tasks whose ground truth is computed. It is a demonstration judge: with"
        " it the whole pipeline produces real verdicts on any machine. It is not a general-purpose judge.",
        "",
        "## What it can judge",
        "",
        *(f"- **{name}**: {FAMILIES[name].judges}." for name in recipe.families),
        "",
        "## What it cannot judge",
        "",
        *_limits(card),
    ]


def _limits(card: Card) -> Section:
    sums = card.families.get("arithmetic", {}).get("without_reference")
    arithmetic = (
        []
        if sums is None
        else [
            f"- **Sums without a reference** (accuracy {sums.accuracy.share:.2f}). It compares results; it"
            " does not calculate reliably."
        ]
    )
    return [
        "- **Anything outside these tasks.** On other text it writes readable scores, but they are guesses.",
        "- **Facts without a reference**, except the 128 facts that it was trained on. See the groups below.",
        *arithmetic,
        "- **Reasons.** Its explanations are stock phrases that match the scores. They are not evidence.",
        "- **Fine grades.** It gives the scores that its tasks define, 1 to 9, and never 10.",
        "- **Other languages, long documents, code and conversations.** It was not trained on them.",
    ]


def _facts(card: Card) -> Section:
    rows = [
        [
            name,
            str(formats["with_reference"].n),
            cell(formats["with_reference"].accuracy),
            cell(formats["without_reference"].accuracy),
        ]
        for name, formats in card.groups.items()
    ]
    heads = ["group", "N", "accuracy with reference", "accuracy without reference"]
    return ["### Facts", "", *table(heads, rows)]


def _single(card: Card) -> Section:
    single = card.single
    return [
        "### Single answers",
        "",
        f"Both answers of {single.n} items, each scored alone against the reference. The better answer"
        f" gets the higher score in {cell(single.ranked)} of the items that are not ties. The mean absolute"
        f" error is {single.error:.2f} points; {single.unreadable:.1%} of the replies are unreadable.",
    ]


def _out_of_domain(card: Card) -> Section:
    if card.out_of_domain is None:
        return []
    shown = card.out_of_domain
    return [
        "## Out-of-domain text",
        "",
        f"The judge was not trained for text like the {shown['n']} pairs of {shown['source']}. The longest"
        f" prompt has {shown['longest']} tokens, and {shown['unreadable']:.1%} of the requests have an"
        f" unreadable reply. Verdicts agree with the human majority on {shown['agreement']:.3f} of the pairs;"
        f" always giving the most frequent label would reach {shown['majority_class']:.3f}.",
    ]


def _made(card: Card, recipe: Recipe) -> Section:
    training = card.training
    return [
        "## How it was made",
        "",
        f"Recipe `{card.recipe}.yaml`, seed {card.seed}, evaluation seed {card.evaluation_seed}:"
        f" {training.steps} steps, {training.pairs:,} pairs and {training.tokens / 1e6:.2f} M tokens in"
        f" {training.seconds / 60:.1f} minutes on one thread of one CPU core, in fp32, on {training.date}.",
        "",
        f"`make judge JUDGE={card.recipe}` trains it again. On the same type of CPU the weights are identical"
        " byte for byte; elsewhere the new card must agree with this one within"
        f" {recipe.evaluation.tolerance:.2f}, and within twice that for a single family.",
    ]
