"""Expected calibration error, with what chance alone contributes to it."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import pi, sqrt

from judgestream.evaluation.intervals import LEVEL, Interval, z_of

BINS = 10


@dataclass(frozen=True, kw_only=True, slots=True)
class Calibration:
    """Expected calibration error of `n` verdicts, 0 to 1, and the values to compare it with.

    ece              sum over bins of |sum of confidences - hits| / n, the published measure. Biased upward:
                     a perfectly calibrated judge has .11 at n = 50
    if_calibrated    mean `ece` of a perfectly calibrated judge with these confidences
    at_most          the value that such a judge exceeds in 5 % of samples
    debiased         sqrt(ece^2 - if_calibrated^2), 0 when negative: the estimate of the true error
    interval         of the true error; covers at least its level, more where the error is small
    calibrated       whether the sample is compatible with a calibrated judge: ece <= at_most
    """

    n: int
    ece: float
    if_calibrated: float
    at_most: float
    debiased: float
    interval: Interval
    calibrated: bool


def calibration(
    confidences: Sequence[float], hits: Sequence[bool], *, bins: int = BINS, level: float = LEVEL
) -> Calibration | None:
    """Calibration over equal-width bins of the confidence; None for no verdicts.

    Source: Naeini et al. (2015) and Guo et al. (2017) for the error. A bin's gap is its true gap plus noise
    of variance v, so the noise alone contributes E|noise| = sqrt(2 v / pi) per bin: their sum is
    `if_calibrated`. By the triangle inequality the estimate is off by no more than the summed noise, which
    bounds the true error from below; since |x| is convex, it is biased upward only, which leaves one
    standard error for the upper end.

    Args:
        confidences: probability of the outcome that was chosen, 0 to 1.
        hits: whether that outcome was right, in the same order.

    Raises:
        ValueError: the lists differ in length, or a confidence outside 0 to 1.
    """
    rows = list(zip(confidences, hits, strict=True))
    if not all(0.0 <= confidence <= 1.0 for confidence, _ in rows):
        raise ValueError("invalid confidence: use probabilities between 0 and 1")
    if not rows:
        return None
    n = len(rows)
    gaps, nominal, observed = [0.0] * bins, [0.0] * bins, [0.0] * bins
    counts, right = [0] * bins, [0] * bins
    for confidence, hit in rows:
        at = bin_of(confidence, bins)
        gaps[at] += confidence - hit
        nominal[at] += confidence * (1.0 - confidence)
        counts[at] += 1
        right[at] += hit
    for at in range(bins):
        share = (right[at] + 0.5) / (counts[at] + 1.0)
        observed[at] = max(nominal[at], counts[at] * share * (1.0 - share))
    ece = sum(abs(gap) for gap in gaps) / n
    expected = _mean_noise(nominal) / n
    tail = (1.0 - level) / 2.0
    at_most = _noise_quantile(nominal, level) / n
    low = max(0.0, ece - _noise_quantile(observed, 1.0 - tail) / n)
    high = min(1.0, ece + z_of(level) * sqrt(sum(observed)) / n)
    return Calibration(
        n=n,
        ece=ece,
        if_calibrated=expected,
        at_most=at_most,
        debiased=sqrt(max(0.0, ece * ece - expected * expected)),
        interval=Interval(low=low, high=high, level=level, method="calibration error, noise bound"),
        calibrated=ece <= at_most,
    )


def bin_of(confidence: float, bins: int = BINS) -> int:
    """Index of the equal-width bin of a confidence; 1.0 is in the last."""
    return min(bins - 1, int(confidence * bins))


def _mean_noise(variances: Sequence[float]) -> float:
    """E of the sum of |N(0, v)|."""
    return sqrt(2.0 / pi) * sum(sqrt(v) for v in variances)


def _noise_quantile(variances: Sequence[float], share: float) -> float:
    """Quantile `share` of the sum of |N(0, v)|.

    From a gamma distribution of the same mean and variance, by Wilson and Hilferty (1931):
    4 % too high for a single bin, exact to the third digit for ten alike.
    """
    mean = _mean_noise(variances)
    variance = (1.0 - 2.0 / pi) * sum(variances)
    if mean == 0.0 or variance == 0.0:
        return 0.0
    part = variance / (9.0 * mean * mean)
    return mean * (1.0 - part + z_of(2.0 * share - 1.0) * sqrt(part)) ** 3
