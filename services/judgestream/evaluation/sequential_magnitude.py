"""Anytime-valid inference on how much smaller the magnitude of one mean is than that of another.

`units` are pairs (x, y) of leans in [-1, 1], each a new and an old judge's on the same prompt, as counts. The
parameter is theta = |mean of y| - |mean of x|: positive if the new judge leans less, to whichever side.

Theta <= m means: for some sign a and every sign b, the mean of b y - a x is at most m, because
-|x| = min_a (-a x) and |y| = max_b (b y). So against that, for the a in question, the average of the two
e-values over b is an e-value, and the smaller one of the two averages is at most that. Theta >= m is the same
with the judges exchanged. Units stay paired in each b y - a x, which is halved to lie in [-1, 1].
"""

from collections import Counter
from collections.abc import Callable, Mapping
from math import fsum

from judgestream.evaluation.sequential import log_e_above, log_mean, units_needed

LeanUnits = Mapping[tuple[float, float], int]
"""(New judge's lean, old judge's lean), each -1 to 1 -> number of units."""

SIGNS = (1, -1)


def theta_e_values(units: LeanUnits) -> Callable[[float], float]:
    """The function from t to the logarithm of the e-value against "theta is at most t", for -2 < t < 2."""
    signed = {(a, b): _signed(units, a, b) for a in SIGNS for b in SIGNS}

    def log_e(theta: float) -> float:
        return min(
            log_mean([(0.5, log_e_above(signed[a, b], theta / 2.0)) for b in SIGNS]) for a in SIGNS
        )

    return log_e


def theta_of(units: LeanUnits) -> float:
    """The observed |mean of y| - |mean of x|.

    Raises:
        ZeroDivisionError: no units.
    """
    n = sum(units.values())
    new = fsum(x * count for (x, _), count in units.items()) / n
    old = fsum(y * count for (_, y), count in units.items()) / n
    return abs(old) - abs(new)


def exchanged(units: LeanUnits) -> dict[tuple[float, float], int]:
    """The same units with the judges exchanged, so with the opposite theta."""
    return {(y, x): count for (x, y), count in units.items()}


def lean_units_needed(units: LeanUnits, margin: float, *, alpha: float) -> int:
    """See `sequential.units_needed`: of two judges that lean equally, to the same side.

    The sign b = a then decides, the other one may add nothing: an e-value has to reach twice as much.
    """
    return units_needed(_signed(units, 1, 1), margin / 2.0, alpha=alpha, forfeit=2.0)


def _signed(units: LeanUnits, a: int, b: int) -> Counter[float]:
    found: Counter[float] = Counter()
    for (x, y), count in units.items():
        found[(b * y - a * x) / 2.0] += count
    return found
