"""Elo ratings of systems that met in pairs, as Chatbot Arena first computed them.

Source: FastChat `serve/monitor/elo_analysis.py` (arXiv 2306.05685). They depend on the order of the battles;
`leaderboard` has ratings that do not, with intervals.
"""

from collections import defaultdict
from collections.abc import Iterable

from judgestream.core.preference import Preference

SCALE, START, STEP = 400.0, 1000.0, 4.0


def elo(battles: Iterable[tuple[str, str, Preference]], *, step: float = STEP) -> dict[str, float]:
    """Ratings after one pass over battles of two systems; a tie is half a win.

    P(first wins) = 1 / (1 + 10 ** ((R_second - R_first) / 400)), and the ratings move by `step` times the
    difference of outcome and expectation.
    """
    ratings: defaultdict[str, float] = defaultdict(lambda: START)
    for first, second, outcome in battles:
        gap = (ratings[second] - ratings[first]) / SCALE
        moved = step * ((outcome + 1) / 2 - 1 / (1 + 10**gap))
        ratings[first] += moved
        ratings[second] -= moved
    return dict(ratings)
