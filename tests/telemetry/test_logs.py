"""Repeated log lines are limited."""

import logging

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
