"""The log format of every process, and a limit on repeated lines."""

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
"""Loggers that write a line for every connection or service."""
REVEALING = ("aiokafka.conn",)
"""Loggers that write out every request at level DEBUG, and so passwords and tokens of logins."""


class MaskedLines(logging.Formatter):
    """Formats a line, with its traceback, and masks the secrets of URLs in it."""

    def format(self, record: logging.LogRecord) -> str:
        return masked(super().format(record))


class RepeatLimit(logging.Filter):
    """Lets one call site log `REPEATS` times per `PER_S` seconds. The next line counts the dropped ones.

    Without it, a Kafka client whose broker is unavailable writes about a hundred lines a second.
    """

    def __init__(self) -> None:
        super().__init__()
        self._sites: OrderedDict[tuple[str, int, str], tuple[float, int]] = OrderedDict()

    def filter(self, record: logging.LogRecord) -> bool:
        site = (record.pathname, record.lineno, record.levelname)
        now = monotonic()
        since, count = self._sites.pop(site, (now, 0))
        dropped = 0
        if now - since >= PER_S:
            dropped = max(0, count - REPEATS)
            since, count = now, 0
        self._sites[site] = (since, count + 1)
        if len(self._sites) > REMEMBERED:
            self._sites.popitem(last=False)
        if count >= REPEATS:
            return False
        if dropped:
            record.msg = f"{record.getMessage()} ({dropped} similar lines were dropped)"
            record.args = ()
        return True


def config(level: str) -> dict[str, Any]:
    """A `logging.config` dictionary. Faust gets the same one."""
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
        "loggers": {name: {"level": "WARNING"} for name in CHATTY}
        | {name: {"level": "INFO"} for name in REVEALING},
        "root": {"level": level.upper(), "handlers": ["stderr"]},
    }


def configure(level: str) -> None:
    logging.config.dictConfig(config(level))
