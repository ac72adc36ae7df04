"""`judgestream verdicts export`: verdicts as JSON lines, CSV, Parquet or TRL rows."""

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from judgestream.adapters.files.trl_rows import preference, trl_row
from judgestream.adapters.files.verdict_rows import (
    COLUMNS,
    TEXT_COLUMNS,
    Column,
    Row,
    text_row,
    verdict_row,
    write_csv,
    write_parquet,
)
from judgestream.adapters.files.writing import STDOUT, text_output
from judgestream.adapters.kafka.request_join import with_requests
from judgestream.adapters.kafka.verdict_topic import Published, judgements
from judgestream.apps.cli.verdicts.filter_options import (
    Until,
    WithFlip,
    WithMode,
    WithStatus,
    WithSystem,
    WithWinner,
)
from judgestream.contracts.verdict_json import verdict_with_request
from judgestream.core.errors import ConfigurationError
from judgestream.core.types import Request
from judgestream.core.verdict_filter import VerdictFilter
from judgestream.settings import Kafka, load
from judgestream.terminal import options
from judgestream.terminal.output import json_text, note
from judgestream.v1.judging_pb2 import Verdict as VerdictMessage


class Shape(StrEnum):
    VERDICTS = "verdicts"
    CSV = "csv"
    PARQUET = "parquet"
    TRL = "trl"


def export(
    since: options.Since = None,
    until: Until = None,
    release: options.Release = None,
    status: WithStatus = None,
    mode: WithMode = None,
    system: WithSystem = None,
    winner: WithWinner = None,
    flipped: WithFlip = None,
    shape: Annotated[
        Shape,
        typer.Option(
            "--as",
            help="verdicts: JSON lines; csv; parquet; trl: preference rows {prompt, chosen, rejected}",
        ),
    ] = Shape.VERDICTS,
    out: Annotated[
        Path, typer.Option("--out", metavar="FILE", help="output file; - for standard output")
    ] = STDOUT,
    with_texts: Annotated[
        bool, typer.Option("--with-texts", help="include the question, answers and reference")
    ] = False,
) -> None:
    """Write all verdicts, one row per judgement.

    A redelivered verdict is written once. A failed verdict is left out if a replay was judged. Texts and
    TRL rows need the request to be still on its topic. TRL rows are made of scored verdicts with a winner.
    A file appears complete or not at all.
    """
    if shape is Shape.PARQUET and out == STDOUT:
        raise ConfigurationError(
            "Parquet cannot be written to standard output: name a file with --out verdicts.parquet"
        )
    kafka = load().kafka
    wanted = VerdictFilter(
        status=status, system=system, winner=winner, mode=mode, flipped=flipped, until=until
    )
    published = judgements(kafka, wanted, release=release, since=since, on_skip=note)
    if shape is Shape.TRL:
        _export_trl(kafka, published, out)
        return
    if with_texts:
        with_texts_of = [
            (one.request_id, one.content_digest, (message, one)) for message, one in published
        ]
        written = _write_joined(with_requests(kafka, with_texts_of, on_skip=note), shape, out)
    else:
        written = _write_plain(published, shape, out)
    note(f"{written} verdicts")


def _write_plain(published: Iterable[Published], shape: Shape, out: Path) -> int:
    if shape is Shape.VERDICTS:
        return _write_lines(out, (message for message, _ in published))
    return _write_rows((verdict_row(verdict) for _, verdict in published), COLUMNS, shape, out)


def _write_joined(
    joined: Iterable[tuple[Published, Request | None]], shape: Shape, out: Path
) -> int:
    if shape is Shape.VERDICTS:
        return _write_lines(
            out, (verdict_with_request(message, request) for (message, _), request in joined)
        )
    rows = (verdict_row(verdict) | text_row(request) for (_, verdict), request in joined)
    return _write_rows(rows, (*COLUMNS, *TEXT_COLUMNS), shape, out)


def _write_rows(rows: Iterable[Row], columns: Sequence[Column], shape: Shape, out: Path) -> int:
    if shape is Shape.PARQUET:
        return write_parquet(out, columns, rows)
    with text_output(out) as file:
        return write_csv(file, columns, rows)


def _export_trl(kafka: Kafka, published: Iterable[Published], out: Path) -> None:
    decided = []
    undecided = 0
    for _, verdict in published:
        chosen = preference(verdict)
        if chosen is None:
            undecided += 1
        else:
            decided.append((verdict.request_id, verdict.content_digest, chosen))
    joined = with_requests(kafka, decided, on_skip=note)
    rows = (trl_row(request, chosen) for chosen, request in joined if request)
    written = _write_lines(out, (row for row in rows if row is not None))
    note(
        f"{written} rows; left out: {undecided} verdicts without a winner,"
        f" {len(decided) - written} whose request has left its topic or has images"
    )


def _write_lines(out: Path, values: Iterable[VerdictMessage | Mapping[str, object]]) -> int:
    count = 0
    with text_output(out) as file:
        for value in values:
            file.write(json_text(value) + "\n")
            count += 1
    return count
