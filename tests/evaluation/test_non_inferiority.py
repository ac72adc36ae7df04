"""The bound of a paired difference: hand-worked values, and how often a worse judge passes."""

from math import sqrt

import numpy as np
import pytest

from judgestream.evaluation.non_inferiority import (
    NonInferiority,
    items_needed,
    least_clusters,
    non_inferiority,
)


def compared(
    gained: int, lost: int, n: int, *, margin: float = 0.03, each: int = 1
) -> NonInferiority:
    """The first items are gained, the next ones lost; `each` items share a prompt."""
    new = [k < gained or k >= gained + lost for k in range(n)]
    old = [k >= gained for k in range(n)]
    clusters = None if each == 1 else [k // each for k in range(n)]
    return non_inferiority(new, old, margin=margin, clusters=clusters)


def test_the_bound_by_hand() -> None:
    found = compared(6, 2, 198)
    # (7 - 3) / 200 - 1.6449 sqrt((10 / 200 - .0004) / 200)
    assert found.lower == pytest.approx(0.02 - 1.6449 * sqrt((0.05 - 0.0004) / 200), abs=1e-5)
    assert found.difference == 4 / 198
    assert (found.gained, found.lost, found.n, found.clusters) == (6, 2, 198, 198)
    assert found.design_effect == 1


def test_an_interval_without_discordant_items_has_width() -> None:
    found = compared(0, 0, 100)
    assert found.lower == pytest.approx(-1.6449 * sqrt(2 / 102 / 102), abs=1e-5)
    assert found.holds  # -.0228
    assert not compared(0, 0, 98).holds  # .97 ** 98 = .0505


@pytest.mark.parametrize(("margin", "least"), [(0.02, 149), (0.03, 99), (0.05, 59), (0.2, 14)])
def test_the_least_number_of_prompts_follows_from_the_margin(margin: float, least: int) -> None:
    assert least_clusters(margin) == least
    assert (1 - margin) ** least <= 0.05 < (1 - margin) ** (least - 1)


def test_the_number_of_items_follows_from_margin_and_discordance() -> None:
    # (1.6449 + .8416)^2 = 6.183
    assert items_needed(0.15, 0.03) == pytest.approx(0.15 * 6.183 / 0.0009, rel=1e-3)
    assert items_needed(0.15, 0.02) == pytest.approx(0.15 * 6.183 / 0.0004, rel=1e-3)


def test_items_of_one_prompt_that_move_together_count_as_one() -> None:
    single, paired = compared(30, 30, 600), compared(30, 30, 600, each=2)
    assert paired.design_effect == pytest.approx(2, rel=0.01)
    assert paired.lower < single.lower
    assert compared(0, 0, 600, each=6).design_effect == 6
    assert compared(5, 0, 600, each=600).lower == -1  # one prompt shows nothing


def test_a_longer_list_than_the_other_or_none_is_an_error() -> None:
    with pytest.raises(ValueError, match="cannot be compared"):
        non_inferiority([], [], margin=0.03)
    with pytest.raises(ValueError, match="cannot be compared"):
        non_inferiority([True], [True], margin=0.0)


def passes(
    n: int, change: float, discordant: float, *, each: int = 1, icc: float = 0.0, rounds: int = 400
) -> float:
    """Share of the rounds in which a judge passes a margin of 3 points, of this true change of accuracy.

    With probability sqrt(icc) an item takes the draw of its prompt: items of a prompt then correlate by icc.
    """
    draw = np.random.default_rng(11)
    gain, loss = (discordant + change) / 2, (discordant - change) / 2
    clusters = None if each == 1 else [k // each for k in range(n)]
    held = 0
    for _ in range(rounds):
        shared = draw.random(-(-n // each)).repeat(each)[:n]
        at = np.where(draw.random(n) < sqrt(icc), shared, draw.random(n))
        new, old = at < gain, (at >= gain) & (at < gain + loss)
        held += non_inferiority(new.tolist(), old.tolist(), margin=0.03, clusters=clusters).holds
    return held / rounds


@pytest.mark.parametrize(
    ("n", "discordant", "each", "icc"),
    [
        (100, 0.06, 1, 0),
        (100, 0.15, 1, 0),
        (300, 0.15, 1, 0),
        (1000, 0.15, 1, 0),
        (600, 0.15, 6, 0.5),
    ],
)
def test_a_judge_that_is_a_point_worse_than_the_margin_passes_in_at_most_5_percent(
    n: int, discordant: float, each: int, icc: float
) -> None:
    rounds = 600 if n < 1000 else 200
    assert passes(n, -0.04, discordant, each=each, icc=icc, rounds=rounds) <= 0.05


def test_an_equally_good_judge_passes_where_the_number_needed_says_so() -> None:
    n = round(items_needed(0.06, 0.03))
    assert n == 412
    assert passes(n, 0.0, 0.06) == pytest.approx(0.8, abs=0.08)
    assert passes(300, 0.05, 0.15) > 0.9
