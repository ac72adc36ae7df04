"""Windows of scores that did or did not drift."""

from collections.abc import Sequence

import numpy as np

from judgestream.evaluation.drift import Drift, drift
from judgestream.evaluation.probes.base import Counts
from judgestream.evaluation.probes.scores import BINS

SHARES = (0.1, 0.15, 0.25, 0.3, 0.2)
MOVED = (0.05, 0.1, 0.2, 0.35, 0.3)


def window(
    draw: np.random.Generator, shares: Sequence[float], *, prompts: int, size: int, icc: float
) -> list[Counts]:
    """Each prompt's counts of `size` scores; the correlation of two scores of a prompt is exact."""
    own = np.tile(np.array(shares), (prompts, 1))
    if icc:
        own = draw.dirichlet(np.array(shares) * (1 - icc) / icc, prompts)
    return [dict(zip(BINS, draw.multinomial(size, row).tolist(), strict=True)) for row in own]


def alarms(
    draw: np.random.Generator,
    rounds: int,
    *,
    prompts: int,
    size: int,
    icc: float,
    moved: bool = False,
) -> list[Drift]:
    """The drift between two windows of the same size."""
    found = []
    for _ in range(rounds):
        before = window(draw, SHARES, prompts=prompts, size=size, icc=icc)
        now = window(draw, MOVED if moved else SHARES, prompts=prompts, size=size, icc=icc)
        one = drift(now, before, BINS)
        assert one is not None
        found.append(one)
    return found
