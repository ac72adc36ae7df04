"""`judgestream verdicts export`: every verdict there is, as JSON lines, CSV, Parquet or TRL rows."""

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import IO, Annotated, Any

import typer
from google.protobuf import json_format

from judgestream.apps.cli.reading import all_verdicts
from judgestream.apps.cli.request_join import with_requests
from judgestream.apps.cli.trl_export import preference, trl_row
from judgestream.apps.cli.verdict_filter import (
    Until,
    VerdictFilter,
    WithFlip,
    WithMode,
    WithStatus,
    WithSystem,
    WithWinner,
)
from judgestream.apps.cli.verdict_rows import (
    COLUMNS,
    TEXT_COLUMNS,
    Column,
    Row,
    text_row,
    verdict_row,
    write_csv,
    write_parquet,
)
from judgestream.contracts.codecs import request_to_message
from judgestream.core.errors import ConfigurationError
from judgestream.core.types import Request, Verdict
from judgestream.core.verdict_set import VerdictSet
from judgestream.settings import Kafka, load
from judgestream.terminal import options
from judgestream.terminal.output import json_text, note
from judgestream.v1.judging_pb2 import Verdict as VerdictMessage

STDOUT = Path("-")

Found = tuple[VerdictMessage, Verdict]


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
        Path, typer.Option("--out", metavar="FILE", help="where to write; - is standard output")
    ] = STDOUT,
    with_texts: Annotated[
        bool, typer.Option("--with-texts", help="with the question, answers and reference")
    ] = False,
) -> None:
    """Write every verdict there is, one row per judgement.

    A redelivered verdict is written once, and a failed one not at all when its replay was judged. Texts
    and TRL rows need the request still to be on its topic; TRL rows are made of scored verdicts with a
    winner. A file appears complete or not at all.
    """
    if shape is Shape.PARQUET and out == STDOUT:
        raise ConfigurationError("Parquet is not text: name a file with --out verdicts.parquet")
    kafka = load().kafka
    wanted = VerdictFilter(
        status=status, system=system, winner=winner, mode=mode, flipped=flipped, until=until
    )
    found = _chosen(kafka, wanted, release=release, since=since)
    if shape is Shape.TRL:
        _export_trl(kafka, found, out)
        return
    if with_texts:
        written = _write_joined(_with_texts(kafka, found), shape, out)
    else:
        written = _write_plain(found, shape, out)
    note(f"{written} verdicts")


def _write_plain(found: Iterable[Found], shape: Shape, out: Path) -> int:
    if shape is Shape.VERDICTS:
        return _write_lines(out, (message for message, _ in found))
    return _write_rows((verdict_row(verdict) for _, verdict in found), COLUMNS, shape, out)


def _write_joined(joined: Iterable[tuple[Found, Request | None]], shape: Shape, out: Path) -> int:
    if shape is Shape.VERDICTS:
        return _write_lines(
            out, (verdict_with_request(message, request) for (message, _), request in joined)
        )
    rows = (verdict_row(verdict) | text_row(request) for (_, verdict), request in joined)
    return _write_rows(rows, (*COLUMNS, *TEXT_COLUMNS), shape, out)


def _write_rows(rows: Iterable[Row], columns: Sequence[Column], shape: Shape, out: Path) -> int:
    if shape is Shape.PARQUET:
        return write_parquet(out, columns, rows)
    with _opened(out) as file:
        return write_csv(file, columns, rows)


def verdict_with_request(message: VerdictMessage, request: Request | None) -> dict[str, Any]:
    """The verdict in protobuf's JSON mapping, with its request in the field `request` (null: gone)."""
    texts = None if request is None else json_format.MessageToDict(request_to_message(request))
    return {**json_format.MessageToDict(message), "request": texts}


def _chosen(
    kafka: Kafka, wanted: VerdictFilter, *, release: str | None, since: Any
) -> Iterator[Found]:
    """Each judgement once. Reads the topic twice, so that memory holds ids and not verdicts."""
    kept: VerdictSet[str] = VerdictSet()
    for _, verdict in all_verdicts(kafka, release=release, since=since):
        kept.add(verdict, f"{verdict.verdict_id} {verdict.status.value}")
    left = set(kept)
    for message, verdict in all_verdicts(kafka, release=release, since=since):
        identity = f"{verdict.verdict_id} {verdict.status.value}"
        if identity in left and wanted.admits(verdict):
            left.discard(identity)
            yield message, verdict


def _with_texts(kafka: Kafka, found: Iterable[Found]) -> Iterator[tuple[Found, Request | None]]:
    return with_requests(
        kafka, [(one.request_id, one.content_digest, (message, one)) for message, one in found]
    )


def _export_trl(kafka: Kafka, found: Iterable[Found], out: Path) -> None:
    wanted = []
    undecided = 0
    for _, verdict in found:
        one = preference(verdict)
        if one is None:
            undecided += 1
        else:
            wanted.append((verdict.request_id, verdict.content_digest, one))
    rows = (trl_row(request, one) for one, request in with_requests(kafka, wanted) if request)
    written = _write_lines(out, (row for row in rows if row is not None))
    note(
        f"{written} rows; {undecided} verdicts without a winner,"
        f" {len(wanted) - written} without their request on the topic any more"
    )


def _write_lines(out: Path, values: Iterable[VerdictMessage | Mapping[str, object]]) -> int:
    count = 0
    with _opened(out) as file:
        for value in values:
            file.write(json_text(value) + "\n")
            count += 1
    return count


@contextmanager
def _opened(out: Path) -> Iterator[IO[str]]:
    """The file to write, put in its place at the end only; standard output as it is.

    Raises:
        ConfigurationError: the file cannot be written.
    """
    if out == STDOUT:
        yield sys.stdout
        return
    draft = out.with_name(f".{out.name}.part")
    try:
        with draft.open("w", encoding="utf-8", newline="") as file:
            yield file
        draft.replace(out)
    except OSError as exc:
        raise ConfigurationError(f"{out} cannot be written: {exc.strerror or exc}") from exc
    finally:
        draft.unlink(missing_ok=True)
