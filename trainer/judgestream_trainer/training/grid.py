"""Scores rounded to the labels of the judge's template: whole or half points from 1 to 10.

A teacher may give 7.5, or a 0 below the scale. Training on such a score teaches the judge to write what its
grammar cannot parse, so each score is moved to a label of the grammar.
"""

from collections.abc import Sequence
from itertools import product

from judgestream.core.preference import Preference

Scores = tuple[float, float]


def on_grid(scores: Scores, labels: Sequence[float]) -> Scores | None:
    """The scores as two labels, or None where rounding would change which answer is better.

    Each score is rounded to the nearest label. Half way between two labels it goes to the one that keeps the
    order of the two answers, the higher one where both do: 7.5 and 8 become 7 and 8, 7.5 and 7.5 become 8 and
    8. Swapping the two scores swaps the result.
    """
    first, second = scores
    fitting = [
        pair
        for pair in product(_nearest(first, labels), _nearest(second, labels))
        if Preference.between(*pair) is Preference.between(first, second)
    ]
    return max(fitting, key=sum, default=None)


def _nearest(score: float, labels: Sequence[float]) -> list[float]:
    gap = min(abs(score - label) for label in labels)
    return [label for label in labels if abs(score - label) == gap]
