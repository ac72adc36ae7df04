"""Swap augmentation and reference drop: pure functions that copy (JudgeLM, arXiv 2310.17631, section 4).

JudgeLM's released code edits its cached records in place, so that from the second epoch on a share of the
samples is trained with answers and target in opposite orders. Here a visit is a function of the record,
the seed and the visit's number, and the record stays as it was.
"""

import re
from dataclasses import dataclass, replace

from trainer.randomness import derived
from trainer.tasks.base import Item

_NAME = re.compile(r"\bAssistant ([12])\b")


@dataclass(frozen=True, kw_only=True, slots=True)
class Augmentation:
    """Probabilities per visit, each from 0 to 1.

    swap_probability            show the answers in the other order, scores and explanation with them
    reference_keep_probability  show the reference (JudgeLM's misnamed `ref_drop_ratio` is this one)
    single_probability          use the single form: the reference as answer 1, forced to 10
    """

    swap_probability: float = 0.5
    reference_keep_probability: float = 0.5
    single_probability: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Visit:
    """One training sample: an item as it is shown this time, and by which template form."""

    item: Item
    with_reference: bool
    form: str = "pair"


def visit(item: Item, augmentation: Augmentation, *, seed: int, number: int) -> Visit:
    """The item's `number`-th visit. The same arguments give the same visit, in any order of calls.

    Every draw is made every time, so changing one probability leaves the other draws alone.
    """
    rng = derived("visit", item.id, seed, number)
    swap, keep, single = rng.random(), rng.random(), rng.random()
    shown = swapped(item) if swap < augmentation.swap_probability else item
    if single < augmentation.single_probability:
        return Visit(item=shown, with_reference=True, form="single")
    kept = item.reference_required or keep < augmentation.reference_keep_probability
    return Visit(item=shown, with_reference=kept)


def swapped(item: Item) -> Item:
    """The item with its answers, their scores and the names in its explanation exchanged.

    Question and reference stay. Swapping twice gives the item back.
    """
    first, second = item.answers
    return replace(item, answers=(second, first), explanation=swap_names(item.explanation))


def swap_names(text: str) -> str:
    """`Assistant 1` and `Assistant 2` exchanged; `Assistant 10` is somebody else and stays."""
    return _NAME.sub(lambda found: f"Assistant {3 - int(found[1])}", text)
