"""The metrics of summed counts, worked by hand."""

import pytest

from judgestream.evaluation.intervals import wilson_score
from judgestream.evaluation.probes import PROBES, Counts, Metric, report

COUNTS = {
    "n": 30,
    "scored": 25,
    "unscored": 3,
    "failed": 2,
    "ordered": 23,
    "consistent": 12,
    "toward_first": 8,
    "toward_second": 3,
    "placed": 8,
    "toward_first_place": 4,
    "toward_last_place": 1,
    "tied": 5,
    "untied": 20,
    "length_pairs": 16,
    "longer_won": 12,
    "equal_length": 4,
}


def metrics(counts: Counts) -> dict[str, Metric]:
    return {metric.name: metric for metric in report(counts)}


# name, count, n: worked from COUNTS by hand
SHARES = [
    ("flip_consistency", 12, 23),
    ("bias_toward_first", 8, 23),
    ("bias_toward_second", 3, 23),
    ("bias_toward_first_place", 4, 8),
    ("bias_toward_last_place", 1, 8),
    ("tie_rate", 5, 25),  # tied + untied
    ("unscored_rate", 3, 28),  # failed ones were never judged
    ("length_preference", 12, 16),
]


@pytest.mark.parametrize(("name", "count", "n"), SHARES)
def test_shares_and_their_wilson_intervals(name: str, count: int, n: int) -> None:
    expected = Metric(name=name, value=count / n, n=n, interval=wilson_score(count, n))
    assert metrics(COUNTS)[name] == expected


def test_delta_bias_has_the_interval_of_a_paired_difference() -> None:
    # |8 - 3| / 23; the signed interval, worked in test_intervals, is 0.2 -+ 0.271581: it holds 0
    metric = metrics(COUNTS)["delta_bias"]
    assert (metric.value, metric.n) == (5 / 23, 23)
    assert metric.interval is not None
    assert (metric.interval.low, metric.interval.high) == pytest.approx((0.0, 0.471581), abs=1e-6)
    assert metric.interval.method == "adjusted wald, paired"


def test_delta_bias_is_the_same_toward_either_side() -> None:
    mirrored = {"ordered": 23, "consistent": 12, "toward_first": 3, "toward_second": 8}
    one, other = metrics(COUNTS)["delta_bias"], metrics(mirrored)["delta_bias"]
    assert one.value == other.value
    assert one.interval is not None
    assert other.interval is not None
    assert (one.interval.low, one.interval.high) == (other.interval.low, other.interval.high)


def test_nothing_counted_has_no_value_and_no_interval() -> None:
    for metric in report({}):
        assert metric == Metric(name=metric.name, value=None, n=0, interval=None)


def test_a_zero_that_was_counted_is_a_zero_with_an_interval() -> None:
    metric = metrics({"n": 20, "scored": 20, "tied": 0, "untied": 20})["tie_rate"]
    assert (metric.value, metric.n) == (0.0, 20)
    assert metric.interval is not None
    assert round(metric.interval.high, 4) == 0.1611  # Newcombe (1998), 0 of 20


def test_every_estimate_lies_in_its_interval_and_in_the_unit_range() -> None:
    for metric in report(COUNTS):
        assert metric.value is not None
        assert metric.interval is not None
        assert 0.0 <= metric.interval.low <= metric.value <= metric.interval.high <= 1.0


def test_the_report_has_one_metric_per_row_in_the_tables_order() -> None:
    definitions = [row for probe in PROBES.values() for row in probe.definitions]
    names = [row.name for row in definitions]
    assert [metric.name for metric in report(COUNTS)] == names
    assert len(set(names)) == len(names)
    assert all(row.meaning for row in definitions)
