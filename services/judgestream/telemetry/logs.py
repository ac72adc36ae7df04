"""The log lines of every process, as text or as JSON, and a limit on repeated lines."""

import logging
import logging.config
import re
import sys
from collections import OrderedDict
from time import monotonic
from typing import Any, TextIO

from judgestream.core.limits import quoted
from judgestream.core.masking import masked
from judgestream.settings import Worker
from judgestream.telemetry.handled import handled
from judgestream.telemetry.json_lines import (
    MESSAGE,
    STACK,
    JsonErrors,
    JsonLines,
    log_uncaught,
    message_of,
)

REPEATS = 5
PER_S = 30.0
REMEMBERED = 1000
CHATTY = ("kafka", "faust.sensors", "faust.transport.conductor")
"""Loggers that write a line for every connection or service."""
REVEALING = ("aiokafka.conn",)
"""Loggers that write out every request at level DEBUG, and so passwords and tokens of logins."""
EXPORTER = "opentelemetry.exporter.otlp.proto.grpc.exporter"
"""Writes a line for every export that fails."""


class MaskedLines(logging.Formatter):
    """Formats a line, with its traceback, and masks the secrets of URLs in it.

    A line about a request ends with the ids that find the request's other lines, and its trace. Text of
    strangers cannot look like another line, or steer a terminal: further lines are indented, and
    control characters are escaped.
    """

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the name is logging's
        one = handled()
        request = f" request={quoted(one.request_id)}" if one.request_id else ""
        trace = f" trace={one.trace_id}" if one.trace_id else ""
        ids = f"{request}{trace}".strip()
        return super().formatMessage(record) + (f" [{ids}]" if ids else "")

    def format(self, record: logging.LogRecord) -> str:
        return _bounded(_CONTROL.sub(_escaped, masked(super().format(record)))).replace(
            "\n", "\n  "
        )


_CONTROL = re.compile(
    "[\0-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"  # no tab, no line end
)


def _escaped(match: re.Match[str]) -> str:
    return ascii(match[0])[1:-1]


def _bounded(text: str) -> str:
    """Start and end of a long text: the end of a traceback says more than its middle."""
    if len(text) <= MESSAGE + STACK:
        return text
    return f"{text[:MESSAGE]}…[cut: {MESSAGE + STACK} of {len(text)} characters]…{text[-STACK:]}"


class RepeatLimit(logging.Filter):
    """Lets one call site log `repeats` times per `per_s` seconds. The next line counts the dropped ones.

    Without it, a Kafka client whose broker is unavailable writes about a hundred lines a second.
    """

    def __init__(self, repeats: int = REPEATS, per_s: float = PER_S) -> None:
        super().__init__()
        self._repeats, self._per_s = repeats, per_s
        self._sites: OrderedDict[tuple[str, int, str], tuple[float, int]] = OrderedDict()

    def filter(self, record: logging.LogRecord) -> bool:
        site = (record.pathname, record.lineno, record.levelname)
        now = monotonic()
        since, count = self._sites.pop(site, (now, 0))
        dropped = 0
        if now - since >= self._per_s:
            dropped = max(0, count - self._repeats)
            since, count = now, 0
        self._sites[site] = (since, count + 1)
        if len(self._sites) > REMEMBERED:
            self._sites.popitem(last=False)
        if count >= self._repeats:
            return False
        if dropped:
            record.msg = f"{message_of(record)} ({dropped} similar lines were dropped)"
            record.args = ()
        return True


def service_name(kind: str) -> str:
    """The name of a service in log lines and traces."""
    return f"judgestream-{kind}"


def config(settings: Worker, *, kind: str, slot: int | None = None) -> dict[str, Any]:
    """A `logging.config` dictionary for a process. Faust gets the same one.

    Args:
        kind: of the service, such as "judging".
        slot: its number; None for a service that has none.
    """
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {
            "repeats": {"()": RepeatLimit},
            "rarely": {"()": RepeatLimit, "repeats": 1, "per_s": 300.0},
        },
        "formatters": {"line": {"()": lambda: _formatter(settings, kind, slot)}},
        "handlers": {
            "stderr": {
                "class": "logging.StreamHandler",
                "formatter": "line",
                "filters": ["repeats"],
                "stream": _stderr(),
            }
        },
        "loggers": {
            **{name: {"level": "WARNING"} for name in CHATTY},
            **{name: {"level": "INFO"} for name in REVEALING},
            EXPORTER: {"level": "ERROR", "filters": ["rarely"]},
        },
        "root": {"level": settings.log_level.upper(), "handlers": ["stderr"]},
    }


def configure(settings: Worker, *, kind: str, slot: int | None = None) -> None:
    """Set up the logging of this process; see `config`. As JSON, everything on standard error is JSON."""
    logging.config.dictConfig(config(settings, kind=kind, slot=slot))
    if settings.log_format == "json" and not isinstance(sys.stderr, JsonErrors):
        sys.stderr = JsonErrors(sys.stderr, _formatter(settings, kind, slot))
        sys.excepthook = log_uncaught


def _formatter(settings: Worker, kind: str, slot: int | None) -> logging.Formatter:
    if settings.log_format == "text":
        return MaskedLines("%(asctime)s %(levelname)s %(name)s: %(message)s")
    fixed: dict[str, str | int] = {"service.name": service_name(kind)}
    return JsonLines(fixed if slot is None else {**fixed, "slot": slot})


def _stderr() -> TextIO:
    """Standard error itself: log lines are formatted already."""
    return sys.stderr.original if isinstance(sys.stderr, JsonErrors) else sys.stderr
