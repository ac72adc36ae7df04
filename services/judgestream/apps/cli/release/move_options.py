"""Options that the moves of the rollout have in common."""

import re
from collections.abc import Mapping
from typing import Annotated

import typer

from judgestream.core.errors import ConfigurationError

READY_S = 600.0
"""A large judge takes minutes to download and to load."""

ROUTED_S = 30.0
"""Workers follow a move within 2 s; one that restarts takes longer."""

_PERCENT = re.compile(r"\d+(?:\.\d+)?%")


def share(text: str) -> float:
    """A share of the requests: `10%` or `0.1`."""
    try:
        value = float(text.removesuffix("%")) / (100 if _PERCENT.fullmatch(text) else 1)
    except ValueError:
        value = 0.0
    if not 0.0 < value <= 1.0:
        raise typer.BadParameter(f"invalid share {text!r}: give for example 10% or 0.1")
    return value


Name = Annotated[str, typer.Argument(help="name of the release, as in `release list`")]
Why = Annotated[str, typer.Option(help="the reason, which is published with the move")]
Watch = Annotated[
    bool,
    typer.Option("--watch", help="wait until the release is ready, or all workers have the move"),
]
Timeout = Annotated[float, typer.Option(min=1, help="time limit of --watch, in seconds")]
Share = Annotated[
    float | None,
    typer.Option("--share", parser=share, metavar="SHARE", help="of the requests: 10% or 0.1"),
]
Where = Annotated[
    list[str] | None,
    typer.Option(
        metavar="KEY=VALUE", help="only requests with this metadata, such as tenant=a; repeatable"
    ),
]
Force = Annotated[
    bool, typer.Option("--force", help="without the evidence that the policy asks for")
]


def conditions(entries: list[str]) -> Mapping[str, str]:
    """The values of `--where`."""
    pairs = [entry.partition("=") for entry in entries]
    if wrong := [
        entry
        for entry, (key, equals, _) in zip(entries, pairs, strict=True)
        if not (key and equals)
    ]:
        raise ConfigurationError(f"invalid --where {wrong[0]!r}: give KEY=VALUE, such as tenant=a")
    return {key: value for key, _, value in pairs}
