"""Rank correlation against scipy and the published order of exam takers."""

import csv
import random
from collections import defaultdict
from pathlib import Path
from statistics import fmean

import pytest
from scipy.stats import pearsonr, spearmanr

from judgestream.evaluation.rank_correlation import pearson, spearman, spearman_of_subsets


@pytest.mark.parametrize("seed", range(5))
def test_both_equal_scipys(seed: int) -> None:
    draw = random.Random(seed)
    first, second = ([float(draw.randrange(6)) for _ in range(12)] for _ in range(2))
    assert spearman(first, second) == pytest.approx(spearmanr(first, second).statistic)
    assert pearson(first, second) == pytest.approx(pearsonr(first, second).statistic)


def test_what_does_not_vary_has_no_order() -> None:
    assert spearman([1.0, 1.0], [1.0, 2.0]) is None
    assert spearman([1.0], [2.0]) is None
    with pytest.raises(ValueError, match="2 and 1 values"):
        spearman([1.0, 2.0], [1.0])


EXAM_TAKERS = {
    "GPT-4": 1.0,
    "Contains": 0.983,
    "JudgeLM": 0.983,
    "Llama3-70B": 0.933,
    "EM": 0.783,
    "Gemma-2B": 0.117,
}


@pytest.mark.parametrize("judge", EXAM_TAKERS)
def test_the_order_of_triviaqas_exam_takers(shared_data: Path, judge: str) -> None:
    judged, human = defaultdict(list), defaultdict(list)
    with (shared_data / "triviaqa_judges" / "judgments_v1.csv").open() as lines:
        for row in csv.DictReader(lines):
            if row[judge] and row["human"]:
                judged[row["exam_taker"]].append(int(row[judge]))
                human[row["exam_taker"]].append(int(row["human"]))
    takers = sorted(judged)
    found = spearman([fmean(judged[t]) for t in takers], [fmean(human[t]) for t in takers])
    assert found == pytest.approx(EXAM_TAKERS[judge], abs=5e-4)


def test_subsets_are_drawn_by_the_seed_and_rank_only_their_own() -> None:
    first = [1.0, 2.0, 3.0, 4.0]
    # 1 and 2 change places; of the four subsets of three, two have both: rho of (2, 1, 3) is .5
    every = spearman_of_subsets(first, [2.0, 1.0, 3.0, 4.0], size=3, draws=9, seed=0)
    assert sorted(every) == pytest.approx([0.5, 0.5, 1.0, 1.0])
    some = [
        spearman_of_subsets(first, [2.0, 1.0, 3.0, 4.0], size=3, draws=2, seed=k) for k in (0, 0)
    ]
    assert len(some[0]) == 2 and some[0] == some[1]
    assert spearman_of_subsets(first, first, size=4, draws=5, seed=0) == []
    # three equal values have no ranks, so that subset has no rho
    assert len(spearman_of_subsets(first, [0.0, 0.0, 0.0, 1.0], size=3, draws=9, seed=0)) == 3
    with pytest.raises(ValueError, match="4 and 3 values"):
        spearman_of_subsets(first, first[1:], size=3, draws=1, seed=0)
