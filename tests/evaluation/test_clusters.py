import csv
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from judgestream.evaluation.clusters import clustered_mean, clustered_share, share_of_counts
from judgestream.evaluation.intervals import wilson_score
from judgestream.evaluation.majority import majority
from judgestream.evaluation.quantiles import student_t
from tests.evaluation.simulate import clustered, coverage


@pytest.mark.parametrize("level", [0.8, 0.95, 0.99])
def test_student_t_equals_scipy(level: float) -> None:
    for df in (1, 2, 3, 3.7, 4, 5, 8, 10, 20.5, 100, 1e5):
        assert student_t(level, df) == pytest.approx(stats.t.ppf(0.5 + level / 2, df), rel=1e-4)
    for df in (1.5, 2.1, 2.5):  # between, a little wide
        assert 1.0 <= student_t(level, df) / stats.t.ppf(0.5 + level / 2, df) <= 1.02
    with pytest.raises(ValueError, match="one degree"):
        student_t(level, 0.5)


def test_without_shared_prompts_it_is_wilsons_interval() -> None:
    hits = [True] * 17 + [False] * 3
    for clusters in (None, list(range(20))):
        found = clustered_share(hits, clusters)
        assert found is not None
        assert (found.value, found.n, found.clusters, found.design_effect) == (0.85, 20, 20, 1.0)
        assert found.interval == wilson_score(17, 20)


def test_copies_of_an_answer_tell_nothing_new() -> None:
    """Ten prompts, 8 right, asked thirty times each with the same result: as good as ten verdicts."""
    hits = [k < 8 for k in range(10) for _ in range(30)]
    found = clustered_share(hits, [k for k in range(10) for _ in range(30)])
    assert found is not None and found.interval is not None
    assert found.design_effect == pytest.approx(30 * 10 / 9)
    once = wilson_score(8, 10)
    assert found.interval.high - found.interval.low >= once.high - once.low


