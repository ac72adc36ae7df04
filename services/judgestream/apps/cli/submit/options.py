"""The options of `judgestream submit`."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from judgestream.adapters.files.requests import FORMATS
from judgestream.core.conversation import Focus
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
        " - for standard input",
    ),
]
From = Annotated[
    str | None,
    typer.Option(
        "--from", metavar="FORMAT", help=f"{', '.join(FORMATS)}; default: recognised by the fields"
    ),
]
SkipBad = Annotated[
    Path | None,
    typer.Option(
        "--skip-bad",
        metavar="FILE",
        help="leave out malformed rows, and write their places and reasons to FILE",
    ),
]
Wait = Annotated[bool, typer.Option("--wait", help="wait until each request has a verdict")]
Timeout = Annotated[
    float,
    typer.Option("--timeout", min=0.1, help="time limit of --wait, in seconds"),
]
Explain = Annotated[
    bool | None,
    typer.Option(
        "--explain/--no-explain", help="whether the judge writes an explanation", show_default=False
    ),
]
Orders = Annotated[
    OrdersAsked | None,
    typer.Option(
        "--orders",
        help="both orders are fair; straight costs half, but hides flips; rotations show every answer"
        " at every position",
    ),
]
ReferenceUse = Annotated[
    ReferenceUsed | None,
    typer.Option("--reference-use", help="how a reference answer is used"),
]
Conversations = Annotated[
    Focus | None,
    typer.Option(
        "--conversations",
        help="mode multi_turn: judge whole conversations, or their last turn, where the rows have them",
        show_default=False,
    ),
]
HybridWeight = Annotated[
    float | None,
    typer.Option(
        "--hybrid-weight",
        help="mode rerank: a document's score is this times P(yes), plus its first-stage score",
        show_default=False,
    ),
]
Limit = Annotated[
    int | None,
    typer.Option("--limit", min=1, help="only the first N requests"),
]
Prefix = Annotated[
    str,
    typer.Option(
        "--prefix", help="prefix of every request id; with a new prefix everything is judged again"
    ),
]
As = Annotated[ContentType, typer.Option("--content-type", help="content type of the records")]
DryRun = Annotated[
    bool,
    typer.Option(
        "--dry-run",
        help="check the files, print the requests as JSON and the counts, and send nothing",
    ),
]
