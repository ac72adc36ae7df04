"""From a judge's reply to a reading: score line parsers, and the joint distribution's summary."""

import re
from collections.abc import Sequence
from functools import cache
from itertools import product
from math import fsum, nan
from operator import mul

from judgestream.core.score_line import scores_of
from judgestream.core.templates.base import JOINT_UP_TO, Grammar
from judgestream.core.types import Reading, Reply, Unread, Unreadable

MAX_OUTSIDE = 0.05
"""More probability than this outside the score grammar and the reply counts as unreadable."""

UNPARSED = (-1.0, -1.0)

SLACK = 1e-6
"""Added to `MAX_OUTSIDE` when it is compared: a hundred single-precision probabilities that leave exactly
5 % outside can sum to 0.05 and a hair. Far above their rounding, far below any mass that matters."""


def parse_strict(text: str) -> tuple[float, float]:
    """Two scores exactly as JudgeLM's own parser reads them; `UNPARSED` otherwise.

    First line only, commas become spaces, split at single spaces, exactly two parts that Python's
    `float` accepts. So `7, 8` and `7  8` fail and `nan 3` passes: kept, because published numbers were
    computed this way. Use `parse_tolerant` for anything but parity.
    """
    parts = text.split("\n")[0].replace(",", " ").split(" ")
    if len(parts) != 2:
        return UNPARSED
    try:
        return float(parts[0]), float(parts[1])
    except ValueError:
        return UNPARSED


def parse_tolerant(text: str, count: int) -> tuple[float, ...] | None:
    """`count` scores of 0 to 10 on the first line that is not blank, or None: see `core.score_line`."""
    line = next((line for line in text.splitlines() if line.strip()), "")
    return scores_of(line, count)


def parse_labels(text: str, grammar: Grammar) -> tuple[int, ...] | None:
    """Which labels stand on the first line that is not blank, as indices; None unless there are as many as
    the grammar asks for and nothing else.

    Numbers are read as `parse_tolerant` reads them. Other labels are words: `[[A]]`, `**B**` and `yes.`
    are read, in any letter case.
    """
    if grammar.numeric:
        numbers = parse_tolerant(text, grammar.count)
        if numbers is None or not set(numbers) <= set(grammar.values):
            return None
        return tuple(grammar.values.index(number) for number in numbers)
    line = next((line for line in text.splitlines() if line.strip()), "")
    known = {label.casefold(): at for at, label in enumerate(grammar.labels)}
    found = [known.get(word.casefold()) for word in re.findall(r"\w+", line)]
    if len(found) != grammar.count:
        return None
    labels = tuple(at for at in found if at is not None)
    return labels if len(labels) == len(found) else None


def read(reply: Reply, grammar: Grammar) -> Reading | Unreadable:
    """The reading of a reply, by shown position.

    From the joint score distribution when the judge gave one, else from its text. A text alone is
    certain about itself: its win/tie/lose is 0 or 1.
    """
    if reply.score_probs:
        return _read_distribution(reply, grammar)
    if reply.finish_reason == "length" and "\n" not in reply.text.lstrip():
        return Unreadable(reason=Unread.TRUNCATED, detail=reply.text[:80])
    scores = _scores(reply.text, grammar)
    if scores is None:
        return Unreadable(reason=Unread.UNPARSABLE, detail=reply.text[:80])
    if grammar.outcomes:
        (side,) = scores
        return _pair((), (), float(side > 0), float(side == 0), float(side < 0))
    if grammar.count != 2:
        return Reading(means=scores, greedy=scores)
    first, second = scores
    sides = float(first > second), float(first == second), float(first < second)
    return _pair(scores, scores, *sides)


def _scores(text: str, grammar: Grammar) -> tuple[float, ...] | None:
    """What is written on the first line: scores, or the outcome of a choice."""
    if grammar.numeric:
        return parse_tolerant(text, grammar.count)
    labels = parse_labels(text, grammar)
    if labels is None:
        return None
    values = grammar.outcomes or grammar.values
    return tuple(float(values[at]) for at in labels)


def _pair(
    means: tuple[float, ...],
    greedy: tuple[float, ...],
    win: float,
    tie: float,
    lose: float,
    outside: float = 0.0,
) -> Reading:
    return Reading(means=means, greedy=greedy, win=win, tie=tie, lose=lose, outside=outside)


def _read_distribution(reply: Reply, grammar: Grammar) -> Reading | Unreadable:
    probs, size = reply.score_probs, len(grammar.labels)
    apart = grammar.count > JOINT_UP_TO
    if len(probs) != grammar.cells:
        return Unreadable(
            reason=Unread.UNPARSABLE,
            detail=f"{len(probs)} probabilities for {size} labels at {grammar.count} positions",
        )
    if reply.finish_reason == "length" and not any(probs):
        return Unreadable(reason=Unread.TRUNCATED, detail=reply.text[:80])
    # Exactly rounded sums do not depend on their order: a transposed distribution gives exactly the
    # mirrored reading, so that a draw between win and lose stays a draw.
    inside = fsum(probs) / (grammar.count if apart else 1) if min(probs) >= 0 else nan
    outside = 1.0 - inside
    # written so that NaN fails, too
    if not abs(outside) <= MAX_OUTSIDE + SLACK:
        return Unreadable(
            reason=Unread.OUTSIDE_GRAMMAR, detail=f"{outside:.4f} outside the score grammar"
        )
    outside = max(0.0, outside)  # single precision may sum to a hair above one
    if grammar.outcomes:
        win, tie, lose = (
            fsum(p for p, outcome in zip(probs, grammar.outcomes, strict=True) if outcome == side)
            / inside
            for side in (1, 0, -1)
        )
        return _pair((), (), win, tie, lose, outside)
    values = grammar.values
    greedy = _scores(reply.text, grammar)
    if grammar.count == 1:
        best = values[probs.index(max(probs))]
        return Reading(means=(_mean(probs, values),), greedy=greedy or (best,), outside=outside)
    if apart:
        rows = [probs[k * size : (k + 1) * size] for k in range(grammar.count)]
        best_of = tuple(values[row.index(max(row))] for row in rows)
        means = tuple(_mean(row, values) for row in rows)
        return Reading(means=means, greedy=greedy or best_of, outside=outside)
    if greedy is None:
        cell = probs.index(max(probs))
        greedy = (values[cell // size], values[cell % size])
    first = [fsum(probs[k * size : (k + 1) * size]) for k in range(size)]
    second = [fsum(probs[k::size]) for k in range(size)]
    win, tie, lose = (
        fsum([probs[cell] for cell in cells]) / inside for cells in _cells_by_outcome(values)
    )
    pair = (_mean(first, values), _mean(second, values))
    return _pair(pair, greedy, win, tie, lose, outside)


def _mean(weights: Sequence[float], values: Sequence[float]) -> float:
    return fsum(map(mul, weights, values)) / fsum(weights)


@cache
def _cells_by_outcome(values: tuple[float, ...]) -> tuple[list[int], list[int], list[int]]:
    """Indices into a row-major joint distribution: first > second, equal, first < second."""
    cells = list(enumerate(product(values, repeat=2)))
    return (
        [index for index, (first, second) in cells if first > second],
        [index for index, (first, second) in cells if first == second],
        [index for index, (first, second) in cells if first < second],
    )
