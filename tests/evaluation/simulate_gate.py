"""The evidence gate on simulated judges: many runs at once, in numpy.

A world is a set of cells with probabilities: how both judges' verdicts on a prompt look to every guard. A run
draws prompts from it. The gate's tests need only the counts of the cells, so all runs and looks are one array
of counts, and every e-value one product with it. `test_operating_characteristics` compares these decisions
with those of `gate.decide`.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import comb, log

import numpy as np
from numpy.typing import NDArray

from judgestream.core.preference import Preference
from judgestream.core.types import Status
from judgestream.evaluation.gate import GUARDS, Judgement, Outcome, PairedItem, Policy
from judgestream.evaluation.gate.guards import Kind, Pair
from judgestream.evaluation.sequential import BETS

Array = NDArray[np.float64]
Outcomes = NDArray[np.int8]

OUTCOMES = (Outcome.UNDECIDED, Outcome.WORSE, Outcome.NOT_WORSE, Outcome.BETTER)
"""What the numbers in `Outcomes` mean."""

UNDECIDED, WORSE, NOT_WORSE, BETTER = range(4)
SIGNS = (1, -1)


@dataclass(frozen=True, kw_only=True, slots=True)
class World:
    """Cells with their probabilities; guard -> each cell's numbers, None where it does not apply."""

    shares: Sequence[float]
    cells: Mapping[str, Sequence[Pair | None]]

    def truth(self, guard: str) -> float:
        """The true difference of a guard."""
        rows = [(pair, s) for pair, s in zip(self.cells[guard], self.shares, strict=True) if pair]
        total = sum(share for _, share in rows)
        new, old = (sum(pair[k] * share for pair, share in rows) / total for k in (0, 1))
        return abs(old) - abs(new) if GUARDS[guard].kind is Kind.MAGNITUDE else new - old


@dataclass(frozen=True, kw_only=True, slots=True)
class Runs:
    """A guard's units in every round at every look: counts (rounds, looks, pairs) of distinct pairs."""

    guard: str
    pairs: Sequence[Pair]
    counts: Array


def only(world: World, guard: str) -> World:
    """The world as one guard sees it: equal cells are one."""
    found: defaultdict[Pair | None, float] = defaultdict(float)
    for pair, share in zip(world.cells[guard], world.shares, strict=True):
        found[pair] += share
    return World(shares=list(found.values()), cells={guard: list(found)})


