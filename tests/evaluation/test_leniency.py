"""Leniency, worked by hand, against the published figures, and on simulated lenient judges."""

import csv
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from judgestream.evaluation.leniency import leniency, leniency_figures
from judgestream.evaluation.macro import Table
from tests.evaluation.simulate import coverage


def test_worked_by_hand() -> None:
    # 10 correct, 9 called so; 10 incorrect, 4 called correct: Pc = .9 - .4 = .5, P+ = .4 / .5 = .8
    found = leniency({(True, True): 9, (True, False): 1, (False, True): 4, (False, False): 6})
    assert found.criteria == pytest.approx(0.5)
    assert found.positive == pytest.approx(0.8)


@pytest.mark.parametrize(
    ("table", "criteria"),
    [
        pytest.param({}, None, id="nothing"),
        pytest.param({(True, True): 5}, None, id="only correct items"),
        pytest.param({(True, True): 5, (False, False): 5}, 1.0, id="always follows the criteria"),
        pytest.param({(True, False): 5, (False, True): 5}, -1.0, id="worse than chance"),
    ],
)
def test_what_the_data_do_not_determine_is_none(table: Table, criteria: float | None) -> None:
    found = leniency(table)
    assert found.criteria == criteria
    assert found.positive is None


def test_verdicts_of_three_outcomes_are_refused() -> None:
    with pytest.raises(ValueError, match="binary"):
        leniency({(1, 0): 3.0})


# Table of "Judging the Judges": judge -> (Pc, P+)
PUBLISHED = {
    "Gemma-2B": (0.38, 0.87),
    "Llama3-8B": (0.63, 0.74),
    "JudgeLM": (0.68, 0.19),
    "Mistral-7B": (0.70, 0.87),
}


@pytest.mark.parametrize("judge", PUBLISHED)
def test_published(shared_data: Path, judge: str) -> None:
    with (shared_data / "triviaqa_judges" / "judgments_v1.csv").open() as lines:
        rows = [row for row in csv.DictReader(lines) if row["human"] and row[judge]]
    pairs = [(row["human"] == "1", row[judge] == "1") for row in rows]
    found = leniency(Counter(pairs))
    assert found.criteria is not None and found.positive is not None
    assert (round(found.criteria, 2), round(found.positive, 2)) == PUBLISHED[judge]
    figures = leniency_figures(pairs, [row["qid"] for row in rows])
    for name, value in (("criteria", found.criteria), ("positive", found.positive)):
        interval = figures[name].interval
        assert interval is not None
        assert interval.low < value < interval.high
        assert interval.high - interval.low < 0.2


def test_a_lenient_judge_is_recovered() -> None:
    """Follows the criteria in .6 of 400 items, says "correct" in .8 of the others."""
    draw = np.random.default_rng(8)
    found = []
    for _ in range(100):
        truth = draw.random(400) < 0.55
        said = np.where(draw.random(400) < 0.6, truth, draw.random(400) < 0.8)
        pairs = list(zip(truth.tolist(), said.tolist(), strict=True))
        found.append(leniency_figures(pairs))
    assert coverage((one["criteria"].interval for one in found), 0.6) >= 0.93
    assert coverage((one["positive"].interval for one in found), 0.8) >= 0.93


def test_without_a_value_there_is_no_interval() -> None:
    figures = leniency_figures([(True, True)] * 4)
    assert {one.interval for one in figures.values()} == {None}
