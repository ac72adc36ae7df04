"""Verdicts as flat rows for CSV and Parquet: one row per verdict, the same columns in both."""

import csv
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from judgestream.adapters.files.writing import drafted
from judgestream.core.conversation import transcript
from judgestream.core.errors import ConfigurationError
from judgestream.core.types import CandidateScore, MemberReading, Request, Verdict

MAX_CANDIDATES = 2
"""Candidates with columns. Column `ranking` holds all candidates of a ranked verdict."""

ROWS_PER_GROUP = 5_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Column:
    """One column. `kind` names its type in Parquet; times are UTC."""

    name: str
    kind: str


def _candidate_columns(name: str, kind: str) -> tuple[Column, ...]:
    return tuple(Column(name=f"{name}_{k}", kind=kind) for k in range(1, MAX_CANDIDATES + 1))


COLUMNS: tuple[Column, ...] = (
    Column(name="verdict_id", kind="text"),
    Column(name="request_id", kind="text"),
    Column(name="requested_at", kind="time"),
    Column(name="judged_at", kind="time"),
    Column(name="mode", kind="text"),
    Column(name="status", kind="text"),
    Column(name="reason", kind="text"),
    Column(name="error_class", kind="text"),
    Column(name="error_message", kind="text"),
    Column(name="winner", kind="text"),
    Column(name="winner_system", kind="text"),
    Column(name="tie", kind="flag"),
    Column(name="flipped", kind="flag"),
    Column(name="p_win", kind="real"),
    Column(name="p_tie", kind="real"),
    Column(name="p_lose", kind="real"),
    Column(name="confidence", kind="real"),
    *_candidate_columns("candidate", "text"),
    *_candidate_columns("system", "text"),
    *_candidate_columns("score", "real"),
    *_candidate_columns("length", "whole"),
    Column(name="answers_cut_to", kind="whole"),
    Column(name="explanation", kind="text"),
    Column(name="release", kind="text"),
    Column(name="checkpoint_digest", kind="text"),
    Column(name="template_id", kind="text"),
    Column(name="input_tokens", kind="whole"),
    Column(name="output_tokens", kind="whole"),
    Column(name="latency_s", kind="real"),
    Column(name="attempts", kind="whole"),
    Column(name="metadata", kind="text"),
    Column(name="cost", kind="real"),
    Column(name="ranking", kind="text"),
    Column(name="passed", kind="flag"),
    Column(name="criteria", kind="text"),
    Column(name="method", kind="text"),
    Column(name="content_digest", kind="text"),
    Column(name="members", kind="text"),
    Column(name="prompt_digest", kind="text"),
    Column(name="both_orders_probability", kind="real"),
)

TEXT_COLUMNS: tuple[Column, ...] = (
    Column(name="question", kind="text"),
    *_candidate_columns("answer", "text"),
    Column(name="reference", kind="text"),
)
"""Columns for the request's texts; empty where the request has left its topic."""

Row = dict[str, Any]


def verdict_row(verdict: Verdict) -> Row:
    """A verdict's row. A value that the verdict lacks is None."""
    systems = {score.candidate_id: score.system for score in verdict.scores}
    row: Row = {column.name: getattr(verdict, column.name, None) for column in COLUMNS}
    row["status"] = verdict.status.value
    row["winner_system"] = systems.get(verdict.winner, "")
    row["metadata"] = json.dumps(dict(verdict.metadata), ensure_ascii=False, sort_keys=True)
    if any(score.rank for score in verdict.scores):
        row["ranking"] = _ranking(verdict.scores)
    if criteria := [asdict(one) for score in verdict.scores for one in score.criteria]:
        row["criteria"] = json.dumps(criteria)
    row["members"] = _members(verdict.members) if verdict.members else None
    for k, score in enumerate(verdict.scores[:MAX_CANDIDATES], start=1):
        row[f"candidate_{k}"] = score.candidate_id
        row[f"system_{k}"] = score.system
        row[f"score_{k}"] = score.score
        row[f"length_{k}"] = score.length
    return row


def _ranking(scores: Iterable[CandidateScore]) -> str:
    """JSON: every candidate from the best, with its place and score; unranked ones last."""
    ordered = sorted(scores, key=lambda score: (score.rank == 0, score.rank))
    return json.dumps([asdict(score) for score in ordered], ensure_ascii=False)


def _members(members: Iterable[MemberReading]) -> str:
    """JSON: what every member of a jury found, in the order of the jury's record."""
    return json.dumps([asdict(member) for member in members], ensure_ascii=False)


def text_row(request: Request | None) -> Row:
    """The columns that hold a request's texts."""
    row: Row = dict.fromkeys(column.name for column in TEXT_COLUMNS)
    if request is None:
        return row
    row["question"], row["reference"] = request.question, request.reference
    for k, candidate in enumerate(request.candidates[:MAX_CANDIDATES], start=1):
        row[f"answer_{k}"] = transcript(candidate.turns, str) or candidate.text
    return row


def write_csv(file: IO[str], columns: Iterable[Column], rows: Iterable[Row]) -> int:
    """Write a header and the rows (RFC 4180). Returns the number of rows.

    None is an empty field, a flag is `true` or `false`, a time is ISO 8601. Floats are written so that
    they read back exactly.
    """
    names = [column.name for column in columns]
    writer = csv.writer(file)
    writer.writerow(names)
    count = 0
    for row in rows:
        writer.writerow([_field(row.get(name)) for name in names])
        count += 1
    return count


def _field(value: object) -> object:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.isoformat() if hasattr(value, "isoformat") else value


def write_parquet(path: Path, columns: Iterable[Column], rows: Iterable[Row]) -> int:
    """Write the rows as one Parquet file, complete or not at all. Returns the number of rows.

    Raises:
        ConfigurationError: pyarrow is missing, or the file cannot be written.
    """
    try:
        import pyarrow as arrow
        import pyarrow.parquet as parquet
    except ImportError as exc:
        raise ConfigurationError(
            "Parquet needs pyarrow: pip install 'judgestream[parquet]'"
        ) from exc
    kinds: Mapping[str, Any] = {
        "text": arrow.string(),
        "real": arrow.float64(),
        "whole": arrow.int64(),
        "flag": arrow.bool_(),
        "time": arrow.timestamp("us", tz="UTC"),
    }
    schema = arrow.schema([(column.name, kinds[column.kind]) for column in columns])
    count = 0
    with drafted(path) as draft, parquet.ParquetWriter(draft, schema) as writer:
        for group in _groups(rows):
            writer.write_table(arrow.Table.from_pylist(group, schema=schema))
            count += len(group)
    return count


def _groups(rows: Iterable[Row]) -> Iterator[list[Row]]:
    group: list[Row] = []
    for row in rows:
        group.append(row)
        if len(group) >= ROWS_PER_GROUP:
            yield group
            group = []
    if group:
        yield group
