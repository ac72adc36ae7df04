"""Figures of suites whose items are one answer each, scored from 1 to 10."""

from collections.abc import Mapping, Sequence

from judgestream.core.types import Status
from judgestream.evaluation.clusters import clustered_mean
from judgestream.suites.base import Choices, Item, Judged
from judgestream.suites.report import Figure


def score(judged: Judged) -> float | None:
    """None for an item without a scored verdict, which is in no figure."""
    verdict = judged.verdict
    if verdict is None or verdict.status is not Status.SCORED or not verdict.scores:
        return None
    return verdict.scores[0].score


def mean_score(rows: Sequence[tuple[Item, float]]) -> Figure:
    """The mean of items with their scores; items of one prompt are one cluster."""
    mean = clustered_mean(
        [found for _, found in rows],
        [item.cluster for item, _ in rows],
        lowest=1.0,
        highest=10.0,
    )
    return Figure.of("mean_score", mean, percent=False)


def values(judged: Sequence[Judged], choices: Choices) -> Mapping[str, float]:
    """The score of every item that has one."""
    return {one.item.key: found for one in judged if (found := score(one)) is not None}
