"""Reliability bins: mean confidence beside the share that is right (the data of a reliability diagram)."""

from collections.abc import Sequence
from dataclasses import dataclass

from judgestream.evaluation.calibration import BINS, bin_of


@dataclass(frozen=True, kw_only=True, slots=True)
class Bin:
    """The `n` verdicts of one confidence bin.

    confidence  mean probability of the chosen outcome, 0 to 1
    right       share of the verdicts whose outcome is right, 0 to 1
    """

    n: int
    confidence: float
    right: float


def reliability(
    confidences: Sequence[float], hits: Sequence[bool], *, bins: int = BINS
) -> list[Bin]:
    """Bins of equal width over 0 to 1, in order of confidence; empty bins are left out.

    Args:
        confidences: probability of the chosen outcome, 0 to 1.
        hits: whether that outcome was right, in the same order.

    Raises:
        ValueError: the lists differ in length.
    """
    rows: list[list[tuple[float, bool]]] = [[] for _ in range(bins)]
    for confidence, hit in zip(confidences, hits, strict=True):
        rows[bin_of(confidence, bins)].append((confidence, hit))
    return [
        Bin(
            n=len(row),
            confidence=sum(confidence for confidence, _ in row) / len(row),
            right=sum(hit for _, hit in row) / len(row),
        )
        for row in rows
        if row
    ]
