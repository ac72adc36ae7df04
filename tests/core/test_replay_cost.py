"""The cost of a replay, worked by hand."""

import pytest

from judgestream.core.costs import Prices
from judgestream.core.replay_cost import SCORE_TOKENS, Asked, Size, estimate
from judgestream.core.types import Candidate, Request

PRICED = Asked(
    prices=Prices(per_million_in=2.0, per_million_out=10.0), known_good_bytes=100, known_good_s=0.5
)
FREE = Asked(prices=Prices(), known_good_bytes=100, known_good_s=0.1)


def size(prompt_bytes: int, tokens: int = 8) -> Size:
    return Size(prompt_bytes=prompt_bytes, most_output_tokens=tokens)


def test_of_priced_requests() -> None:
    found = estimate([(size(400),), (size(40),)], [PRICED], at_once=2)
    assert (found.requests, found.input_tokens, found.output_tokens) == (2, 110, 16)
    assert found.cost_in == pytest.approx(110 * 2 / 1e6)
    assert found.cost_at_most == pytest.approx(110 * 2 / 1e6 + 16 * 10 / 1e6)
    # 400 bytes take 4 times the known good prompt, 40 bytes as long as it; two at once
    assert found.seconds == pytest.approx((4 + 1) * 0.5 / 2)


def test_no_prices_is_not_a_cost_of_zero() -> None:
    found = estimate([(size(400),)], [FREE], at_once=1)
    assert found.cost_in is found.cost_at_most is None


def test_a_jury_costs_what_its_members_cost_and_takes_as_long_as_the_slowest() -> None:
    found = estimate([(size(400), size(800))], [PRICED, FREE], at_once=1)
    assert found.input_tokens == 300
    assert found.cost_in == pytest.approx(100 * 2 / 1e6)
    assert found.seconds == pytest.approx(4 * 0.5)


def test_nothing_to_do_costs_nothing() -> None:
    found = estimate([], [PRICED], at_once=4)
    assert (found.requests, found.cost_at_most, found.seconds) == (0, 0.0, 0.0)


def test_sizes_of_another_number_of_releases_are_refused() -> None:
    with pytest.raises(ValueError, match="differ in number"):
        estimate([(size(1), size(1))], [FREE], at_once=1)


def test_the_size_of_the_passes_of_a_request() -> None:
    from datetime import UTC, datetime

    from judgestream.core.modes import check, plan
    from judgestream.core.templates import TEMPLATES

    request = Request(
        request_id="r",
        mode="pairwise",
        question="2 + 2?",
        candidates=(Candidate(id="a", text="4"), Candidate(id="b", text="5")),
        requested_at=datetime(2026, 1, 1, tzinfo=UTC),
    )
    passes = plan(request, check(request), TEMPLATES["judgelm-v1"])
    found = Size.of(passes)
    assert len(passes) == 2
    assert found.prompt_bytes == sum(len(one.prompt.encode()) for one in passes)
    assert found.most_output_tokens == 2 * SCORE_TOKENS
