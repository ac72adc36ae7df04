"""The options that select verdicts, shared by `verdicts tail` and `verdicts export`."""

from datetime import datetime
from typing import Annotated

import typer

from judgestream.core.types import Status
from judgestream.terminal import options

WithStatus = Annotated[Status | None, typer.Option("--status", help="only verdicts of this status")]
WithSystem = Annotated[
    str | None,
    typer.Option("--system", metavar="NAME", help="only verdicts on an answer of this system"),
]
WithWinner = Annotated[
    str | None,
    typer.Option(
        "--winner", metavar="NAME", help="only verdicts won by this candidate id or system"
    ),
]
WithMode = Annotated[str | None, typer.Option("--mode", help="only verdicts of this mode")]
WithFlip = Annotated[
    bool | None,
    typer.Option(
        "--flipped/--consistent", help="only verdicts whose two orders disagree, or agree"
    ),
]
Until = Annotated[
    datetime | None,
    typer.Option(
        "--until",
        parser=options.moment,
        metavar="WHEN",
        help="only verdicts judged before this time; written like --since",
    ),
]
