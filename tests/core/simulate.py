"""How often intervals hold the truth, by simulation. Seeds are fixed; the bounds leave room for chance."""

from collections.abc import Iterable

import numpy as np

from judgestream.core.stats.intervals import Interval


def coverage(intervals: Iterable[Interval | None], truth: float) -> float:
    """The share of intervals that hold the truth. One that is not given is left out."""
    given = [interval for interval in intervals if interval is not None]
    return sum(one.low <= truth <= one.high for one in given) / len(given)


def clustered(
    draw: np.random.Generator, *, share: float, correlation: float, clusters: int, size: int
) -> list[bool]:
    """Hits of `size` verdicts on each prompt, cluster by cluster; the intra-prompt correlation is exact:
    every prompt has a share of its own from a beta distribution."""
    if correlation == 0.0:
        own = np.full(clusters, share)
    else:
        spread = (1.0 - correlation) / correlation
        own = draw.beta(share * spread, (1.0 - share) * spread, clusters)
    hits: list[bool] = (draw.random((clusters, size)) < own[:, None]).ravel().tolist()
    return hits


def confident(
    draw: np.random.Generator, n: int, *, error: float, sharp: bool = False
) -> tuple[list[float], list[bool]]:
    """Confidences and hits of a judge that is too confident by `error` everywhere."""
    confidences = 1.0 - 0.6 * draw.beta(0.6, 4.0, n) if sharp else draw.uniform(0.4, 1.0, n)
    return confidences.tolist(), (draw.random(n) < confidences - error).tolist()
