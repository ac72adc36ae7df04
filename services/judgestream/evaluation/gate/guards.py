"""The measures that the gate compares between two judges: one row for every guard.

A guard observes a number of each judge on an item. The judges differ by the mean of `new - old` over
prompts (`Kind.DIFFERENCE`), or by how much less the new judge leans to either side (`Kind.MAGNITUDE`).
Positive is better for the new judge, always in [-1, 1].
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from judgestream.core.preference import Preference
from judgestream.evaluation.gate.items import Judgement, PairedItem
from judgestream.evaluation.sequential import Units

Pair = tuple[float, float]
"""The new judge's number and the old one's, on one item or averaged over a prompt's items."""

PairUnits = Mapping[Pair, int]


class Kind(StrEnum):
    DIFFERENCE = "difference"
    MAGNITUDE = "magnitude"


@dataclass(frozen=True, kw_only=True, slots=True)
class Guard:
    """One measure.

    meaning   one line for people
    observe   the numbers of both judges on an item; None where the guard does not apply to it
    probes    whether it is about known-answer items. No other guard counts those: they are made to mislead
    """

    name: str
    meaning: str
    observe: Callable[[PairedItem], Pair | None]
    kind: Kind = Kind.DIFFERENCE
    probes: bool = False

    def numbers(self, item: PairedItem) -> Pair | None:
        """The numbers of both judges on an item that the guard is about; None for any other."""
        return self.observe(item) if self.probes == (item.known is not None) else None

    def gain(self, pair: Pair) -> float:
        """How much better the new judge is on one item, -1 to 1."""
        new, old = pair
        return abs(old) - abs(new) if self.kind is Kind.MAGNITUDE else new - old


def differences(units: PairUnits) -> Units:
    """new - old of every unit."""
    found: Counter[float] = Counter()
    for (new, old), count in units.items():
        found[new - old] += count
    return found


def _labels(item: PairedItem) -> Pair | None:
    """Whether each judge's outcome is the label; an unreadable or failed verdict is not."""
    if item.label is None:
        return None
    return float(item.new.outcome == item.label), float(item.old.outcome == item.label)


def _known_answers(item: PairedItem) -> Pair | None:
    new, old = item.known or (None, None)
    return None if new is None or old is None else (float(new), float(old))


def _consistency(item: PairedItem) -> Pair | None:
    """Whether the two orders agree; a verdict that is not scored does not, whatever was asked."""
    if item.new.consistent is None and item.old.consistent is None:
        return None
    if any(j.consistent is None and j.scored for j in (item.new, item.old)):
        return None
    return float(item.new.consistent is True), float(item.old.consistent is True)


def _position(item: PairedItem) -> Pair | None:
    if item.new.lean is None or item.old.lean is None:
        return None
    return float(item.new.lean), float(item.old.lean)


def _toward(
    favoured: Callable[[PairedItem], Preference | None],
) -> Callable[[PairedItem], Pair | None]:
    """+1 where a judge prefers the favoured answer, -1 where it prefers the other one, 0 for a tie. Items
    that favour neither answer, or that a judge did not score, do not count."""

    def observe(item: PairedItem) -> Pair | None:
        side = favoured(item)
        if not side or item.new.outcome is None or item.old.outcome is None:
            return None
        return float(item.new.outcome * side), float(item.old.outcome * side)

    return observe


def _scored(item: PairedItem) -> Pair | None:
    return float(item.new.scored), float(item.old.scored)


def _saved(number: Callable[[Judgement], float | None]) -> Callable[[PairedItem], Pair | None]:
    """(old - new) / max(old, new) in whole percent, so that few different values have to be counted. The
    share stands for the new judge, 0 for the old one."""

    def observe(item: PairedItem) -> Pair | None:
        new, old = number(item.new), number(item.old)
        if new is None or old is None or not (0.0 <= new < 1e12 and 0.0 <= old < 1e12):
            return None
        most = max(new, old)
        return (round((old - new) / most, 2) if most else 0.0), 0.0

    return observe


GUARDS: Mapping[str, Guard] = MappingProxyType(
    {
        guard.name: guard
        for guard in (
            Guard(
                name="labels",
                meaning="agreement with labels",
                observe=_labels,
            ),
            Guard(
                name="known_answers",
                meaning="agreement on known-answer items",
                observe=_known_answers,
                probes=True,
            ),
            Guard(
                name="consistency",
                meaning="both orders lead to the same outcome",
                observe=_consistency,
            ),
            Guard(
                name="position",
                meaning="less lean toward the first or the second position",
                observe=_position,
                kind=Kind.MAGNITUDE,
            ),
            Guard(
                name="length",
                meaning="less lean toward the longer or the shorter answer",
                observe=_toward(lambda item: item.longer),
                kind=Kind.MAGNITUDE,
            ),
            Guard(
                name="format",
                meaning="less lean toward the answer with more formatting, or with less",
                observe=_toward(lambda item: item.formatted),
                kind=Kind.MAGNITUDE,
            ),
            Guard(name="scored", meaning="verdicts that could be scored", observe=_scored),
            Guard(
                name="latency",
                meaning="time saved per verdict, as a share of the slower one",
                observe=_saved(lambda judgement: judgement.latency_s),
            ),
            Guard(
                name="cost",
                meaning="money saved per verdict, as a share of the dearer one",
                observe=_saved(lambda judgement: judgement.cost),
            ),
        )
    }
)
"""Every guard by name, in the order of reports."""
