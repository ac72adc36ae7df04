"""Values of a reward model: one number per answer, and the probabilities of a pair's outcomes.

Values are in units of log-odds. Two answers with values a and b compare by the model of Bradley and Terry
with ties of Rao and Kupper (1967, "Ties in Paired-Comparison Experiments", Journal of the American
Statistical Association 62, 194-204): with the margin m, which is the logarithm of their threshold, and
s(x) = 1 / (1 + e^-x),

    P(first better) = s(a - b - m),  P(second better) = s(b - a - m),  P(tie) = the rest.

With m = 0 there are no ties, and the model is Bradley and Terry's. From m = log 2 on, a tie is the most
probable outcome of equal values.
"""

from math import exp, fsum

from judgestream.core.types import Reading, Reply, Unread, Unreadable

LOWEST, HIGHEST = 1.0, 10.0
LARGEST = 1e6
"""Bound of a value and of a margin: larger numbers are not log-odds, and sums of them could overflow."""


def sigmoid(x: float) -> float:
    if x < 0:
        power = exp(max(x, -745.0))  # below, it rounds to 0
        return power / (1.0 + power)
    return 1.0 / (1.0 + exp(-x))


def outcomes(difference: float, margin: float) -> tuple[float, float, float]:
    """P(first better), P(tie), P(second better) of two answers whose values have this difference.

    Exactly symmetric: the opposite difference gives the mirrored probabilities.
    """
    win, lose = sigmoid(difference - margin), sigmoid(-difference - margin)
    return win, max(0.0, fsum((1.0, -win, -lose))), lose


def score_of(value: float) -> float:
    """A value on the scale of scores, 1 to 10: 1 + 9 s(value). Higher values get higher scores.

    s(value) is the probability that the answer is better than one of value 0, the centre.
    """
    return LOWEST + (HIGHEST - LOWEST) * sigmoid(value)


def read_value(reply: Reply) -> Reading | Unreadable:
    """The reading of a reply that has a value and a tie margin in place of a score distribution."""
    numbers = reply.score_probs
    in_range = all(abs(number) <= LARGEST for number in numbers)  # false for NaN, too
    if len(numbers) != 2 or not in_range or numbers[1] < 0:
        shown = " ".join(f"{number:g}" for number in numbers[:4]) or reply.text[:80]
        return Unreadable(
            reason=Unread.UNPARSABLE, detail=f"expected a value and a tie margin, not {shown!r}"
        )
    return Reading(means=(score_of(numbers[0]),), greedy=(), values=numbers)
