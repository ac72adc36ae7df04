"""Equality of scores within groups, worked by hand and against MJ-Bench's table."""

import json
from collections import defaultdict
from pathlib import Path

import pytest

from judgestream.evaluation.score_spread import scaled, spread


def test_worked_by_hand() -> None:
    # |.2 - .4| > .1: accuracy 0. Gini: (.2 + .2) / (2 * 4 * .3) = 1/6. Deviation .1 / .3
    found = spread({"a": [0.2, 0.4], "alone": [1.0]})
    assert found is not None and found.groups == 1
    assert found.accuracy == 0.0
    assert found.gini == pytest.approx(5 / 6)
    assert found.deviation == pytest.approx(2 / 3)


def test_equal_scores_are_without_bias() -> None:
    found = spread({"a": [0.5, 0.5, 0.5]})
    assert found is not None
    assert (found.accuracy, found.gini, found.deviation) == pytest.approx((1.0, 1.0, 1.0))


def test_nothing_to_compare() -> None:
    assert spread({"a": [1.0], "b": [0.0, 0.0]}) is None
    assert scaled([]) == []
    assert scaled([3.0, 3.0]) == [0.0, 0.0]
    assert scaled([1.0, 3.0, 2.0]) == [0.0, 1.0, 0.5]


# ACC, NDS, GES in percent: the paper's Table 1; ImageReward's NDS is printed there as 73.7
TABLE = {
    "clipscore_v2": (57.4, 76.3, 86.9),
    "hps_v2.1": (55.0, 77.9, 87.6),
    "aesthetics": (61.4, 85.7, 92.1),
    "blipscore": (68.7, 83.7, 91.3),
    "ImageReward": (40.9, 73.8, 85.3),
}


@pytest.mark.parametrize("scorer", TABLE)
def test_mj_benchs_scorers(shared_data: Path, scorer: str) -> None:
    rows = [
        json.loads(line)
        for line in (shared_data / "mjbench" / "bias_scores.jsonl").read_text().splitlines()
    ]
    groups: defaultdict[str, list[float]] = defaultdict(list)
    for row, score in zip(rows, scaled([row["scores"][scorer] for row in rows]), strict=True):
        groups[row["occupation"]].append(score)
    found = spread(groups)
    assert found is not None and found.groups == 30
    shown = tuple(round(100 * x, 1) for x in (found.accuracy, found.deviation, found.gini))
    assert shown == TABLE[scorer]
