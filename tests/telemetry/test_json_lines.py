"""JSON log lines: valid whatever they contain, bounded, masked, and with the ids of the work."""

import asyncio
import io
import json
import logging
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from judgestream.settings import Worker
from judgestream.telemetry import logs
from judgestream.telemetry.handled import Handled, handle, handled
from judgestream.telemetry.json_lines import JsonErrors, JsonLines, level_of

ODD = "\ud800 \x00\x1b[31m \u2028 \n line two \U0001f600"


def line(*arguments: object, text: str = "lost %s", error: bool = False) -> dict[str, Any]:
    record = logging.LogRecord(
        "judgestream.x",
        logging.WARNING,
        "x.py",
        1,
        text,
        arguments,
        sys.exc_info() if error else None,
    )
    record.created = 1_767_268_800.25
    written = JsonLines({"service.name": "judgestream-judging", "slot": 3}).format(record)
    assert "\n" not in written and written.isascii()
    loaded: dict[str, Any] = json.loads(written)
    return loaded


def test_a_line_has_its_time_level_service_and_message() -> None:
    assert line("it") == {
        "time": "2026-01-01T12:00:00.250Z",
        "level": "WARNING",
        "logger": "judgestream.x",
        "message": "lost it",
        "service.name": "judgestream-judging",
        "slot": 3,
    }


@pytest.mark.parametrize("text", [ODD, "\x00" * 1_000_000, "redis://bob:hunter2@h/0"])
def test_any_text_is_valid_bounded_and_masked(text: str) -> None:
    found = line(text)["message"]
    assert found.startswith("lost ") and len(found) < 4100
    found.encode()
    assert "hunter2" not in found


@pytest.mark.parametrize("arguments", [(1, 2), ({"a": 1}, 2)])
def test_arguments_that_do_not_fit_are_no_error(arguments: tuple[object, ...]) -> None:
    assert line(*arguments)["message"] == "lost %s (arguments do not fit: TypeError)"


def test_an_exception_is_fields_with_the_end_of_its_stack() -> None:
    def deep(left: int) -> None:
        if not left:
            raise ValueError("redis://:hunter2@h " + ODD)
        deep(left - 1) if left % 2 else deep(left - 1)

    try:
        deep(200)
    except ValueError:
        found = line("it", error=True)
    assert found["exception.type"] == "ValueError"
    assert "hunter2" not in json.dumps(found)
    assert len(found["exception.stacktrace"]) < 8100
    assert "ValueError" in found["exception.stacktrace"][-200:]


def test_an_exception_without_a_text_is_no_error() -> None:
    class Silent(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    try:
        raise Silent
    except Silent:
        found = line("it", error=True)
    assert found["exception.message"] == "(no text)"


def test_every_line_of_a_task_has_the_ids_of_its_record() -> None:
    async def work(offset: int) -> dict[str, Any]:
        handle(Handled(topic="judge.requests.v1", partition=2, offset=offset))
        await asyncio.sleep(0)
        handled().request_id = f"r{offset} {ODD}"
        handled().trace_id = "0af7651916cd43dd8448eb211c80319c"
        return await asyncio.create_task(_below())

    async def _below() -> dict[str, Any]:
        return line("it")

    async def all_of() -> list[dict[str, Any]]:
        return list(await asyncio.gather(work(0), work(1)))

    first, second = asyncio.run(all_of())
    assert (first["topic"], first["partition"], first["offset"]) == ("judge.requests.v1", 2, 0)
    assert first["request_id"].startswith("r0") and second["request_id"].startswith("r1")
    assert second["trace_id"] == "0af7651916cd43dd8448eb211c80319c"
    assert "request_id" not in line("it")


def test_a_text_line_ends_with_the_ids_of_its_request() -> None:
    async def work() -> str:
        handle(Handled(request_id="r1\nforged", trace_id="0af7"))
        record = logging.LogRecord("x", logging.INFO, "x.py", 1, "lost", (), None)
        return logs.MaskedLines("%(message)s").format(record)

    assert asyncio.run(work()) == "lost [request='r1\\nforged' trace=0af7]"


@pytest.fixture
def logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    before = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = before


@pytest.mark.usefixtures("logging_as_before")
def test_everything_on_standard_error_is_json(monkeypatch: pytest.MonkeyPatch) -> None:
    stderr = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stderr)
    monkeypatch.setattr(sys, "excepthook", sys.__excepthook__)
    settings = Worker(log_format="json")
    logs.configure(settings, kind="judging", slot=0)
    logs.configure(settings, kind="judging", slot=0)  # as Faust does once more
    logging.getLogger("faust").warning("from %s", "faust")
    sys.stderr.write("judgestream: no broker\n")
    sys.stderr.write("W1126 20:00:00.000000 1 triton.cc:1] slow\nhalf a ")
    sys.stderr.write("line\n\n")
    try:
        raise OSError("gone")
    except OSError as exc:
        sys.excepthook(OSError, exc, exc.__traceback__)
    lines = [json.loads(one) for one in stderr.getvalue().splitlines()]
    assert [(one["level"], one["logger"], one["message"]) for one in lines] == [
        ("WARNING", "faust", "from faust"),
        ("ERROR", "stderr", "judgestream: no broker"),
        ("WARNING", "stderr", "W1126 20:00:00.000000 1 triton.cc:1] slow"),
        ("INFO", "stderr", "half a line"),
        ("CRITICAL", "judgestream", "uncaught"),
    ]
    assert {one["service.name"] for one in lines} == {"judgestream-judging"}
    assert lines[-1]["exception.type"] == "OSError"


def test_a_line_without_an_end_is_bounded_and_not_lost() -> None:
    original = io.StringIO()
    errors = JsonErrors(original, JsonLines({}))
    errors.write("x" * 20_000)
    errors.write("the rest")
    errors.end()
    first, last = (json.loads(one) for one in original.getvalue().splitlines())
    assert first["message"].startswith("x") and last["message"] == "the rest"


@pytest.mark.parametrize(
    ("text", "level"), [("E1126 x", logging.ERROR), ("I1126 x", logging.INFO), ("", logging.INFO)]
)
def test_the_level_of_a_line_of_triton(text: str, level: int) -> None:
    assert level_of(text) == level