def test_all_alike_a_cluster_counts_once() -> None:
    found = clustered_share([True] * 300, [k // 30 for k in range(300)])
    assert found is not None and found.interval is not None
    # Wilson of 10 of 10 with t = 2.262: 1 / (1 + 2.262^2 / 10) = .6615
    assert found.interval.low == pytest.approx(0.6615, abs=1e-3) and found.interval.high == 1.0


def test_one_prompt_shows_nothing_of_how_prompts_vary() -> None:
    found = clustered_share([True, False, True], ["q", "q", "q"])
    assert found is not None
    assert found.value == pytest.approx(2 / 3)
    assert (found.clusters, found.interval) == (1, None)


def test_the_mean_of_nothing_is_none_and_values_out_of_bounds_are_rejected() -> None:
    assert clustered_mean([]) is None
    for value in (-0.1, 1.1, float("nan")):
        with pytest.raises(ValueError, match="outside"):
            clustered_mean([value])
    with pytest.raises(ValueError, match="zip"):
        clustered_mean([0.5, 0.5], ["q"])


@pytest.mark.parametrize("n", [1, 2, 10, 1000])
@pytest.mark.parametrize("value", [0.1, 0.3, 0.999])
def test_equal_values_are_not_certain_because_they_round(value: float, n: int) -> None:
    """The mean of ten times .1 is not .1 to the last bit: what is left is not variance."""
    found = clustered_mean([value] * n)
    assert found is not None and found.interval is not None
    assert found.value == pytest.approx(value)
    assert found.interval.low < value < found.interval.high
    assert found.interval.high - found.interval.low > 0.1 / n**0.5


def test_bounds_only_rescale() -> None:
    values, clusters = [0.1, 0.9, 0.4, 0.4, 0.8, 0.3], [1, 1, 2, 2, 3, 3]
    one = clustered_mean(values, clusters)
    two = clustered_mean([2 * v for v in values], clusters, highest=2.0)
    assert one is not None and two is not None and one.interval and two.interval
    assert two.interval.low == pytest.approx(2 * one.interval.low)
    assert two.interval.high == pytest.approx(2 * one.interval.high)


@pytest.mark.no_cover
# statistics.md section 3: Wilson covers 38 to 94 % here
@pytest.mark.parametrize("correlation", [0.0, 0.05, 0.2, 0.5])
@pytest.mark.parametrize("size", [2, 6, 15, 30])
def test_the_interval_covers_with_many_verdicts_on_a_prompt(size: int, correlation: float) -> None:
    draw = np.random.default_rng([size, int(100 * correlation)])
    prompts, share = 40, 0.8
    clusters = [k // size for k in range(prompts * size)]
    found = []
    for _ in range(300):
        hits = clustered(draw, share=share, correlation=correlation, clusters=prompts, size=size)
        found.append(clustered_share(hits, clusters))
    assert coverage((one.interval for one in found if one), share) >= 0.925
    if correlation >= 0.2 and size >= 6:
        naive = [
            wilson_score(sum(h), len(h))
            for h in (
                [
                    clustered(
                        draw, share=share, correlation=correlation, clusters=prompts, size=size
                    )
                    for _ in range(100)
                ]
            )
        ]
        assert coverage(naive, share) < 0.9  # what it is there for


def prompts_of(rows: Sequence[dict[str, str]]) -> list[tuple[str, str]]:
    return [(row["instruction"], row["input"]) for row in rows]


# statistics.md section 3, resampled by cluster: value, interval, design effect
PANDALM = [
    ("gpt-3.5-turbo-testset-v1.json", "gpt_result", 0.7107, (0.669, 0.753), 2.3),
    ("pandalm-7b-testset-v1.json", "pandalm_result", 0.6677, (0.621, 0.711), 2.5),
]


@pytest.mark.parametrize(("file", "field", "share", "ends", "effect"), PANDALM)
def test_pandalm(
    shared_data: Path, file: str, field: str, share: float, ends: tuple[float, float], effect: float
) -> None:
    gold = json.loads((shared_data / "pandalm" / "testset-v1.json").read_text())
    judged = json.loads((shared_data / "pandalm" / file).read_text())
    truth = [majority([row[f"annotator{k}"] for k in (1, 2, 3)]) for row in gold]
    said = [{"1": 1, "2": 2}.get(str(row[field]), 0) for row in judged]  # "garbage" counts as a tie
    hits = [one == two for one, two in zip(truth, said, strict=True)]
    found = clustered_share(hits, prompts_of(gold))
    assert found is not None and found.interval is not None
    assert (found.n, found.clusters) == (999, 170)
    assert found.value == pytest.approx(share, abs=5e-5)
    assert found.design_effect == pytest.approx(effect, abs=0.15)
    assert (found.interval.low, found.interval.high) == pytest.approx(ends, abs=0.004)


TRIVIAQA = [
    ("GPT-4", 0.9115, (0.899, 0.924), 1.9),
    ("JudgeLM", 0.8017, (0.775, 0.827), 3.9),
    ("Gemma-2B", 0.7803, (0.760, 0.801), 2.4),
]


@pytest.mark.parametrize(("judge", "share", "ends", "effect"), TRIVIAQA)
def test_triviaqa(
    shared_data: Path, judge: str, share: float, ends: tuple[float, float], effect: float
) -> None:
    with (shared_data / "triviaqa_judges" / "judgments_v1.csv").open() as lines:
        rows = [row for row in csv.DictReader(lines) if row["human"] and row[judge]]
    found = clustered_share(
        [row["human"] == row[judge] for row in rows], [row["qid"] for row in rows]
    )
    assert found is not None and found.interval is not None
    assert (found.n, found.clusters) == (3595, 400)
    assert found.value == pytest.approx(share, abs=5e-5)
    assert found.design_effect == pytest.approx(effect, abs=0.15)
    assert (found.interval.low, found.interval.high) == pytest.approx(ends, abs=0.004)


CELLS = st.lists(
    st.tuples(st.integers(0, 6), st.integers(0, 6)).map(lambda cell: (min(cell), max(cell))),
    max_size=12,
)


@given(CELLS)
def test_counts_by_cluster_give_the_share_of_the_single_values(
    cells: list[tuple[int, int]],
) -> None:
    hits = [k < hit for hit, values in cells for k in range(values)]
    clusters = [number for number, (_, values) in enumerate(cells) for _ in range(values)]
    found, expected = share_of_counts(cells), clustered_share(hits, clusters)
    if found is None or expected is None:
        assert found is expected
        return
    assert (found.n, found.clusters) == (expected.n, expected.clusters)
    assert found.value == pytest.approx(expected.value)
    assert found.design_effect == pytest.approx(expected.design_effect)
    assert (found.interval is None) == (expected.interval is None)
    if found.interval and expected.interval:
        ends = (expected.interval.low, expected.interval.high)
        assert (found.interval.low, found.interval.high) == pytest.approx(ends)


def test_more_hits_than_values_are_refused() -> None:
    with pytest.raises(ValueError, match="more hits"):
        share_of_counts([(2, 1)])
