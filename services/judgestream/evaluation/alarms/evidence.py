"""The evidence of one window that a metric is beyond its limit, as an e-value.

A prompt is the unit. With x of its n verdicts counted, x - limit n has a mean of at most 0 while the metric
is at most the limit, whatever the correlation of the n verdicts. It is at least -limit n, so a bet on it can
lose no more than its stake: see `evaluation.sequential`. The e-value is exact for any number of prompts: its
expectation is at most 1 while the metric is within the limit.
"""

from collections import Counter
from collections.abc import Sequence

from judgestream.evaluation.alarms.policy import AlarmRule, Side
from judgestream.evaluation.probes import Counts
from judgestream.evaluation.sequential import log_e_above, log_mean

Cell = tuple[int, int, int]
"""Of one prompt: verdicts counted for the metric, against it, and in all."""


def cells(rule: AlarmRule, by_prompt: Sequence[Counts]) -> list[Cell]:
    """The metric's counts of every prompt that has any."""
    row, found = rule.definition, []
    for counts in by_prompt:
        complete = Counter(counts)
        against = 0 if row.against is None else row.against(complete)
        cell = (row.count(complete), against, row.n(complete))
        if cell[2] > 0:
            found.append(cell)
    return found


def log_evidence(rule: AlarmRule, of: Sequence[Cell]) -> float:
    """Natural logarithm of the e-value against "the metric is within the limit"; 0 for no prompts."""
    if rule.definition.against is None:
        if rule.side is Side.BELOW:
            return _log_e([(n - x, n) for x, _, n in of], 1.0 - rule.limit)
        return _log_e([(x, n) for x, _, n in of], rule.limit)
    # the magnitude of a difference: beyond the limit to either side
    signed = [(x - y, n) for x, y, n in of]
    toward, away = signed, [(-x, n) for x, n in signed]
    return log_mean(
        [(0.5, _log_e(part, rule.limit, lowest=1.0 + rule.limit)) for part in (toward, away)]
    )


def value_of(rule: AlarmRule, x: int, y: int, n: int) -> float:
    """The metric of summed cells."""
    return (x if rule.definition.against is None else abs(x - y)) / n


def _log_e(of: Sequence[tuple[int, int]], limit: float, lowest: float | None = None) -> float:
    """Against "the mean of x is at most `limit` times that of n"; x - limit n is at least -`lowest` n."""
    if not of:
        return 0.0
    unit = (limit if lowest is None else lowest) * max(n for _, n in of)
    gains = Counter(max(-1.0, (x - limit * n) / unit) for x, n in of)
    return log_e_above(gains, 0.0)
