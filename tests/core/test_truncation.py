"""Truncation of answers to a judge's context."""

from dataclasses import replace

from judgestream.core.truncation import MARK, SHORTEST, limits, with_answers_cut
from tests.core.build import request


def test_all_answers_are_cut_to_one_limit_and_shorter_ones_are_unchanged() -> None:
    cut = with_answers_cut(
        request(
            answers=(
                "x" * 1000,
                "short",
            )
        ),
        300,
    )
    assert cut.candidates[0].text == "x" * (300 - len(MARK)) + MARK
    assert cut.candidates[1].text == "short"
    assert cut.question == request().question


def test_cutting_commutes_with_swapping_the_candidates() -> None:
    one = request(answers=("x" * 1000, "y" * 400))
    swapped = replace(one, candidates=one.candidates[::-1])
    assert with_answers_cut(swapped, 250).candidates == with_answers_cut(one, 250).candidates[::-1]


def test_limits_decrease_from_the_size_of_the_context_to_the_shortest_limit() -> None:
    # 1,000 tokens hold about 4,000 characters, 2,000 an answer; then 30 % less each time
    found = list(limits(request(answers=("x" * 50_000, "y" * 10)), 1000, shown=2))
    assert found[:3] == [2000, 1400, 979]
    assert SHORTEST <= found[-1] < SHORTEST / 0.7


def test_limits_begin_below_the_longest_answer() -> None:
    assert next(limits(request(answers=("x" * 1000, "y")), 100_000, shown=2)) == 700
    assert list(limits(request(answers=("x" * 250, "y" * 250)), 100_000, shown=2)) == []


def test_an_answer_that_is_shown_alone_has_all_of_the_context() -> None:
    assert next(limits(request(answers=("x" * 50_000, "y" * 10)), 1000, shown=1)) == 4000
