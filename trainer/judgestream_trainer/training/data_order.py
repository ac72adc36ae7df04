"""The order of the data: a pure function of seed and position, so that training can go on from anywhere.

A step takes `batch` positions. A position whose sequence does not fit stays empty: it moves nothing else.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import count

from judgestream.core.errors import ConfigurationError
from judgestream.engine.tokens import Tokens
from judgestream_trainer.data.augment import visitor
from judgestream_trainer.data.example import Example
from judgestream_trainer.failure import TrainingFailed
from judgestream_trainer.randomness import derived
from judgestream_trainer.recipe import Recipe
from judgestream_trainer.tasks import FAMILIES
from judgestream_trainer.tasks.base import Item
from judgestream_trainer.tasks.simulated_bias import with_simulated_bias
from judgestream_trainer.training.sequences import Row, prepared

Source = Callable[[int], tuple[Example, int]]
"""Position -> example and epoch."""


def task_item(recipe: Recipe, position: int) -> Item:
    """The training item at a position of the endless stream: families by their shares, every item new.

    A judge that is never to see a reference gets no item that cannot be judged without one.
    """
    references = recipe.augmentation.reference_keep_probability > 0
    names, shares = list(recipe.families), list(recipe.families.values())
    name = derived("family", recipe.seed, position).choices(names, shares)[0]
    for attempt in count():
        item = FAMILIES[name].make(derived("item", name, recipe.seed, position, attempt))
        if not item.held_out and (references or not item.reference_required):
            break
    return replace(item, id=f"{name}-{recipe.seed}-{position}")


def task_example(recipe: Recipe, position: int) -> Example:
    """That item as the recipe's teacher judges it."""
    example = task_item(recipe, position).example
    return with_simulated_bias(example, recipe.lopsided, seed=recipe.seed)


def endless(recipe: Recipe) -> Source:
    """New task items without end."""
    return lambda position: (task_example(recipe, position), 0)


def finite(examples: Sequence[Example], *, seed: int) -> Source:
    """The examples again and again, every epoch in an order of its own."""
    orders: dict[int, list[int]] = {}

    def at(position: int) -> tuple[Example, int]:
        epoch, index = divmod(position, len(examples))
        if epoch not in orders:
            orders.clear()
            orders[epoch] = derived("order", seed, epoch).sample(
                range(len(examples)), len(examples)
            )
        return examples[orders[epoch][index]], epoch

    return at


@dataclass(frozen=True, kw_only=True, slots=True)
class Supply:
    """Where a training's sequences come from. `steps` is how many there are, `per_epoch` the examples of
    an epoch (0: there are no epochs)."""

    source: Source
    steps: int
    per_epoch: int


def supply(recipe: Recipe, examples: Sequence[Example] | None) -> Supply:
    """The recipe's data: the given examples, or task items (endless, or as many as the recipe says).

    Raises:
        ConfigurationError: epochs of an endless stream.
        TrainingFailed: no examples at all.
    """
    how = recipe.optimisation
    if examples is None and how.examples:
        examples = [task_example(recipe, position) for position in range(how.examples)]
    if examples is None:
        if not how.steps:
            raise ConfigurationError(
                f"recipe {recipe.name}: optimisation.epochs needs a number of examples: give"
                " optimisation.examples, or steps"
            )
        return Supply(source=endless(recipe), steps=how.steps, per_epoch=0)
    if not examples:
        raise TrainingFailed("there are no examples to train on")
    steps = how.steps or -(-len(examples) * how.epochs // how.batch)
    return Supply(source=finite(examples, seed=recipe.seed), steps=steps, per_epoch=len(examples))


READ = "read"
"""Counted for every sequence; every other count is of sequences that were left out or changed."""


@dataclass(kw_only=True)
class Stream:
    """A step's sequences, encoded. `counts` says what was read and what did not fit, by reason.

    Steps are taken in order: JudgeLM's in-place defect, reproduced for ablations, remembers its visits.
    """

    recipe: Recipe
    supply: Supply
    tokens: Tokens
    counts: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._show = visitor(self.recipe.augmentation, seed=self.recipe.seed)
        self._shortest = 0
        # of the epoch that is being read: which one, and whether anything of it fitted
        self._epoch = 0
        self._fitted = False

    def skip(self, steps: int) -> None:
        """Go on after so many steps."""
        if steps:
            self._epoch = self._epoch_of(steps * self.recipe.optimisation.batch - 1)
            self._fitted = True  # what an earlier process read of this epoch is not known
        if self.recipe.augmentation.in_place_defect:
            for position in range(steps * self.recipe.optimisation.batch):
                self._show(*self.supply.source(position))

    def rows(self, step: int) -> list[Row]:
        """The sequences of a step, as many of its `batch` positions as have one that fits.

        Raises:
            TrainingFailed: an epoch of which nothing fits.
        """
        how = self.recipe.optimisation
        end = self.supply.steps * how.batch
        if self.supply.per_epoch and how.epochs:
            end = self.supply.per_epoch * how.epochs
        found = []
        for position in range(step * how.batch, min(end, (step + 1) * how.batch)):
            self._turn(self._epoch_of(position))
            row = self._row(*self.supply.source(position))
            if row is not None:
                self._fitted = True
                found.append(row)
        if step == self.supply.steps - 1:
            self._turn(self._epoch + 1)
        return found

    def why(self) -> str:
        """What was read and left out so far, in words."""
        lost = ", ".join(f"{count} {name}" for name, count in self.counts.items() if name != READ)
        size = self.recipe.size
        shortest = (
            f"; the shortest prompt has {self._shortest} tokens, recipe {self.recipe.name} has"
            f" size.max_input {size.max_input} and size.context {size.context}"
            if self._shortest
            else ""
        )
        return f"{self.counts[READ]} sequences read: {lost or 'all fit'}{shortest}"

    def _epoch_of(self, position: int) -> int:
        return position // self.supply.per_epoch if self.supply.per_epoch else 0

    def _turn(self, epoch: int) -> None:
        """Close the epoch that was read when another one begins."""
        if epoch == self._epoch:
            return
        if not self._fitted:
            which = f"epoch {self._epoch + 1}" if self.supply.per_epoch else "the training"
            raise TrainingFailed(f"nothing in {which} could be trained on ({self.why()})")
        self._epoch, self._fitted = epoch, False

    def _row(self, example: Example, epoch: int) -> Row | None:
        how = self.recipe.optimisation
        draw = derived("explain", self.recipe.seed, example.id, epoch).random()
        explain = draw < how.explanation_probability
        found = prepared(self._show(example, epoch), self.tokens, self.recipe, explain=explain)
        self.counts[READ] += 1
        self.counts.update(found.notes)
        self._shortest = min(self._shortest or found.prompt, found.prompt or self._shortest)
        return found.row
