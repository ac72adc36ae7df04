"""Training sequences of a reward model: the conversations of one visit to a group, and their pairs."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from judgestream.core.templates.reward import conversation, layout
from judgestream.engine.conversation_tokens import ConversationTokens, Message
from judgestream_trainer.failure import TrainingFailed
from judgestream_trainer.preferences.balance import LengthBalance, Pair, balanced
from judgestream_trainer.preferences.groups import Graded, Group
from judgestream_trainer.randomness import derived
from judgestream_trainer.recipe import Recipe
from judgestream_trainer.training.data_order import READ, Extent


class Part(NamedTuple):
    """Some answers of a group, by index: what one visit shows."""

    group: Group
    chosen: tuple[int, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class ValueSequence:
    """The conversations of a visit, one after the other.

    ids       tokens of all conversations
    lengths   tokens of each
    pairs     by the conversations' indices
    grades    of the conversations; empty unless they compare across questions
    """

    ids: tuple[int, ...]
    lengths: tuple[int, ...]
    pairs: tuple[Pair, ...]
    grades: tuple[float, ...]


LONG = "conversation too long, answer left out"
ALONE = "fewer than two answers fit, pairs left out"


@dataclass(kw_only=True)
class ValueStream:
    """The encoded sequences of every step, a pure function of recipe and position.

    A group with many answers is visited in several parts per epoch, each with `preferences.answers` answers.
    """

    recipe: Recipe
    groups: Sequence[Group]
    conversations: ConversationTokens
    counts: Counter[str] = field(default_factory=Counter)
    supply: Extent = field(init=False)

    def __post_init__(self) -> None:
        if not self.groups:
            raise TrainingFailed("there are no groups of answers to train on")
        how = self.recipe.optimisation
        self.balance: LengthBalance = balanced(self.groups, self.recipe.preferences.longer_share)
        self._epoch, self._order = 0, parts(self.groups, self.recipe, 0)
        size = len(self._order)
        steps = how.steps or -(-size * how.epochs // how.batch)
        self.supply = Extent(steps=steps, per_epoch=size)

    def skip(self, steps: int) -> None:
        """Nothing to do: a step depends on its number alone."""

    def sequences(self, step: int) -> list[ValueSequence]:
        how = self.recipe.optimisation
        found = []
        for position in range(step * how.batch, (step + 1) * how.batch):
            epoch, index = divmod(position, self.supply.per_epoch)
            if how.epochs and epoch >= how.epochs:
                break
            sequence = self._encoded(self._part(epoch, index), epoch)
            if sequence is not None:
                found.append(sequence)
        return found

    def visits(self) -> list[ValueSequence]:
        """Every sequence of the first epoch, in order."""
        encoded = (self._encoded(part, 0) for part in parts(self.groups, self.recipe, 0))
        return [sequence for sequence in encoded if sequence is not None]

    def explanation(self) -> str:
        lost = ", ".join(f"{count} {name}" for name, count in self.counts.items() if name != READ)
        return f"{self.counts[READ]} answers read: {lost or 'all fit'}"

    def _part(self, epoch: int, index: int) -> Part:
        if epoch != self._epoch:
            self._epoch, self._order = epoch, parts(self.groups, self.recipe, epoch)
        return self._order[index]

    def _encoded(self, part: Part, epoch: int) -> ValueSequence | None:
        group, wanted = part.group, self.recipe.preferences.reference_probability
        draw = derived("reference", self.recipe.seed, group.id, epoch, part.chosen).random()
        reference = group.reference if draw < wanted else None
        kept: list[tuple[Graded, list[int]]] = []
        for index in part.chosen:
            answer = group.answers[index]
            ids = value_ids(self.conversations, group.question, answer.text, reference)
            self.counts[READ] += 1
            if len(ids) > self.recipe.size.context:
                self.counts[LONG] += 1
            else:
                kept.append((answer, ids))
        if len(kept) < 2 and not (kept and group.comparable):
            self.counts[ALONE] += 1
            return None
        return ValueSequence(
            ids=tuple(token for _, ids in kept for token in ids),
            lengths=tuple(len(ids) for _, ids in kept),
            pairs=tuple(self.balance.pairs([answer for answer, _ in kept])),
            grades=tuple(answer.grade for answer, _ in kept) if group.comparable else (),
        )


def parts(groups: Sequence[Group], recipe: Recipe, epoch: int) -> list[Part]:
    """The visits of an epoch, in its order."""
    most = recipe.preferences.answers
    made: list[Part] = []
    for group in groups:
        count = len(group.answers)
        shuffled = derived("answers", recipe.seed, group.id, epoch).sample(range(count), count)
        pieces = -(-count // most)
        made += [Part(group, tuple(shuffled[k::pieces])) for k in range(pieces)]
    derived("visits", recipe.seed, epoch).shuffle(made)
    return made


def value_ids(
    conversations: ConversationTokens, question: str, answer: str, reference: str | None
) -> list[int]:
    """The ids of an answer's conversation, as serving makes them."""
    prompt = layout(question, (answer,), reference).text
    return conversations.ids([Message(role, text) for role, text in conversation(prompt)])
