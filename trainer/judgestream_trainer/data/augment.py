"""Swap augmentation, reference support and reference drop (JudgeLM, arXiv 2310.17631, section 4).

JudgeLM's released code edits its cached records in place, so from the second epoch on some samples have
answers and target in opposite orders. Here a visit is a pure function of example, seed and epoch.
`InPlaceDefect` reproduces the released behaviour for ablations.
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

    swap_probability            show the answers in the other order, with their scores and explanation
    reference_keep_probability  show the reference (JudgeLM calls this `ref_drop_ratio`)
    single_probability          use the single form: the reference as answer 1 with score 10
    in_place_defect             1: the behaviour of JudgeLM's released code, for ablations only; 0: off
    """

    swap_probability: float = 0.5
    reference_keep_probability: float = 0.5
    single_probability: float = 0.0
    in_place_defect: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Visit:
    """One training sample: an example as shown in one epoch, and its template form.

    judgement   the target; its scores are in the shown order
    unnamed     the explanation was dropped: the answers were swapped, and the text does not make clear which
                answer it refers to
    """

    example: Example
    judgement: Judgement
    with_reference: bool
    form: str = "pair"
    unnamed: bool = False


Visitor = Callable[[Example, int], Visit]
"""(example, epoch) -> the training sample."""


def visitor(augmentation: Augmentation, *, seed: int) -> Visitor:
    """The augmentation as a function of example and epoch."""
    if augmentation.in_place_defect:
        return InPlaceDefect(augmentation, seed=seed)
    return lambda example, epoch: visit(example, augmentation, seed=seed, epoch=epoch)


def visit(example: Example, augmentation: Augmentation, *, seed: int, epoch: int) -> Visit:
    """The training sample of this epoch, a pure function of its arguments.

    Every draw is made every time, so a change of one probability does not affect the other draws. An example
    with a single judgement is shown as that judgement requires, whatever is drawn.
    """
    swap, keep, single = _draws(example, seed, epoch)
    shown = swapped(example) if swap < augmentation.swap_probability else example
    if shown.informed is not None and single < augmentation.single_probability:
        return Visit(example=shown, judgement=shown.informed, with_reference=True, form="single")
    kept = keep < augmentation.reference_keep_probability
    judgement = (shown.informed or shown.blind) if kept else (shown.blind or shown.informed)
    if judgement is None:  # unreachable: Example requires one
        raise AssertionError(f"example {example.id!r} has no judgement")
    informed = judgement is shown.informed
    original = example.informed if informed else example.blind
    unnamed = original is not None and bool(original.explanation) and not judgement.explanation
    return Visit(example=shown, judgement=judgement, with_reference=informed, unnamed=unnamed)


def swapped(example: Example) -> Example:
    """The example with answers, systems, scores and the names in the explanations swapped.

    Swapping twice restores the example, except for explanations that do not make clear which answer they
    refer to: these are dropped, and their scores kept.
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
    """JudgeLM's released augmentation with its defect (baaivision/JudgeLM, commit 00c45169).

    Every visit edits the record that later visits start from, and the judgement with reference is never
    swapped.
    """

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
