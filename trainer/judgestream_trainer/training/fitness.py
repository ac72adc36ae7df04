"""What a training would make of examples, before it is begun: by the very functions that training uses."""

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
    """Of all ways to show the examples (either order, with and without reference): how many there are, how
    many may be trained on, and what is done to the others or why they are left out.

    trainable   examples of which at least one way may be trained on
    """

    examples: int
    trainable: int
    shown: int
    kept: int
    notes: Mapping[str, int]

    def lines(self) -> Iterator[str]:
        """For people, one fact a line."""
        yield f"trainable by the recipe: {self.trainable} of {self.examples} examples"
        yield f"ways to show them: {self.shown}, {self.kept} of them can be trained on"
        for note, count in self.notes.items():
            yield f"  {count}: {note}"


def fitness(examples: Sequence[Example], recipe: Recipe, tokens: Tokens) -> Fitness:
    """Encode every example in every way that a visit may show it."""
    notes: Counter[str] = Counter()
    trainable = shown = kept = 0
    for example in examples:
        found = [prepared(one, tokens, recipe, explain=True) for one in _visits(example)]
        for one in found:
            notes.update(one.notes)
        rows = sum(one.row is not None for one in found)
        trainable += rows > 0
        shown += len(found)
        kept += rows
    return Fitness(
        examples=len(examples),
        trainable=trainable,
        shown=shown,
        kept=kept,
        notes=dict(notes.most_common()),
    )


def _visits(example: Example) -> Iterator[Visit]:
    for order in (example, swapped(example)):
        for told, judgement in (
            (example.blind, order.blind),
            (example.informed, order.informed),
        ):
            if told is None or judgement is None:
                continue
            yield Visit(
                example=order,
                judgement=judgement,
                with_reference=judgement is order.informed,
                unnamed=bool(told.explanation) and not judgement.explanation,
            )
