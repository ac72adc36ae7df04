"""Brier score: mean squared distance of probabilities from the truth. Lower is better."""

from collections.abc import Hashable, Mapping, Sequence

from judgestream.evaluation.clusters import Mean, clustered_mean
from judgestream.evaluation.intervals import LEVEL


def brier(
    probabilities: Sequence[Mapping[Hashable, float]],
    truths: Sequence[Hashable],
    *,
    clusters: Sequence[Hashable] | None = None,
    level: float = LEVEL,
) -> Mean | None:
    """Mean over verdicts of sum over outcomes of (probability - 1 if true else 0)^2, with its interval.

    From 0 (certain and right) to 2 (certain and wrong); 2/3 for three outcomes at 1/3 each. Source: Brier
    (1950). The interval is that of a mean, robust to verdicts that share a prompt. None for no verdicts.

    Args:
        probabilities: per verdict the probability of each outcome; a missing outcome has 0.
        clusters: the cluster of every verdict, see `clusters`.

    Raises:
        ValueError: the lists differ in length.
    """
    scores = [
        sum((share - (outcome == truth)) ** 2 for outcome, share in of.items())
        + (1.0 if truth not in of else 0.0)
        for of, truth in zip(probabilities, truths, strict=True)
    ]
    return clustered_mean(scores, clusters, lowest=0.0, highest=2.0, level=level)
