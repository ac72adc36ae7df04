"""Corrected rates: by hand, weights, and what has no correction."""

from collections.abc import Hashable

import pytest

from judgestream.evaluation.corrected import Judged, corrected

Payoff = dict[Hashable, float]
PASS: Payoff = {True: 1.0, False: 0.0}


def item(
    outcome: object, label: object = None, cluster: int = 0, probability: float | None = None
) -> Judged:
    return Judged(outcome=outcome, label=label, cluster=cluster, probability=probability)


def sample(
    counts: dict[tuple[bool, bool | None], int], probability: float | None = None
) -> list[Judged]:
    rows = [key for key, n in counts.items() for _ in range(n)]
    return [
        item(said, true, k, probability if true is not None else None)
        for k, (said, true) in enumerate(rows)
    ]


# 100 verdicts, 60 % passed. 20 labels: of 10 true ones 8 are called so, of 10 false ones 3 are.
COUNTS = {
    (True, True): 8,
    (False, True): 2,
    (True, False): 3,
    (False, False): 7,
    (True, None): 49,
    (False, None): 31,
}


def test_rogan_and_gladen_by_hand() -> None:
    """(.6 + .7 - 1) / (.8 + .7 - 1) = .6."""
    found = corrected(sample(COUNTS), PASS)
    assert found is not None and found.rogan_gladen is not None
    assert found.judged.value == 0.6
    assert found.rogan_gladen.value == pytest.approx(0.6)
    more = {**COUNTS, (True, None): 31, (False, None): 49}
    other = corrected(sample(more), PASS)
    assert other is not None and other.rogan_gladen is not None
    assert other.rogan_gladen.value == pytest.approx((0.42 - 0.3) / 0.5)


def test_prediction_powered_by_hand() -> None:
    """Labels .5 and verdicts .55 on the labelled, .6 on all: .5 + w (.6 - .55)."""
    found = corrected(sample(COUNTS), PASS)
    assert found is not None
    assert (found.n, found.labelled, found.weighted, found.unstated) == (100, 20, False, 0)
    assert 0.0 < found.verdict_weight < 1.0
    assert found.prediction_powered.value == pytest.approx(0.5 + found.verdict_weight * 0.05)
    own, judged = found.prediction_powered.interval, found.judged.interval
    assert own is not None and judged is not None
    assert own.high - own.low > judged.high - judged.low


def test_a_label_counts_by_the_inverse_of_its_probability() -> None:
    """Half of what is called good is labelled and a tenth of the rest: the labels alone would say .75."""
    rows = [
        *(item(True, True, k, 0.5) for k in range(50)),
        *(item(True, None, 100 + k) for k in range(50)),
        *(item(False, True, 200 + k, 0.1) for k in range(5)),
        *(item(False, False, 300 + k, 0.1) for k in range(5)),
        *(item(False, None, 400 + k) for k in range(90)),
    ]
    found = corrected(rows, PASS)
    assert found is not None and found.weighted
    assert found.prediction_powered.value == pytest.approx(0.75)  # .5 + .5 / 2
    unstated = corrected([*rows, item(True, False, 999)], PASS)
    assert unstated is not None
    assert (unstated.labelled, unstated.unstated) == (60, 1)


def test_three_outcomes() -> None:
    """A judge that calls half of the ties a win: worth 1, 0 (ties) and 0; labels .5 for a tie."""
    payoff: Payoff = {1: 1.0, 0: 0.5, -1: 0.0}
    labelled = [
        *(item(1, 1, k) for k in range(20)),
        *(item(1, 0, 100 + k) for k in range(10)),
        *(item(0, 0, 200 + k) for k in range(10)),
        *(item(-1, -1, 300 + k) for k in range(20)),
    ]
    rest = [
        item(outcome, None, 1000 + k)
        for k, outcome in enumerate([1] * 300 + [0] * 100 + [-1] * 200)
    ]
    found = corrected([*labelled, *rest], payoff)
    assert found is not None and found.rogan_gladen is not None
    assert found.judged.value == pytest.approx((330 + 55) / 660)
    assert found.rogan_gladen.value == pytest.approx(0.5)  # worth 1, 0, 0: 330 of 660
    assert found.prediction_powered.value == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize(
    "counts",
    [
        pytest.param({(True, True): 9, (False, None): 5}, id="labels of one outcome"),
        pytest.param(
            {(True, True): 5, (False, True): 5, (True, False): 5, (False, False): 5},
            id="a judge at random",
        ),
        pytest.param({(True, True): 9, (True, False): 5}, id="a judge that always says yes"),
    ],
)
def test_what_cannot_be_inverted_has_the_other_correction_only(
    counts: dict[tuple[bool, bool | None], int],
) -> None:
    found = corrected(sample(counts), PASS)
    assert found is not None and found.rogan_gladen is None
    assert found.prediction_powered.interval is not None


def test_few_labels_without_an_error_do_not_show_that_there_are_none() -> None:
    rows = sample({(True, True): 10, (False, False): 10, (True, None): 500, (False, None): 500})
    found = corrected(rows, PASS)
    assert found is not None and found.prediction_powered.interval is not None
    interval = found.prediction_powered.interval
    assert interval.low < 0.42 and interval.high > 0.58


def test_edges() -> None:
    assert corrected([], PASS) is None
    assert corrected([item(True)], PASS) is None
    alone = corrected([item(True, True, 1), item(True, False, 1)], PASS)
    assert alone is not None and alone.prediction_powered.interval is None
    with pytest.raises(ValueError, match="has no payoff"):
        corrected([item("maybe", True)], PASS)
    with pytest.raises(ValueError, match="payoff of 2"):
        corrected([item(True, True)], dict.fromkeys(PASS, 2.0))
    with pytest.raises(ValueError, match="probability of 0"):
        corrected([item(True, True, 1, 0.0)], PASS)
