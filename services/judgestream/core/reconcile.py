"""Settling rules: the readings of all passes -> one outcome."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import fsum

from judgestream.core.passes import reversed_pairs
from judgestream.core.preference import Preference
from judgestream.core.types import (
    CandidateScore,
    PassResult,
    Reading,
    Request,
    Status,
    Unreadable,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Settlement:
    """The outcome of one request's passes. Fields as on `Verdict`.

    explanation   None: the one that the first pass wrote below its scores
    """

    status: Status
    reason: str = ""
    winner: str = ""
    tie: bool = False
    scores: tuple[CandidateScore, ...] = ()
    p_win: float | None = None
    p_tie: float | None = None
    p_lose: float | None = None
    confidence: float | None = None
    flipped: bool | None = None
    explanation: str | None = None
    method: str = ""
    passed: bool | None = None


def preference(win: float, tie: float, lose: float) -> Preference:
    """The most probable of first better, equal, second better.

    A tie that is as probable as the better side wins. An exact draw between win and lose that is more
    probable than the tie has no single most probable outcome; it is a tie too, because any other rule would
    favour a position (see `is_draw`).
    """
    if tie >= win and tie >= lose:
        return Preference.TIE
    return Preference.between(win, lose)


def is_draw(win: float, tie: float, lose: float) -> bool:
    """Whether the outcome is a tie only because first and second are exactly equally probable.

    An example is a judge without probabilities that contradicts itself in the two orders: (.5, 0, .5).
    """
    return win == lose and tie < win


def reading_preference(reading: Reading) -> Preference:
    """`preference` of one pair reading."""
    if reading.win is None or reading.tie is None or reading.lose is None:
        raise ValueError("a reading without win, tie and lose has no preference")
    return preference(reading.win, reading.tie, reading.lose)


def settle_pair(request: Request, passes: Sequence[PassResult]) -> Settlement:
    """Two candidates: argmax of P(win), P(tie), P(lose) averaged over all passes.

    Averaging over both orders makes the outcome symmetric: swapping the candidates of a request mirrors
    its verdict exactly (`fsum`, because a plain sum depends on the order of the passes). One unreadable
    pass makes the whole request unscored, because the rest would be judged in one order only.

    The confidence is the largest of the three. The expected scores may favour the other candidate: they are
    means, whereas the winner is the more probable side. docs/design/statistics.md compares the rule with
    averaged log-odds.
    """
    readings, unscored = readable(request, passes)
    if unscored is not None:
        return unscored
    count = len(readings)
    win = fsum(r.win or 0.0 for r in readings) / count
    tie = fsum(r.tie or 0.0 for r in readings) / count
    lose = fsum(r.lose or 0.0 for r in readings) / count
    side = preference(win, tie, lose)
    return Settlement(
        status=Status.SCORED,
        winner=side.winner([candidate.id for candidate in request.candidates]),
        tie=side is Preference.TIE,
        scores=mean_scores(request, readings),
        p_win=win,
        p_tie=tie,
        p_lose=lose,
        confidence=max(win, tie, lose),
        flipped=_flipped(passes),
    )


def settle_single(request: Request, passes: Sequence[PassResult]) -> Settlement:
    """One candidate: its expected score, averaged over the passes. No winner."""
    readings, unscored = readable(request, passes)
    if unscored is not None:
        return unscored
    return Settlement(status=Status.SCORED, scores=mean_scores(request, readings))


def readable(
    request: Request, passes: Sequence[PassResult]
) -> tuple[list[Reading], Settlement | None]:
    """The readings, or the unscored settlement if a reply could not be read: its reason names the pass."""
    readings: list[Reading] = []
    for result in passes:
        if isinstance(result.reading, Unreadable):
            unscored = Settlement(
                status=Status.UNSCORED,
                reason=f"{result.reading.reason}: {result.transform.name}",
                scores=mean_scores(request, ()),
            )
            return [], unscored
        readings.append(result.reading)
    if not readings:
        raise ValueError(f"request {request.request_id!r} has no pass to settle")
    return readings, None


def mean_scores(request: Request, readings: Sequence[Reading]) -> tuple[CandidateScore, ...]:
    """Mean scores; None for a choice, and where nothing was parsed."""
    scored = [reading for reading in readings if reading.means]
    return tuple(
        CandidateScore(
            candidate_id=candidate.id,
            score=fsum(r.means[k] for r in scored) / len(scored) if scored else None,
            system=candidate.system,
            length=candidate.length,
        )
        for k, candidate in enumerate(request.candidates)
    )


def _flipped(passes: Sequence[PassResult]) -> bool | None:
    """Whether any two passes in reversed orders prefer different candidates; None without two such passes."""
    pairs = [
        (one.reading, other.reading)
        for one, other in reversed_pairs(passes)
        if isinstance(one.reading, Reading) and isinstance(other.reading, Reading)
    ]
    if not pairs:
        return None
    return any(reading_preference(one) != reading_preference(other) for one, other in pairs)
