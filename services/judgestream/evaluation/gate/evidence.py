"""Paired items as counts of prompts: all that the gate needs to remember.

**A prompt enters a guard's test once**, with the items that are there at the look at which the guard first
sees it. Items of one prompt are right or wrong together, so together they are one unit: the mean of each
judge's numbers. The e-values bet on that unit before it is seen. Were items added to it later, the unit
would change after the bet was settled, and the prompts that change would be those that happen to be asked
again: the e-value would no longer be a fair game, and Ville's inequality would not hold. Later items of a
sealed prompt therefore count as `repeated`: they are in the descriptive figures, never in a test. For the
same reason looks must not depend on what items say: use every batch that arrives, or every thousand records
of a topic.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import fsum

from judgestream.evaluation.gate.guards import GUARDS, Guard, Pair, PairUnits
from judgestream.evaluation.gate.items import PairedItem


@dataclass(frozen=True, kw_only=True, slots=True)
class Tally:
    """What one guard saw.

    units          mean of the new judge's and of the old judge's numbers over a prompt's items -> prompts
    prompts        that are sealed
    items          ids of all items, sealed or repeated
    repeated       items that came after their prompt was sealed
    gained, lost   items on which the new judge is better, or worse
    """

    units: PairUnits = field(default_factory=dict)
    prompts: frozenset[str] = frozenset()
    items: frozenset[str] = frozenset()
    repeated: int = 0
    gained: int = 0
    lost: int = 0

    def add(self, guard: Guard, batch: Iterable[PairedItem]) -> "Tally":
        """This tally after one look at a batch. An item that was seen before changes nothing."""
        fresh: dict[str, tuple[str, Pair]] = {}
        for item in batch:
            pair = guard.numbers(item)
            if pair is not None and item.id not in self.items:
                fresh.setdefault(item.id, (item.prompt, pair))
        if not fresh:
            return self
        by_prompt: defaultdict[str, list[Pair]] = defaultdict(list)
        for prompt, pair in fresh.values():
            if prompt not in self.prompts:
                by_prompt[prompt].append(pair)
        gains = [guard.gain(pair) for _, pair in fresh.values()]
        sealed = sum(map(len, by_prompt.values()))
        return Tally(
            units=_sum(self.units, Counter(_mean(pairs) for pairs in by_prompt.values())),
            prompts=self.prompts | by_prompt.keys(),
            items=self.items | fresh.keys(),
            repeated=self.repeated + len(fresh) - sealed,
            gained=self.gained + sum(gain > 0 for gain in gains),
            lost=self.lost + sum(gain < 0 for gain in gains),
        )

    def merged(self, other: "Tally") -> "Tally":
        """Both tallies together.

        Raises:
            ValueError: both have sealed the same prompt.
        """
        shared = self.prompts & other.prompts
        if shared:
            raise ValueError(
                f"{len(shared)} prompts are in both tallies, such as {min(shared)!r}: give each"
                " prompt to one of them"
            )
        return Tally(
            units=_sum(self.units, other.units),
            prompts=self.prompts | other.prompts,
            items=self.items | other.items,
            repeated=self.repeated + other.repeated,
            gained=self.gained + other.gained,
            lost=self.lost + other.lost,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Evidence:
    """The tallies of one comparison, by guard."""

    tallies: Mapping[str, Tally] = field(default_factory=lambda: {name: Tally() for name in GUARDS})

    @classmethod
    def of(cls, items: Sequence[PairedItem]) -> "Evidence":
        """The evidence of items that are all there at once: one look."""
        return cls().add(items)

    def add(self, batch: Sequence[PairedItem]) -> "Evidence":
        """This evidence after one look at a batch of items.

        Within a batch the order is irrelevant, and so is the order of batches with different prompts. Which
        items share a batch matters only for prompts that come more than once.

        An item may come again when it has become useful to another guard, for instance with its label: each
        guard counts it once.
        """
        return Evidence(
            tallies={name: tally.add(GUARDS[name], batch) for name, tally in self.tallies.items()}
        )

    def merged(self, other: "Evidence") -> "Evidence":
        """The evidence of both, which have different prompts.

        Raises:
            ValueError: both have sealed the same prompt.
        """
        return Evidence(
            tallies={
                name: tally.merged(other.tallies[name]) for name, tally in self.tallies.items()
            }
        )


def _mean(pairs: Sequence[Pair]) -> Pair:
    # fsum is exact, so the order of the items cannot change the last bit
    n = len(pairs)
    return fsum(new for new, _ in pairs) / n, fsum(old for _, old in pairs) / n


def _sum(one: PairUnits, other: PairUnits) -> PairUnits:
    found = Counter(dict(one))
    found.update(dict(other))
    return dict(found)
