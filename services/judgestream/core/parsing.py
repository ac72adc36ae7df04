"""Parsing of a judge's reply: the score line, and the joint distribution of the scores."""

import re
from collections.abc import Sequence
from functools import cache
from itertools import product
from math import fsum, nan
from operator import mul

from judgestream.core import score_line
from judgestream.core.ranking import p_best_of_distributions, p_best_of_scores
from judgestream.core.rewards import read_value
from judgestream.core.templates.base import JOINT_UP_TO, Grammar
from judgestream.core.types import Reading, Reply, Unread, Unreadable

MAX_OUTSIDE = 0.05
"""The largest probability outside the score grammar; a reply with more is unreadable."""

UNPARSED = (-1.0, -1.0)

SLACK = 1e-6
"""Tolerance of the comparison with `MAX_OUTSIDE`, for the rounding of a hundred single-precision
probabilities."""


def parse_strict(text: str) -> tuple[float, float]:
    """Two scores exactly as JudgeLM's own parser reads them; `UNPARSED` for any other text.

    It takes the first line, replaces commas by spaces, splits at single spaces and needs exactly two parts
    that Python's `float` accepts. So `7, 8` and `7  8` fail and `nan 3` passes. Published numbers were
    computed this way; use `parse_tolerant` for anything else.
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
    return score_line.scores_of(line, count)


def parse_labels(text: str, grammar: Grammar) -> tuple[int, ...] | None:
    """The labels on the score line, as indices into `grammar.labels`; None unless the line has the grammar's
    number of labels and no other word.

    Numbers are parsed by `parse_tolerant`. Other labels are words, in any letter case: `[[A]]`, `**B**`,
    `yes.`.
    """
    line = score_line_of(text, grammar)
    if line is None:
        return None
    if grammar.numbers:
        numbers = parse_tolerant(line, grammar.count)
        if numbers is None or not set(numbers) <= set(grammar.numbers):
            return None
        return tuple(grammar.numbers.index(number) for number in numbers)
    index_of = {label.casefold(): index for index, label in enumerate(grammar.labels)}
    words = re.findall(r"\w+", line)
    labels = tuple(index_of[word.casefold()] for word in words if word.casefold() in index_of)
    return labels if len(labels) == len(words) == grammar.count else None


def scores_of(text: str, grammar: Grammar) -> str:
    """A reply from its scores on: behind the last marker where the grammar has one; "" without a marker."""
    if not grammar.marker:
        return text
    places = list(marker_pattern(grammar.marker).finditer(text))
    return text[places[-1].end() :] if places else ""


def score_line_of(text: str, grammar: Grammar) -> str | None:
    """The score line of a reply: the first line of its scores that is not blank, up to the closing text. None
    for a reply without a marker."""
    scores = scores_of(text, grammar)
    if grammar.marker and not scores:
        return None
    line = next((line for line in scores.splitlines() if line.strip()), "")
    return line.partition(grammar.closing)[0] if grammar.closing else line


def explanation_of(text: str, grammar: Grammar) -> str:
    """The explanation in a reply: the text before the last marker where the grammar has one, else the lines
    below the first."""
    if not grammar.marker:
        return text.partition("\n")[2].strip()
    places = list(marker_pattern(grammar.marker).finditer(text))
    return text[: places[-1].start()].strip(" \t\r\n*_#") if places else text.strip()


def up_to_marker(text: str, marker: str) -> str:
    """A reasoning up to the first marker in it. Without one: all of it, less half a character at its end, and
    a line break, so that a marker that is put behind it begins a line."""
    found = marker_pattern(marker).search(text)
    return text[: found.start()] if found else text.rstrip("\ufffd \t\r\n") + "\n"


@cache
def marker_pattern(marker: str) -> re.Pattern[str]:
    """Finds a marker in any letter case, with any white space between its words, and with Markdown's emphasis
    before a colon at its end (`**Scores**:`)."""
    words = r"\s+".join(map(re.escape, marker.split()))
    return re.compile(words[:-1] + r"[*_`]*:" if words.endswith(":") else words, re.IGNORECASE)


def _ends_before_its_scores(text: str, grammar: Grammar) -> bool:
    """Whether a reply that was cut has no complete score line."""
    if not grammar.marker:
        return "\n" not in text.lstrip()
    return not score_line_of(text, grammar)


def read(reply: Reply, grammar: Grammar) -> Reading | Unreadable:
    """The reading of a reply, by shown position.

    It is computed from the score distribution if the judge returned one, else from the text, where judges
    that reason first write their scores behind the last marker; then win, tie and lose are 0 or 1.
    """
    if grammar.reward:
        return read_value(reply)
    if reply.score_probs:
        return _read_distribution(reply, grammar)
    if reply.finish_reason == "length" and _ends_before_its_scores(reply.text, grammar):
        return Unreadable(reason=Unread.TRUNCATED, detail=reply.text[:80])
    scores = _scores(reply.text, grammar)
    if scores is None:
        return Unreadable(reason=Unread.UNPARSABLE, detail=reply.text[:80])
    if grammar.outcomes:
        (side,) = scores
        return _pair((), (), float(side > 0), float(side == 0), float(side < 0))
    if grammar.count != 2:
        return Reading(means=scores, greedy=scores, p_best=_best_of(scores))
    first, second = scores
    sides = float(first > second), float(first == second), float(first < second)
    return _pair(scores, scores, *sides)


def _scores(text: str, grammar: Grammar) -> tuple[float, ...] | None:
    """The scores on the score line, or the outcome of a choice."""
    if grammar.numeric:
        line = score_line_of(text, grammar)
        return None if line is None else parse_tolerant(line, grammar.count)
    labels = parse_labels(text, grammar)
    if labels is None:
        return None
    values = grammar.outcomes or grammar.values
    return tuple(float(values[index]) for index in labels)


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
    if grammar.marker and not any(probs) and not score_line_of(reply.text, grammar):
        return Unreadable(reason=Unread.UNPARSABLE, detail=f"no {grammar.marker!r} before scores")
    inside = _inside(probs, grammar.count if apart else 1)
    outside = 1.0 - inside
    # this comparison rejects NaN too
    if not abs(outside) <= MAX_OUTSIDE + SLACK:
        return Unreadable(
            reason=Unread.OUTSIDE_GRAMMAR, detail=f"{outside:.4f} outside the score grammar"
        )
    # in single precision the sum may exceed one
    outside = max(0.0, outside)
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
        p_best = p_best_of_distributions(rows, values)
        return Reading(means=means, greedy=greedy or best_of, outside=outside, p_best=p_best)
    if greedy is None:
        cell = probs.index(max(probs))
        greedy = (values[cell // size], values[cell % size])
    first = [fsum(probs[k * size : (k + 1) * size]) for k in range(size)]
    second = [fsum(probs[k::size]) for k in range(size)]
    win, tie, lose = (
        fsum(map(probs.__getitem__, cells)) / inside for cells in _cells_by_outcome(values)
    )
    pair = (_mean(first, values), _mean(second, values))
    return _pair(pair, greedy, win, tie, lose, outside)


def _inside(probs: Sequence[float], rows: int) -> float:
    """The mean probability inside the grammar of these rows of equal size; NaN unless every row is a
    distribution.

    Exactly rounded sums do not depend on the order of summation: a transposed distribution gives exactly the
    mirrored reading, so a draw between win and lose stays a draw.
    """
    most = 1.0 + MAX_OUTSIDE + SLACK
    if not all(0.0 <= share <= most for share in probs):  # NaN is neither
        return nan
    size = len(probs) // rows
    if rows > 1 and not all(
        0.0 < fsum(probs[k : k + size]) <= most for k in range(0, len(probs), size)
    ):
        return nan
    return fsum(probs) / rows


def _best_of(scores: tuple[float, ...]) -> tuple[float, ...]:
    return p_best_of_scores(scores) if len(scores) > JOINT_UP_TO else ()


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
