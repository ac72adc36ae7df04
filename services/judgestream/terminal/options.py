"""Options that several commands share."""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from judgestream.terminal.output import OutputFormat

_SPAN = re.compile(r"(\d+)([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def moment(text: str) -> datetime:
    """A point in time: `90s`, `10m`, `2h`, `3d` ago, or ISO 8601 (UTC where it names no zone)."""
    span = _SPAN.fullmatch(text)
    try:
        if span is not None:
            return datetime.now(UTC) - timedelta(**{_UNITS[span[2]]: int(span[1])})
        time = datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        raise typer.BadParameter(
            f"invalid time {text!r}: use for example 90s, 10m, 2h or 3d (ago), or 2026-01-31T12:00Z"
        ) from None
    return time if time.tzinfo is not None else time.replace(tzinfo=UTC)


Format = Annotated[
    OutputFormat, typer.Option("--format", help="text for people; json: one object per line")
]
Release = Annotated[
    str | None, typer.Option("--release", help="only verdicts of this release", metavar="NAME")
]
Since = Annotated[
    datetime | None,
    typer.Option(
        "--since",
        parser=moment,
        metavar="WHEN",
        help="only those published since: 90s, 10m, 2h or 3d ago, or ISO 8601 (UTC by default)",
    ),
]
MetricsPort = Annotated[
    int | None,
    typer.Option(
        "--metrics-port",
        min=0,
        max=65535,
        help="port of /metrics, /livez and /readyz; 0 = none; default: derived from worker.metrics_port",
    ),
]
