"""Judges of solutions: worked by hand, and the identity of the paper."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judgestream.evaluation.adjudication import CASES, Adjudication, adjudged

ROWS = st.lists(
    st.builds(
        Adjudication,
        first=st.booleans(),
        second=st.booleans(),
        differ=st.booleans(),
        chosen=st.sampled_from((1, 0, -1)),
    ),
    min_size=1,
    max_size=40,
)


def one(case: str, chosen: int, *, differ: bool = True) -> Adjudication:
    return Adjudication(first=case[0] == "T", second=case[1] == "T", differ=differ, chosen=chosen)


def test_the_figures_of_six_judgements() -> None:
    rows = [
        one("TT", 1, differ=False),  # correct whatever it chooses
        one("FF", -1),  # wrong whatever it chooses
        one("TF", 1),  # correct
        one("TF", -1),  # wrong
        one("TF", 0),  # chooses neither: wrong
        one("FT", -1),  # correct
    ]
    found = adjudged(rows, list("abcdef"))
    assert found.full and found.full.value == pytest.approx(3 / 6)
    assert found.differ and found.differ.value == pytest.approx(2 / 5)
    assert found.counts == {"TT": 1, "TF": 3, "FT": 1, "FF": 1}
    values = {case: mean and mean.value for case, mean in found.given.items()}
    assert values == {"TT": 1.0, "TF": pytest.approx(1 / 3), "FT": 1.0, "FF": 0.0}
    assert found.accuracies == pytest.approx((4 / 6, 2 / 6))
    assert found.gain == pytest.approx(3 / 6 - 4 / 6)
    # the first solver is the better one; of TT and FF it is chosen once in two
    assert found.stronger and found.stronger.value == pytest.approx(1 / 2)


def test_without_judgements_there_are_no_figures() -> None:
    found = adjudged([], [])
    assert (found.full, found.gain, found.stronger, found.accuracies) == (None,) * 4


@given(ROWS)
def test_j_full_is_the_weighted_sum_of_its_cases(rows: list[Adjudication]) -> None:
    found = adjudged(rows, range(len(rows)))
    assert found.full
    parts = [
        found.counts[case] / len(rows) * mean.value
        for case in CASES
        if (mean := found.given[case]) is not None
    ]
    assert found.full.value == pytest.approx(sum(parts))
    ff = found.given["FF"]
    assert ff is None or ff.value == 0.0
