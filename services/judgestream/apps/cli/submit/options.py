"""The options of `judgestream submit`, spelt and explained."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from judgestream.adapters.files.requests import FORMATS
from judgestream.core.types import Orders as OrdersAsked
from judgestream.core.types import ReferenceUse as ReferenceUsed


class ContentType(StrEnum):
    PROTOBUF = "protobuf"
    JSON = "json"


Files = Annotated[
    list[str],
    typer.Argument(
        metavar="FILE...",
        help="JSON, JSON lines, CSV, TSV, Parquet or Arrow, compressed or not, or a folder of these;"
        " - reads standard input",
    ),
]
From = Annotated[
    str | None,
    typer.Option("--from", metavar="FORMAT", help=f"{', '.join(FORMATS)}; else by its fields"),
]
Map = Annotated[
    list[str] | None,
    typer.Option(
        "--map",
        metavar="FIELD=COLUMN",
        help="read the columns under other names: question=prompt answer_a=response1 ...;"
        " a column may be a path, as in choices.0.text",
    ),
]
Join = Annotated[
    str | None,
    typer.Option(
        "--join",
        metavar="FIELD",
        help="make pairs of single answers with the same question (or the same value of a field)",
    ),
]
SkipBad = Annotated[
    Path | None,
    typer.Option(
        "--skip-bad",
        metavar="FILE",
        help="leave out rows that cannot be read, and write place and reason to FILE",
    ),
]
Wait = Annotated[
    bool, typer.Option("--wait", help="follow these requests until each has a verdict")
]
Timeout = Annotated[
    float,
    typer.Option("--timeout", min=0.1, help="seconds to wait for the verdicts, with --wait"),
]
Explain = Annotated[
    bool | None,
    typer.Option("--explain/--no-explain", help="whether the judge writes why", show_default=False),
]
Orders = Annotated[
    OrdersAsked | None,
    typer.Option("--orders", help="both is fair; straight costs half and flips unseen"),
]
ReferenceUse = Annotated[
    ReferenceUsed | None,
    typer.Option("--reference-use", help="how a reference answer is used"),
]
Limit = Annotated[
    int | None,
    typer.Option("--limit", min=1, help="only so many requests from the beginning"),
]
Prefix = Annotated[
    str,
    typer.Option("--prefix", help="put before every request id; a new one has all judged anew"),
]
As = Annotated[ContentType, typer.Option("--content-type", help="how the records are written")]
DryRun = Annotated[
    bool,
    typer.Option(
        "--dry-run",
        help="check all, print the requests as JSON and what was understood, send nothing",
    ),
]
