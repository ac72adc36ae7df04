"""The metrics of counts by prompt, worked by hand."""

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


def apart(counts: Counts) -> list[Counts]:
    """The same counts, each on a separate prompt."""
    names = (name for name, count in counts.items() for _ in range(count))
    return [with_denominator(name) for name in names if name not in OF]


OF = {"n", "ordered", "placed", "length_pairs"}
IN = {
    **dict.fromkeys(("consistent", "toward_first", "toward_second"), "ordered"),
    **dict.fromkeys(("toward_first_place", "toward_last_place"), "placed"),
    "longer_won": "length_pairs",
}


def with_denominator(name: str) -> Counts:
    return {name: 1, IN[name]: 1} if name in IN else {name: 1}


def metrics(counts: Counts) -> dict[str, Metric]:
    rest = {
        "placed": counts.get("placed", 0) - 5,
        "length_pairs": counts.get("length_pairs", 0) - 12,
    }
    more = [{name: 1} for name, count in rest.items() for _ in range(count)]
    return {metric.name: metric for metric in report([*apart(counts), *more])}


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
    expected = Metric(name=name, value=count / n, n=n, interval=wilson_score(count, n), prompts=n)
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
    for metric in report([]):
        assert metric == Metric(name=metric.name, value=None, n=0, interval=None)


def test_a_zero_that_was_counted_is_a_zero_with_an_interval() -> None:
    metric = metrics({"n": 20, "scored": 20, "tied": 0, "untied": 20})["tie_rate"]
    assert (metric.value, metric.n) == (0.0, 20)
    assert metric.interval is not None
    assert round(metric.interval.high, 4) == 0.1611  # Newcombe (1998), 0 of 20


def test_every_estimate_lies_in_its_interval_and_in_the_unit_range() -> None:
    counted = [metric for metric in metrics(COUNTS).values() if metric.n]
    assert [metric.name for metric in counted] == [
        *(name for name, *_ in SHARES[:3]),
        "delta_bias",
    ] + [name for name, *_ in SHARES[3:]]
    for metric in counted:
        assert metric.value is not None
        assert metric.interval is not None
        assert 0.0 <= metric.interval.low <= metric.value <= metric.interval.high <= 1.0


def test_the_report_has_one_metric_per_row_in_the_tables_order() -> None:
    definitions = [row for probe in PROBES.values() for row in probe.definitions]
    names = [row.name for row in definitions]
    assert [metric.name for metric in report([COUNTS])] == names
    assert len(set(names)) == len(names)
    assert all(row.meaning for row in definitions)


def test_verdicts_on_one_prompt_are_one_observation() -> None:
    """Ten prompts with ten verdicts each, alike within a prompt: as good as ten verdicts."""
    once = [{"tied": int(k < 3), "untied": int(k >= 3)} for k in range(10)]
    many = [{name: 10 * count for name, count in counts.items()} for counts in once]
    few, repeated = (
        next(metric for metric in report(counts) if metric.name == "tie_rate")
        for counts in (once, many)
    )
    assert (few.value, few.n, few.prompts, few.design_effect) == (0.3, 10, 10, 1.0)
    assert (repeated.value, repeated.n, repeated.prompts) == (0.3, 100, 10)
    assert repeated.design_effect == pytest.approx(10 * 10 / 9)
    assert few.interval is not None and repeated.interval is not None
    assert repeated.interval.low <= few.interval.low and repeated.interval.high >= few.interval.high


def test_one_prompt_with_several_verdicts_has_no_interval() -> None:
    (metric,) = [one for one in report([{"tied": 2, "untied": 3}]) if one.name == "tie_rate"]
    assert (metric.value, metric.n, metric.prompts, metric.interval) == (0.4, 5, 1, None)
