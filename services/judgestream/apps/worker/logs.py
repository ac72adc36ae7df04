"""One log format for every process, and a limit on how often the same line may repeat."""

import logging
import logging.config
from collections import OrderedDict
from time import monotonic
from typing import Any

from judgestream.core.masking import masked

REPEATS = 5
PER_S = 30.0
REMEMBERED = 1000
CHATTY = ("kafka", "faust.sensors", "faust.transport.conductor")
"""These write a line for every connection or service that comes and goes."""


class MaskedLines(logging.Formatter):
    """The finished line, traceback included, without the secrets of any URL in it."""

    def format(self, record: logging.LogRecord) -> str:
        return masked(super().format(record))


class RepeatLimit(logging.Filter):
    """Lets one call site log `REPEATS` times per `PER_S` seconds; the next line says how many were left out.

    A Kafka client whose broker is away writes about a hundred lines a second otherwise.
    """

    def __init__(self) -> None:
        super().__init__()
        self._seen: OrderedDict[tuple[str, int, str], tuple[float, int]] = OrderedDict()

    def filter(self, record: logging.LogRecord) -> bool:
        site = (record.pathname, record.lineno, record.levelname)
        now = monotonic()
        since, count = self._seen.pop(site, (now, 0))
        left_out = 0
        if now - since >= PER_S:
            left_out = max(0, count - REPEATS)
            since, count = now, 0
        self._seen[site] = (since, count + 1)
        if len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)
        if count >= REPEATS:
            return False
        if left_out:
            record.msg = f"{record.getMessage()} ({left_out} more like this were left out)"
            record.args = ()
        return True


def config(level: str) -> dict[str, Any]:
    """A `logging.config` dictionary; Faust is given the same one."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"repeats": {"()": RepeatLimit}},
        "formatters": {
            "line": {
                "()": MaskedLines,
                "format": "%(asctime)s %(levelname)s %(name)s: %(message)s",
            },
        },
        "handlers": {
            "stderr": {
                "class": "logging.StreamHandler",
                "formatter": "line",
                "filters": ["repeats"],
            }
        },
        "loggers": {name: {"level": "WARNING"} for name in CHATTY},
        "root": {"level": level.upper(), "handlers": ["stderr"]},
    }


def configure(level: str) -> None:
    logging.config.dictConfig(config(level))
