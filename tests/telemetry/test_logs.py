"""Repeated log lines are limited."""

import logging
import sys

import pytest

from judgestream.telemetry import logs


def record(line: int, text: str = "away") -> logging.LogRecord:
    return logging.LogRecord("aiokafka", logging.ERROR, "conn.py", line, text, (), None)


def test_a_call_site_repeats_five_times_then_says_how_many_lines_were_dropped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 0.0
    monkeypatch.setattr(logs, "monotonic", lambda: now)
    limit = logs.RepeatLimit()
    assert [limit.filter(record(1)) for _ in range(8)] == [True] * 5 + [False] * 3
    assert limit.filter(record(2)), "another call site has its own count"
    now = 31.0
    again = record(1)
    assert limit.filter(again)
    assert again.getMessage() == "away (3 similar lines were dropped)"


FORGED = "away\n2026-01-01 12:00:00,000 ERROR judgestream: forged\r\x1b[2J\u202e\ud800\x85\u2028end"


def text_line(text: str, *, error: bool = False) -> str:
    made = record(1, text)
    made.exc_info = sys.exc_info() if error else None
    return logs.MaskedLines("%(levelname)s %(name)s: %(message)s").format(made)


def test_what_strangers_wrote_is_no_line_of_its_own_and_does_not_steer_a_terminal() -> None:
    first, second = text_line(FORGED).split("\n")
    assert first == "ERROR aiokafka: away"
    assert second == (
        r"  2026-01-01 12:00:00,000 ERROR judgestream: forged\r\x1b[2J\u202e\ud800\x85\u2028end"
    )


def test_an_exception_with_such_a_text_is_indented_too() -> None:
    try:
        raise ValueError(FORGED)
    except ValueError:
        first, *others = text_line("failed", error=True).split("\n")
    assert first == "ERROR aiokafka: failed"
    assert others and all(other.startswith("  ") for other in others)


def test_of_a_long_text_a_line_has_start_and_end() -> None:
    written = text_line("start " + "x" * 1_000_000 + " end")
    assert written.startswith("ERROR aiokafka: start") and written.endswith("x end")
    assert "[cut: 12000 of 1000026 characters]" in written and len(written) < 12_100
