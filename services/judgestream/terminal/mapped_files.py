"""Files whose columns have other names: the options `--map` and `--join`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

Map = Annotated[
    list[str] | None,
    typer.Option(
        "--map",
        metavar="FIELD=COLUMN",
        help="map fields to columns: question=prompt answer_a=response1 ...;"
        " a column may be a path such as choices.0.text",
    ),
]
Join = Annotated[
    str | None,
    typer.Option(
        "--join",
        metavar="FIELD",
        help="pair single answers to the same question (or with the same value of FIELD)",
    ),
]


def files_and_columns(
    arguments: Sequence[str], entries: Sequence[str]
) -> tuple[list[Path], list[str]]:
    """The files, and all entries of `--map`: in `--map a=b c=d` the second one arrives among the files."""
    columns = [text for text in arguments if entries and "=" in text and not Path(text).exists()]
    files = [Path(text) for text in arguments if text not in columns]
    return files, [*entries, *columns]
