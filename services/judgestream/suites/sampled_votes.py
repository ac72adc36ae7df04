"""The votes of a judge that is sampled, from the probabilities on its verdict: nothing is judged again."""

from collections.abc import Sequence
from math import fsum

from judgestream.core.preference import Preference
from judgestream.core.types import PassResult, Reading, Status
from judgestream.evaluation.attack import Chances, settled_chances
from judgestream.suites.base import Judged


def six_votes(judged: Judged) -> Chances | None:
    """The probability of each preference that six votes settle to, three of each order.

    None where the two orders were not both read, as of a reward model, which has no orders. Of a judge that
    reasons first the reasonings stay as they are; only the scores behind them are sampled.
    """
    verdict = judged.verdict
    if verdict is None or verdict.status is not Status.SCORED:
        return None
    found = [_chances(verdict.passes, order) for order in ((0, 1), (1, 0))]
    orders = [one for one in found if one is not None]
    return settled_chances(orders) if len(orders) == len(found) else None


def turned(chances: Chances, slot: str) -> Chances:
    """The same with the answer of this slot as the second."""
    if slot == "2":
        return chances
    return {one.mirrored: chance for one, chance in chances.items()}


def _chances(passes: Sequence[PassResult], order: tuple[int, ...]) -> Chances | None:
    """The probability of each vote in one order, averaged over its passes; None if there is none."""
    read = [
        (reading.win, reading.tie or 0.0, reading.lose)
        for one in passes
        if one.transform.order == order
        and isinstance(reading := one.reading, Reading)
        and reading.win is not None
        and reading.lose is not None
    ]
    sides = (Preference.FIRST, Preference.TIE, Preference.SECOND)
    chances = {
        side: fsum(row[place] for row in read) / len(read) if read else 0.0
        for place, side in enumerate(sides)
    }
    return chances if any(chances.values()) else None