def drawn(
    draw: np.random.Generator, world: World, *, rounds: int, looks: Sequence[int]
) -> dict[str, Runs]:
    """Runs of every guard on the same prompts; `looks` are numbers of prompts, in steps of the first one."""
    step, most = looks[0], looks[-1]
    shares = np.array(world.shares) / sum(world.shares)
    if len(world.cells) == 1:
        ((guard, cells),) = world.cells.items()
        steps = draw.multinomial(step, shares, size=(rounds, most // step))
        applies = [k for k, pair in enumerate(cells) if pair is not None]
        pairs = [cells[k] or (0.0, 0.0) for k in applies]
        counts = steps[:, :, applies].cumsum(axis=1).astype(float)
        return {guard: Runs(guard=guard, pairs=pairs, counts=counts)}
    picked = np.searchsorted(shares.cumsum(), draw.random((rounds, most)), side="right")
    picked = picked.clip(max=len(shares) - 1).astype(np.int16)
    found = {}
    for guard, cells in world.cells.items():
        pairs = list(dict.fromkeys(pair for pair in cells if pair is not None))
        codes = np.array([-1 if pair is None else pairs.index(pair) for pair in cells], np.int16)
        seen = codes[picked].reshape(rounds, most // step, step)
        counts = np.stack([(seen == k).sum(axis=2) for k in range(len(pairs))], axis=2)
        found[guard] = Runs(
            guard=guard, pairs=pairs, counts=counts.cumsum(axis=1).astype(np.float64)
        )
    return found


def outcomes(runs: Runs, policy: Policy, *, comparisons: int = 1) -> Outcomes:
    """The guard's outcome in every round at every look, as `gate.decide` finds it."""
    rule, kind = policy.guards[runs.guard], GUARDS[runs.guard].kind
    budget = policy.alpha * policy.budget(runs.guard) / (2 * comparisons)
    back = [(old, new) for new, old in runs.pairs]
    accepted = log_e_above(runs.counts, runs.pairs, -rule.margin, kind) >= -log(policy.alpha)
    better = log_e_above(runs.counts, runs.pairs, 0.0, kind) >= -log(budget)
    worse = log_e_above(runs.counts, back, 0.0, kind) >= -log(budget)
    enough = runs.counts.sum(axis=2) >= rule.least_units
    found = np.zeros(enough.shape, dtype=np.int8)
    found[worse & ~accepted] = WORSE
    found[accepted & enough] = NOT_WORSE
    found[accepted & enough & better] = BETTER
    return found


def log_e_above(counts: Array, pairs: Sequence[Pair], null: float, kind: Kind) -> Array:
    """Logarithm of the e-value against "the difference is at most `null`"."""
    if kind is Kind.DIFFERENCE:
        return _log_e(counts, [new - old for new, old in pairs], null)
    halves = {
        (a, b): _log_e(counts, [(b * y - a * x) / 2 for x, y in pairs], null / 2)
        for a in SIGNS
        for b in SIGNS
    }
    found: Array = np.minimum(*(np.logaddexp(halves[a, 1], halves[a, -1]) - log(2) for a in SIGNS))
    return found


def _log_e(counts: Array, values: Sequence[float], null: float) -> Array:
    bets, weights = np.array(list(BETS)), np.array(list(BETS.values()))
    gains = (np.array(values)[:, None] - null) / (1 + null)
    wealth = counts @ np.log1p(gains * bets) + np.log(weights)
    highest = wealth.max(axis=-1, keepdims=True)
    found: Array = highest[..., 0] + np.log(np.exp(wealth - highest).sum(axis=-1))
    return found


def overall(found: Mapping[str, Outcomes], policy: Policy) -> Outcomes:
    """The decision over all required guards against one baseline."""
    required = np.stack([found[name] for name, rule in policy.guards.items() if rule.required])
    decided = np.where((required == BETTER).any(axis=0), BETTER, NOT_WORSE)
    decided = np.where((required == UNDECIDED).any(axis=0), UNDECIDED, decided)
    return np.where((required == WORSE).any(axis=0), WORSE, decided).astype(np.int8)


def first(found: Outcomes) -> Outcomes:
    """At every look the first outcome up to then that was not undecided."""
    at = (found != UNDECIDED).argmax(axis=1)
    one = np.take_along_axis(found, at[:, None], axis=1)
    known: Outcomes = np.where(np.arange(found.shape[1]) >= at[:, None], one, 0).astype(np.int8)
    return known


def ever(hit: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Whether it was so at this look or at an earlier one."""
    return np.logical_or.accumulate(hit, axis=1)


def labelled(difference: float, discordant: float) -> World:
    """One item a prompt, by which judge is right."""
    gain, loss = (discordant + difference) / 2, (discordant - difference) / 2
    return World(
        shares=[gain, loss, 1 - gain - loss],
        cells={"labels": [(1.0, 0.0), (0.0, 1.0), (1.0, 1.0)]},
    )


def clustered(
    difference: float, discordant: float, *, sizes: Sequence[int], correlation: float
) -> World:
    """Prompts of several items; their sizes are equally likely. With probability sqrt(correlation) an item
    takes what its prompt drew, so that two items of one prompt correlate by `correlation`."""
    gain, loss = (discordant + difference) / 2, (discordant - difference) / 2
    item = {1: gain, -1: loss, 0: 1 - gain - loss}
    shared = correlation**0.5
    found: defaultdict[float, float] = defaultdict(float)
    for size, (drawn_, share) in product(sizes, item.items()):
        for taking in range(size + 1):
            ways = comb(size, taking) * shared**taking * (1 - shared) ** (size - taking)
            for rest, chance in _sums(item, size - taking).items():
                value = (taking * drawn_ + rest) / size
                found[value] += share * ways * chance / len(sizes)
    return World(
        shares=list(found.values()),
        cells={"labels": [(max(v, 0.0), max(-v, 0.0)) for v in found]},
    )


def _sums(item: Mapping[int, float], n: int) -> dict[int, float]:
    sums = {0: 1.0}
    for _ in range(n):
        more: defaultdict[int, float] = defaultdict(float)
        for (total, chance), (value, share) in product(sums.items(), item.items()):
            more[total + value] += chance * share
        sums = dict(more)
    return sums


def leaning(new: float, old: float, *, spread: float, shared: float) -> World:
    """Leans toward a position of these means. `spread` of the verdicts change with the order. Where both
    judges may have the same lean, the share `shared` of that is drawn once for both."""
    sides = [
        {1.0: (spread + mean) / 2, -1.0: (spread - mean) / 2, 0.0: 1 - spread}
        for mean in (new, old)
    ]
    common = {lean: min(sides[0][lean], sides[1][lean]) * shared for lean in sides[0]}
    rests = [{lean: side[lean] - common[lean] for lean in side} for side in sides]
    left = 1 - sum(common.values())
    found = {(x, y): rests[0][x] * rests[1][y] / left for x in rests[0] for y in rests[1]}
    for lean, share in common.items():
        found[lean, lean] += share
    return World(shares=list(found.values()), cells={"position": list(found)})


@dataclass(frozen=True, kw_only=True, slots=True)
class Judge:
    """Probabilities of one judge's verdicts.

    unread   it cannot be read
    right    given that it was read
    tie      given that it is wrong
    flips    the orders differ; first: it then leans toward the first position
    slow     it takes 2 s and dollars instead of 1
    """

    unread: float = 0.01
    right: float = 0.8
    tie: float = 0.3
    flips: float = 0.1
    first: float = 0.6
    slow: float = 0.5

    def verdicts(self, label: Preference) -> Iterator[tuple[Judgement, float]]:
        wrong = [p for p in (Preference.FIRST, Preference.SECOND) if p is not label]
        false = {p: (1 - self.tie) / len(wrong) for p in wrong} | {Preference.TIE: self.tie}
        if label is Preference.TIE:
            false = dict.fromkeys(wrong, 0.5)
        chances = {label: self.right} | {p: (1 - self.right) * s for p, s in false.items()}
        leans = {
            Preference.TIE: 1 - self.flips,
            Preference.FIRST: self.flips * self.first,
            Preference.SECOND: self.flips * (1 - self.first),
        }
        for time, timed in ((2.0, self.slow), (1.0, 1 - self.slow)):
            yield (
                Judgement(status=Status.UNSCORED, consistent=False, latency_s=time, cost=time),
                self.unread * timed,
            )
            for (outcome, share), (lean, leant) in product(chances.items(), leans.items()):
                yield (
                    Judgement(
                        status=Status.SCORED,
                        outcome=outcome,
                        consistent=lean is Preference.TIE,
                        lean=lean,
                        latency_s=time,
                        cost=time,
                    ),
                    (1 - self.unread) * share * leant * timed,
                )


def judged(new: Judge, old: Judge, *, alike: float, ties: float = 0.2) -> World:
    """Every guard at once. With probability `alike` an item has the old judge's verdict from both; otherwise
    each draws its own. `ties` of the labels are ties."""
    found: defaultdict[tuple[Pair | None, ...], float] = defaultdict(float)
    for label, weight in (
        (Preference.TIE, ties),
        (Preference.FIRST, (1 - ties) / 2),
        (Preference.SECOND, (1 - ties) / 2),
    ):
        for longer, formatted in product((Preference.FIRST, Preference.SECOND), repeat=2):
            part = weight / 4
            olds = list(old.verdicts(label))
            news = list(new.verdicts(label))
            pairs = [(one, one, alike * share) for one, share in olds]
            pairs += [(a, b, (1 - alike) * x * y) for (a, x), (b, y) in product(news, olds)]
            for one, other, share in pairs:
                item = PairedItem(
                    id="",
                    prompt="",
                    new=one,
                    old=other,
                    label=label,
                    known=(one.outcome == label, other.outcome == label),
                    longer=longer,
                    formatted=formatted,
                )
                found[tuple(guard.observe(item) for guard in GUARDS.values())] += part * share
    kept = {cell: share for cell, share in found.items() if share > 0}
    return World(
        shares=list(kept.values()),
        cells={name: [cell[k] for cell in kept] for k, name in enumerate(GUARDS)},
    )
