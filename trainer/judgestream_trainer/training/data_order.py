"""Data order: a pure function of seed and position, so that training can resume at any step.

A step takes `batch` positions. A position whose sequence does not fit stays empty; the others do not move.
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
from judgestream_trainer.training.sequences import TrainingSequence, prepared

Source = Callable[[int], tuple[Example, int]]
"""Position -> example and epoch."""


def task_item(recipe: Recipe, position: int) -> Item:
    """The training item at a position of the infinite stream: families by their shares, every item new.

    A recipe without references gets no item that cannot be judged without one.
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
    """The item at a position, with the simulated bias of the recipe's teacher."""
    example = task_item(recipe, position).example
    return with_simulated_bias(example, recipe.lopsided, seed=recipe.seed)


def infinite(recipe: Recipe) -> Source:
    """New task items, without an end."""
    return lambda position: (task_example(recipe, position), 0)


def finite(examples: Sequence[Example], *, seed: int) -> Source:
    """The examples in epochs, each in a different order."""
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
class Extent:
    """The steps of a training, and the positions in an epoch (0: there are no epochs)."""

    steps: int
    per_epoch: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Supply(Extent):
    """The source of a training's examples."""

    source: Source


def supply(recipe: Recipe, examples: Sequence[Example] | None) -> Supply:
    """The recipe's data: the given examples, or task items (infinite, or `optimisation.examples` of them).

    Raises:
        ConfigurationError: epochs of an infinite stream.
        TrainingFailed: `examples` is empty.
    """
    how = recipe.optimisation
    if examples is None and how.examples:
        examples = [task_example(recipe, position) for position in range(how.examples)]
    if examples is None:
        if not how.steps:
            raise ConfigurationError(
                f"recipe {recipe.name}: optimisation.epochs needs a number of examples: set"
                " optimisation.examples, or use steps"
            )
        return Supply(source=infinite(recipe), steps=how.steps, per_epoch=0)
    if not examples:
        raise TrainingFailed("there are no examples to train on")
    steps = how.steps or -(-len(examples) * how.epochs // how.batch)
    return Supply(source=finite(examples, seed=recipe.seed), steps=steps, per_epoch=len(examples))


READ = "read"
"""The count of all sequences. Every other count is of sequences that were left out or changed."""


@dataclass(kw_only=True)
class Stream:
    """The encoded sequences of every step. `counts` has what was read and what did not fit, by reason.

    Steps must be read in order: JudgeLM's in-place defect, reproduced for ablations, depends on earlier
    visits.
    """

    recipe: Recipe
    supply: Supply
    tokens: Tokens
    counts: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._show = visitor(self.recipe.augmentation, seed=self.recipe.seed)
        self._shortest = 0
        # the current epoch, and whether any of its sequences fitted
        self._epoch = 0
        self._fitted = False

    def skip(self, steps: int) -> None:
        """Continue after this many steps."""
        if steps:
            self._epoch = self._epoch_of(steps * self.recipe.optimisation.batch - 1)
            # what an earlier process read of this epoch is unknown
            self._fitted = True
        if self.recipe.augmentation.in_place_defect:
            for position in range(steps * self.recipe.optimisation.batch):
                self._show(*self.supply.source(position))

    def sequences(self, step: int) -> list[TrainingSequence]:
        """The sequences of a step: one for each of its `batch` positions that fits.

        Raises:
            TrainingFailed: no sequence of an epoch fits.
        """
        how = self.recipe.optimisation
        end = self.supply.steps * how.batch
        if self.supply.per_epoch and how.epochs:
            end = self.supply.per_epoch * how.epochs
        fitting = []
        for position in range(step * how.batch, min(end, (step + 1) * how.batch)):
            self._turn(self._epoch_of(position))
            sequence = self._encoded(*self.supply.source(position))
            if sequence is not None:
                self._fitted = True
                fitting.append(sequence)
        if step == self.supply.steps - 1:
            self._turn(self._epoch + 1)
        return fitting

    def explanation(self) -> str:
        """The counts so far, for an error message."""
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
        """Check the previous epoch when another one begins."""
        if epoch == self._epoch:
            return
        if not self._fitted:
            which = f"epoch {self._epoch + 1}" if self.supply.per_epoch else "the training"
            raise TrainingFailed(f"nothing in {which} could be trained on ({self.explanation()})")
        self._epoch, self._fitted = epoch, False

    def _encoded(self, example: Example, epoch: int) -> TrainingSequence | None:
        how = self.recipe.optimisation
        draw = derived("explain", self.recipe.seed, example.id, epoch).random()
        explain = draw < how.explanation_probability
        encoded = prepared(self._show(example, epoch), self.tokens, self.recipe, explain=explain)
        self.counts[READ] += 1
        self.counts.update(encoded.notes)
        self._shortest = min(self._shortest or encoded.prompt, encoded.prompt or self._shortest)
        return encoded.sequence
