"""Sampling of pairs for both orders: by id alone, at the stated rate, and unbiased in sum."""

from dataclasses import replace
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judgestream.core.modes import check, plan
from judgestream.core.order_sampling import LEAST, REVERSED, STRAIGHT, sampled, weight_of
from judgestream.core.passes import Pass
from judgestream.core.templates import TEMPLATES
from judgestream.core.types import Options, Orders
from tests.core.build import request, verdict

JUDGELM = TEMPLATES["judgelm-v1"]


def passes(
    options: Options | None = None, answers: tuple[str, ...] = ("x", "y")
) -> tuple[Pass, ...]:
    mode = "pairwise" if len(answers) == 2 else "multi"
    asked = request(options=options, answers=answers, mode=mode)
    return plan(asked, check(asked), JUDGELM, ())


def test_pairs_are_sampled_at_the_rate_and_the_others_get_either_order_alike() -> None:
    kept = [sampled(passes(), f"id {k}", 0.25) for k in range(4000)]
    both = [len(some) == 2 for some, _ in kept]
    assert {share for _, share in kept} == {0.25}
    assert 0.23 < fmean(both) < 0.27
    orders = [some[0].transform.order for some, _ in kept if len(some) == 1]
    assert set(orders) == {STRAIGHT, REVERSED}
    assert 0.47 < fmean(order == STRAIGHT for order in orders) < 0.53


def test_the_same_pair_is_always_in_the_sample_or_never() -> None:
    for k in range(50):
        assert sampled(passes(), f"id {k}", 0.5) == sampled(passes(), f"id {k}", 0.5)


def test_a_larger_share_samples_the_same_pairs_and_more() -> None:
    for k in range(200):
        if len(sampled(passes(), f"id {k}", 0.2)[0]) == 2:
            assert len(sampled(passes(), f"id {k}", 0.6)[0]) == 2


@pytest.mark.parametrize(
    ("options", "answers", "share"),
    [
        (None, ("x", "y"), 1.0),
        (Options(explain=True), ("x", "y"), 0.01),
        (Options(orders=Orders.STRAIGHT), ("x", "y"), 0.01),
        (None, ("x", "y", "z"), 0.01),
    ],
    ids=["every pair", "explained", "one order", "three answers"],
)
def test_what_is_not_subject_to_sampling_is_asked_in_full(
    options: Options | None, answers: tuple[str, ...], share: float
) -> None:
    planned = passes(options, answers)
    for k in range(20):
        assert sampled(planned, f"id {k}", share) == (planned, None)


@pytest.mark.parametrize("share", [0.01, 0.1, 0.3, 0.7])
def test_the_weights_of_the_sample_sum_to_the_number_of_pairs(share: float) -> None:
    number, summed = 20_000, 0
    for k in range(number):
        name = f"pair {k}"
        if len(sampled(PLANNED, name, share)[0]) == 2:
            summed += weight_of(replace(verdict(), verdict_id=name, both_orders_probability=share))
    # four standard errors: the sample's size, and the rounding of the weights
    error = (number * (1 / share - 1) + number * 0.25) ** 0.5
    assert abs(summed - number) < 4 * error


PLANNED = passes()


@given(st.none() | st.floats(allow_nan=True), st.text())
def test_any_verdict_has_a_weight_from_one_to_a_hundred(share: float | None, name: str) -> None:
    one = replace(verdict(), verdict_id=name, both_orders_probability=share)
    assert 1 <= weight_of(one) <= 1 / LEAST + 1
