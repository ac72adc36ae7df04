"""A dry run of the encoding: how many examples a training could use, by the functions that training uses."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from judgestream.engine.tokens import Tokens
from judgestream_trainer.data.augment import Visit, swapped
from judgestream_trainer.data.example import Example
from judgestream_trainer.recipe import Recipe
from judgestream_trainer.training.sequences import prepared


@dataclass(frozen=True, kw_only=True, slots=True)
class Fitness:
    """Counts over all variants of the examples (either order, with and without reference).

    trainable   examples with at least one variant that can be trained on
    shown, kept variants; those of them that can be trained on
    notes       variants that were changed or left out, by reason
    """

    examples: int
    trainable: int
    shown: int
    kept: int
    notes: Mapping[str, int]

    def lines(self) -> Iterator[str]:
        """Text for a terminal, one fact a line."""
        yield f"trainable by the recipe: {self.trainable} of {self.examples} examples"
        yield f"variants (order, reference): {self.shown}, {self.kept} of them can be trained on"
        for note, count in self.notes.items():
            yield f"  {count}: {note}"


def fitness(examples: Sequence[Example], recipe: Recipe, tokens: Tokens) -> Fitness:
    """Encode every example in every variant that a visit may show."""
    notes: Counter[str] = Counter()
    trainable = shown = kept = 0
    for example in examples:
        variants = [prepared(visit, tokens, recipe, explain=True) for visit in _visits(example)]
        for variant in variants:
            notes.update(variant.notes)
        fitting = sum(variant.sequence is not None for variant in variants)
        trainable += fitting > 0
        shown += len(variants)
        kept += fitting
    return Fitness(
        examples=len(examples),
        trainable=trainable,
        shown=shown,
        kept=kept,
        notes=dict(notes.most_common()),
    )


def _visits(example: Example) -> Iterator[Visit]:
    for order in (example, swapped(example)):
        for original, judgement in (
            (example.blind, order.blind),
            (example.informed, order.informed),
        ):
            if original is None or judgement is None:
                continue
            yield Visit(
                example=order,
                judgement=judgement,
                with_reference=judgement is order.informed,
                unnamed=bool(original.explanation) and not judgement.explanation,
            )
