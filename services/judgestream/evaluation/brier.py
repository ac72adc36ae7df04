"""Brier score: how far probabilities are from what was true. Lower is better; it rewards sharpness, too."""

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
        probabilities: per verdict the probability of each outcome; an outcome that is missing has 0.
        clusters: which verdicts belong together, see `clusters`.

    Raises:
        ValueError: lists of other lengths.
    """
    scores = [
        sum((share - (outcome == truth)) ** 2 for outcome, share in of.items())
        + (1.0 if truth not in of else 0.0)
        for of, truth in zip(probabilities, truths, strict=True)
    ]
    return clustered_mean(scores, clusters, lowest=0.0, highest=2.0, level=level)
