"""From a judge's reply to a reading: score line parsers, and the joint distribution's summary."""

import re

from judgestream.core.templates.base import Grammar
from judgestream.core.types import Reading, Reply, Unread, Unreadable

MAX_OUTSIDE = 0.05
"""More probability than this outside the score grammar and the reply counts as unreadable."""

UNPARSED = (-1.0, -1.0)

_NAMED = re.compile(
    r"\b(?:assistant|answer|response)\s*[12]\b['\u2019s]*\s*(?:score)?\s*[:=]?", re.I
)
_NUMBER = re.compile(r"(?<![\w.])(\d+(?:\.\d+)?)(?:\s*/\s*10(?!\d))?(?![\w.])")


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
    """`count` scores of 0 to 10 on the first line that is not blank, or None.

    Reads what a person would: `7, 8`, `7/10 8/10`, `Assistant 1: 7 Assistant 2: 8.5`. More or fewer
    numbers than asked for, or one out of range, is no reading.
    """
    line = next((line for line in text.splitlines() if line.strip()), "")
    numbers = [float(found) for found in _NUMBER.findall(_NAMED.sub(" ", line))]
    if len(numbers) != count or any(number > 10 for number in numbers):
        return None
    return tuple(numbers)


def read(reply: Reply, grammar: Grammar) -> Reading | Unreadable:
    """The reading of a reply, by shown position.

    From the joint score distribution when the judge gave one, else from its text. A text alone is
    certain about itself: its win/tie/lose is 0 or 1.
    """
    if reply.score_probs:
        return _read_distribution(reply, grammar)
    if reply.finish_reason == "length" and "\n" not in reply.text:
        return Unreadable(reason=Unread.TRUNCATED, detail=reply.text[:80])
    scores = parse_tolerant(reply.text, grammar.count)
    if scores is None:
        return Unreadable(reason=Unread.UNPARSABLE, detail=reply.text[:80])
    if grammar.count != 2:
        return Reading(means=scores, greedy=scores)
    first, second = scores
    return Reading(
        means=scores,
        greedy=scores,
        win=float(first > second),
        tie=float(first == second),
        lose=float(first < second),
    )


def _read_distribution(reply: Reply, grammar: Grammar) -> Reading | Unreadable:
    probs, values = reply.score_probs, grammar.values
    size = len(values)
    if len(probs) != size**grammar.count:
        return Unreadable(
            reason=Unread.UNPARSABLE,
            detail=f"{len(probs)} probabilities for {size} labels at {grammar.count} positions",
        )
    inside = sum(probs)
    outside = max(0.0, 1.0 - inside)
    if not outside <= MAX_OUTSIDE:  # also when a probability is NaN
        return Unreadable(
            reason=Unread.OUTSIDE_GRAMMAR, detail=f"{outside:.3f} outside the score grammar"
        )
    greedy = parse_tolerant(reply.text, grammar.count)
    if grammar.count == 1:
        mean = sum(p * v for p, v in zip(probs, values, strict=True)) / inside
        best = values[max(range(size), key=probs.__getitem__)]
        return Reading(means=(mean,), greedy=greedy or (best,), outside=outside)
    if grammar.count != 2:
        raise ValueError(f"no reading is defined for {grammar.count} joint scores")
    rows = [probs[k * size : (k + 1) * size] for k in range(size)]
    win = tie = mean1 = mean2 = 0.0
    for i, row in enumerate(rows):
        mean1 += values[i] * sum(row)
        mean2 += sum(p * v for p, v in zip(row, values, strict=True))
        tie += row[i]
        win += sum(row[:i])  # labels ascend, so the second score is the smaller one here
    win, tie = win / inside, tie / inside
    if greedy is None:
        best_cell = max(range(size * size), key=probs.__getitem__)
        greedy = (values[best_cell // size], values[best_cell % size])
    return Reading(
        means=(mean1 / inside, mean2 / inside),
        greedy=greedy,
        win=win,
        tie=tie,
        lose=max(0.0, 1.0 - win - tie),
        outside=outside,
    )
