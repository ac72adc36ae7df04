"""The options of `judgestream suite`."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from judgestream.evaluation.order_rules import OrderRule
from judgestream.evaluation.unreadable import UnreadableRule


class ReportFormat(StrEnum):
    TABLE = "table"
    JSON = "json"
    HTML = "html"


Name = Annotated[str, typer.Argument(help="name of the suite; `judgestream suite list` has them")]
Data = Annotated[Path, typer.Option("--data", metavar="DIR", help="folder with the suite's files")]
Release = Annotated[
    str,
    typer.Option(
        "--release",
        metavar="NAME",
        help="judge with this release; another than the one in use is asked directly on Triton",
    ),
]
Direct = Annotated[
    bool,
    typer.Option("--direct", help="ask the release in use directly, too, not through the topics"),
]
Rule = Annotated[
    OrderRule | None,
    typer.Option("--rule", help="what two orders amount to; default: the paper's rule"),
]
Unreadable = Annotated[
    UnreadableRule | None,
    typer.Option(
        "--unreadable", help="what an unreadable judgement counts as; default: the paper's rule"
    ),
]
Only = Annotated[
    list[str] | None,
    typer.Option(
        "--only", metavar="FACT=VALUE", help="only items with this fact, such as turn=1; repeatable"
    ),
]
Limit = Annotated[
    int | None,
    typer.Option("--limit", min=1, metavar="N", help="a random sample of at most N items"),
]
Seed = Annotated[
    int,
    typer.Option(
        "--seed", help="of the sample, and part of every request id: another one judges again"
    ),
]
Budget = Annotated[
    float | None,
    typer.Option("--budget", min=0.0, metavar="USD", help="stop before this is spent"),
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="check the files, print counts and cost, judge nothing")
]
Out = Annotated[
    Path | None,
    typer.Option(
        "--out",
        metavar="FOLDER",
        help="folder of the run; the same one continues it (default: below suite-runs/)",
    ),
]
Format = Annotated[ReportFormat, typer.Option("--format", help="html prints the path of the page")]
Timeout = Annotated[
    float,
    typer.Option(
        "--timeout", min=0.1, metavar="SECONDS", help="give up after so long without any verdict"
    ),
]
