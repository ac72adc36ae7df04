"""Swap augmentation, reference support and reference drop: pure functions that copy (JudgeLM, arXiv
2310.17631, section 4).

JudgeLM's released code edits its cached records in place, so that from the second epoch on a share of the
samples is trained with answers and target in opposite orders. Here a visit is a function of the example,
the seed and the epoch, and the example stays as it was. `InPlaceDefect` reproduces theirs, for ablations.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random

from judgestream_trainer.data.example import Example, Judgement
from judgestream_trainer.data.names import swap_names
from judgestream_trainer.randomness import derived


@dataclass(frozen=True, kw_only=True, slots=True)
class Augmentation:
    """Probabilities per visit, each from 0 to 1.

    swap_probability            show the answers in the other order, scores and explanation with them
    reference_keep_probability  show the reference (JudgeLM's misnamed `ref_drop_ratio` is this one)
    single_probability          use the single form: the reference as answer 1, forced to 10
    in_place_defect             1: as JudgeLM's released code does it, for ablations only; 0: exactly
    """

    swap_probability: float = 0.5
    reference_keep_probability: float = 0.5
    single_probability: float = 0.0
    in_place_defect: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Visit:
    """One training sample: an example as it is shown this time, and by which template form.

    judgement   what is to be written below the prompt; its scores are in the shown order
    unnamed     its explanation was left out: the answers were exchanged, and it is not settled whom the text
                speaks of
    """

    example: Example
    judgement: Judgement
    with_reference: bool
    form: str = "pair"
    unnamed: bool = False


Visitor = Callable[[Example, int], Visit]
"""An example and the epoch -> how it is shown then."""


def visitor(augmentation: Augmentation, *, seed: int) -> Visitor:
    """The augmentation as one function of example and epoch."""
    if augmentation.in_place_defect:
        return InPlaceDefect(augmentation, seed=seed)
    return lambda example, epoch: visit(example, augmentation, seed=seed, epoch=epoch)


def visit(example: Example, augmentation: Augmentation, *, seed: int, epoch: int) -> Visit:
    """The example in this epoch. The same arguments give the same visit, in any order of calls.

    Every draw is made every time, so changing one probability leaves the other draws alone. An example
    that has one judgement only is shown as that one needs it, whatever is drawn.
    """
    swap, keep, single = _draws(example, seed, epoch)
    shown = swapped(example) if swap < augmentation.swap_probability else example
    if shown.informed is not None and single < augmentation.single_probability:
        return Visit(example=shown, judgement=shown.informed, with_reference=True, form="single")
    kept = keep < augmentation.reference_keep_probability
    judgement = (shown.informed or shown.blind) if kept else (shown.blind or shown.informed)
    if judgement is None:  # an Example has one
        raise AssertionError(f"example {example.id!r} has no judgement")
    informed = judgement is shown.informed
    told = example.informed if informed else example.blind
    unnamed = told is not None and bool(told.explanation) and not judgement.explanation
    return Visit(example=shown, judgement=judgement, with_reference=informed, unnamed=unnamed)


def swapped(example: Example) -> Example:
    """The example with its answers, systems, scores and the names in the explanations exchanged.

    Question and reference stay. Swapping twice gives the example back, less an explanation of which it is
    not settled whom it speaks of: that one is left out, its scores stay.
    """
    return replace(
        example,
        answers=example.answers[::-1],
        systems=example.systems[::-1],
        marks=example.marks[::-1],
        blind=None if example.blind is None else _swapped(example.blind),
        informed=None if example.informed is None else _swapped(example.informed),
    )


class InPlaceDefect:
    """JudgeLM's released augmentation, defect and all: every visit edits the record that later visits start
    from, and the with-reference judgement is never swapped (facts: baaivision/JudgeLM @ 00c45169)."""

    def __init__(self, augmentation: Augmentation, *, seed: int) -> None:
        self._augmentation = augmentation
        self._seed = seed
        self._records: dict[str, Example] = {}

    def __call__(self, example: Example, epoch: int) -> Visit:
        record = self._records.get(example.id, example)
        swap, keep, _ = _draws(example, self._seed, epoch)
        kept = keep < self._augmentation.reference_keep_probability
        if (kept or record.blind is None) and record.informed is not None:
            record = replace(record, blind=record.informed)
        if swap < self._augmentation.swap_probability:
            record = replace(swapped(record), informed=record.informed)
        self._records[example.id] = record
        judgement = record.blind or example.informed
        if judgement is None:
            raise AssertionError(f"example {example.id!r} has no judgement")
        shown_reference = (kept or example.blind is None) and example.informed is not None
        return Visit(example=record, judgement=judgement, with_reference=shown_reference)


def _draws(example: Example, seed: int, epoch: int) -> tuple[float, float, float]:
    rng: Random = derived("visit", example.id, seed, epoch)
    return rng.random(), rng.random(), rng.random()


def _swapped(judgement: Judgement) -> Judgement:
    explanation = swap_names(judgement.explanation)
    return Judgement(scores=judgement.scores[::-1], explanation=explanation or "")
