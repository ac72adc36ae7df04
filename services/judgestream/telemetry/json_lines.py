"""Log lines as JSON, one object a line, for programs that collect them.

The keys `trace_id`, `span_id`, `service.name` and `exception.*` are those of OpenTelemetry.
"""

import io
import json
import logging
import sys
import traceback
from collections.abc import Mapping
from datetime import UTC, datetime
from types import TracebackType
from typing import TextIO

from judgestream.core.limits import clean
from judgestream.core.masking import masked
from judgestream.telemetry.handled import Handled, handled

MESSAGE = 4000
STACK = 8000
"""Characters of a message and of a traceback. Container engines split lines of more than 16 KiB."""
ID = 256

Value = str | int


class JsonLines(logging.Formatter):
    """Formats a record as one JSON object. Raises nothing, whatever the record contains."""

    def __init__(self, fixed: Mapping[str, Value]) -> None:
        """`fixed`: fields of every line, such as the name of the service."""
        super().__init__()
        self._fixed = dict(fixed)

    def format(self, record: logging.LogRecord) -> str:
        fields: dict[str, Value] = {
            "time": datetime.fromtimestamp(record.created, UTC)
            .isoformat(timespec="milliseconds")
            .replace("+00:00", "Z"),
            "level": record.levelname,
            "logger": record.name,
            "message": _bounded(masked(message_of(record)), MESSAGE),
            **self._fixed,
            **ids_of(handled()),
            **_exception(record),
        }
        # escaped, so that the encoding of the stream cannot break a line
        return json.dumps({name: _sound(value) for name, value in fields.items()})


def message_of(record: logging.LogRecord) -> str:
    """The record's message; its unformatted text where the arguments do not fit it."""
    try:
        return record.getMessage()
    except Exception as exc:
        return f"{record.msg} (arguments do not fit: {type(exc).__name__})"


def ids_of(one: Handled) -> dict[str, Value]:
    """The ids that are known, by their keys."""
    found: dict[str, Value] = {}
    if one.topic:
        found |= {"topic": one.topic, "partition": one.partition, "offset": one.offset}
    for name in ("request_id", "verdict_id", "release", "trace_id", "span_id"):
        if value := getattr(one, name):
            found[name] = _bounded(value, ID)
    return found


def _exception(record: logging.LogRecord) -> dict[str, Value]:
    if not record.exc_info or record.exc_info[1] is None:
        return {}
    error = record.exc_info[1]
    try:
        text = str(error)
    except Exception:
        text = "(no text)"
    stack = "".join(traceback.format_exception(*record.exc_info))
    return {
        "exception.type": type(error).__qualname__,
        "exception.message": _bounded(masked(text), MESSAGE),
        "exception.stacktrace": _bounded(masked(stack), STACK, keep_end=True),
    }


def _bounded(text: str, limit: int, *, keep_end: bool = False) -> str:
    """At most `limit` characters and a mark. The end of a traceback says more than its start."""
    if len(text) <= limit:
        return text
    mark = f"…[cut: {limit} of {len(text)} characters]"
    return mark + text[-limit:] if keep_end else text[:limit] + mark


def _sound(value: Value) -> Value:
    return clean(value) if isinstance(value, str) else value


class JsonErrors(io.TextIOBase):
    """A standard error whose plain lines become JSON lines: messages of commands, of Triton, of libraries.

    original   the stream that gets the lines
    """

    def __init__(self, original: TextIO, formatter: logging.Formatter) -> None:
        self.original = original
        self._formatter = formatter
        self._rest = ""

    @property
    def encoding(self) -> str:  # type: ignore[override]  # the stub has an attribute
        return self.original.encoding

    @property
    def errors(self) -> str | None:  # type: ignore[override]  # the same
        return self.original.errors

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self.original.fileno()

    def write(self, text: str) -> int:
        *whole, self._rest = (self._rest + text).split("\n")
        if len(self._rest) > STACK:
            whole, self._rest = [*whole, self._rest], ""
        for line in whole:
            self._put(line)
        return len(text)

    def flush(self) -> None:
        self.original.flush()

    def end(self) -> None:
        """Write what has no line end yet."""
        if self._rest:
            self._put(self._rest)
            self._rest = ""

    def _put(self, line: str) -> None:
        if not line.strip():
            return
        record = logging.LogRecord("stderr", level_of(line), "stderr", 0, line, None, None)
        self.original.write(self._formatter.format(record) + "\n")
        self.original.flush()


def level_of(line: str) -> int:
    """The level of a plain line: an error that a command ends with, and Triton's I, W and E."""
    if line.startswith("judgestream: "):
        return logging.ERROR
    if line[1:5].isdigit():  # Triton: a letter, month and day
        return {"W": logging.WARNING, "E": logging.ERROR, "F": logging.CRITICAL}.get(
            line[0], logging.INFO
        )
    return logging.INFO


def log_uncaught(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """For `sys.excepthook`: the traceback of an uncaught exception as one line."""
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
        return
    logging.getLogger("judgestream").critical("uncaught", exc_info=(kind, error, trace))
