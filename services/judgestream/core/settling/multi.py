"""The rule of mode `multi`: several answers scored together."""

from collections.abc import Sequence
from math import fsum

from judgestream.core.ranking import SAME, Ranking
from judgestream.core.reconcile import Settlement, mean_scores, readable
from judgestream.core.types import PassResult, Reading, Request, Status


def settle_multi(request: Request, passes: Sequence[PassResult]) -> Settlement:
    """Ranks by the expected scores, averaged over all passes; P(best) is averaged likewise.

    Equal scores share a rank. The winner is the only candidate of rank 1; without one it is a tie. One
    unreadable pass makes the request unscored, because the rest would favour some positions. `flipped` says
    that two orders have different candidates at the top.
    """
    readings, unscored = readable(request, passes)
    if unscored is not None:
        return unscored
    scores = mean_scores(request, readings)
    shares = [_p_best(reading) for reading in readings]
    p_best = [fsum(column) / len(shares) for column in zip(*shares, strict=True)]
    ranking = Ranking.of_scores([score.score for score in scores], p_best)
    return Settlement(
        status=Status.SCORED,
        winner=ranking.winner([candidate.id for candidate in request.candidates]),
        tie=ranking.tie,
        scores=ranking.on(scores),
        confidence=ranking.confidence,
        flipped=_flipped(passes),
    )


def _p_best(reading: Reading) -> tuple[float, ...]:
    if reading.win is not None and reading.lose is not None and reading.tie is not None:
        return (reading.win + reading.tie / 2, reading.lose + reading.tie / 2)
    return reading.p_best


def _flipped(passes: Sequence[PassResult]) -> bool | None:
    """Whether two passes that differ in their order only prefer different candidates; None without such."""
    tops: dict[bool, set[frozenset[int]]] = {}
    orders: dict[bool, int] = {}
    for result in passes:
        if isinstance(result.reading, Reading):
            alike = result.transform.with_reference
            tops.setdefault(alike, set()).add(top(result.reading))
            orders[alike] = orders.get(alike, 0) + 1
    if all(count < 2 for count in orders.values()):
        return None
    return any(len(found) > 1 for found in tops.values())


def top(reading: Reading) -> frozenset[int]:
    """The indices of the highest expected scores."""
    best = max(reading.means)
    return frozenset(k for k, mean in enumerate(reading.means) if best - mean <= SAME)
