"""Cutting, quoting and shortening of text."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judgestream.core.limits import cut, plausible, quoted, shortened

ANY_TEXT = st.text(st.characters(exclude_categories=[]))


def test_a_text_within_its_limit_is_unchanged() -> None:
    assert cut("12345678", 8) == "12345678"
    assert cut("é" * 4, 8) == "éééé"


def test_a_cut_text_ends_with_its_kept_and_original_size() -> None:
    # 64 bytes of room, less the mark's own 26 ("…" has three)
    assert cut("x" * 1000, 64) == "x" * 38 + "…[cut: 38 of 1000 bytes]"


def test_a_cut_never_splits_a_character() -> None:
    text = cut("é" * 500, 63)
    assert text == "é" * 18 + "…[cut: 36 of 1000 bytes]"


def test_a_lone_surrogate_becomes_a_question_mark() -> None:
    assert cut("a\ud800b", 64) == "a?b"
    assert quoted("a\ud800b") == r"'a\ud800b'"


@given(ANY_TEXT, st.integers(min_value=48, max_value=400))
def test_a_cut_text_fits_and_is_not_cut_again(text: str, limit: int) -> None:
    once = cut(text, limit)
    assert len(once.encode()) <= limit
    assert cut(once, limit) == once


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("r1", "'r1'"),
        ("a\nb\x1b[31m", r"'a\nb\x1b[31m'"),
        ("x" * 121, "'" + "x" * 120 + "'… (121 characters)"),
        (b"\xff", r"b'\xff'"),
        (7, "7"),
        (1 << 5_000, "a number of 5001 bits"),
        (None, "None"),
        (["x"] * 1_000_000, "list"),
    ],
)
def test_a_quoted_value_is_short_and_shows_no_control_character(value: object, shown: str) -> None:
    assert quoted(value) == shown


def test_a_shortened_text_says_how_long_it_was() -> None:
    assert shortened("x" * 10, 20) == "x" * 10
    assert shortened("x" * 30, 20) == "x" * 20 + "… (30 characters)"


@pytest.mark.parametrize(
    ("time", "kept"),
    [
        (datetime(1970, 1, 1, tzinfo=UTC), True),
        (datetime(1970, 1, 1, tzinfo=UTC) - timedelta(microseconds=1), False),
        (datetime(9998, 12, 31, tzinfo=UTC), True),
        (datetime(9999, 1, 1, tzinfo=UTC), False),
    ],
)
def test_times_at_the_edges_of_the_calendar_are_not_event_times(time: datetime, kept: bool) -> None:
    assert (plausible(time) is not None) is kept
