"""The service's state in one SQLite file: examples by id, rejected records, and training cycles.

A batch is stored in one transaction and is on disk when `add` returns, so its offsets may be committed then.
A repeated record changes nothing; a different one with the same id replaces it and counts as new; a tombstone
deletes the example. A cycle owns the examples that were new when it was opened.
"""

import hashlib
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from judgestream.adapters.kafka.consuming import Incoming
from judgestream.contracts.records import Record
from judgestream.contracts.unknown_fields import check_known
from judgestream.core.errors import InvalidRequest, UndecodableRecord
from judgestream.core.limits import MESSAGE, cut
from judgestream.v1.training_pb2 import TrainingExample
from judgestream_trainer.data.example import Example
from judgestream_trainer.data.outcomes import unusable
from judgestream_trainer.data.topic import example_from_message

_SCHEMA = """
CREATE TABLE IF NOT EXISTS examples (id TEXT PRIMARY KEY, body BLOB NOT NULL, round INTEGER);
CREATE TABLE IF NOT EXISTS rejected (topic TEXT, partition INTEGER, position INTEGER, reason TEXT, value BLOB,
                                     PRIMARY KEY (topic, partition, position));
CREATE TABLE IF NOT EXISTS rounds (number INTEGER PRIMARY KEY, outcome TEXT NOT NULL, folder TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS best (round INTEGER PRIMARY KEY, folder TEXT NOT NULL, evidence TEXT NOT NULL);
"""
OPEN = "open"
PUBLISHED, REFUSED = "published", "refused"


@dataclass(frozen=True, kw_only=True, slots=True)
class BatchCounts:
    """A batch by outcome: new or changed examples, known ones, rejected records, deleted examples."""

    new: int = 0
    same: int = 0
    rejected: int = 0
    deleted: int = 0

    def __str__(self) -> str:
        return (
            f"{self.new} new, {self.same} known, {self.rejected} rejected, {self.deleted} deleted"
        )


class Store:
    """Opens or creates the file. For one process at a time; every method is a transaction."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._database = sqlite3.connect(path, isolation_level=None)
        self._database.execute("PRAGMA journal_mode = WAL")
        # on disk before offsets are committed
        self._database.execute("PRAGMA synchronous = FULL")
        self._database.executescript(_SCHEMA)

    def add(self, batch: Sequence[Incoming[TrainingExample]]) -> BatchCounts:
        """Store a batch; it is on disk when this returns."""
        outcomes: list[str] = []
        with self._database:
            self._database.execute("BEGIN IMMEDIATE")
            for incoming in batch:
                outcomes.append(self._store(incoming))
        return BatchCounts(**{name: outcomes.count(name) for name in set(outcomes)})

    def new_count(self) -> int:
        """How many examples no cycle has used yet."""
        return self._number("SELECT count(*) FROM examples WHERE round IS NULL")

    def examples(self) -> list[Example]:
        """The examples of all cycles, including the open one, ordered by id."""
        rows = self._database.execute(
            "SELECT body FROM examples WHERE round IS NOT NULL ORDER BY id"
        )
        parsed = (_parse(TrainingExample.FromString(body))[1] for (body,) in rows)
        # an earlier version may have stored what this one rejects
        return [example for example in parsed if example is not None]

    def digest(self) -> str:
        """SHA-256 over the bodies of `examples`: identifies the training data in a manifest."""
        digest = hashlib.sha256()
        for (body,) in self._database.execute(
            "SELECT body FROM examples WHERE round IS NOT NULL ORDER BY id"
        ):
            digest.update(hashlib.sha256(body).digest())
        return digest.hexdigest()

    def rejected(self) -> dict[str, int]:
        """How many records were rejected, by reason."""
        rows = self._database.execute("SELECT reason, count(*) FROM rejected GROUP BY reason")
        return {str(reason): int(count) for reason, count in rows}

    def open_cycle(self) -> int:
        """Start a cycle with all new examples. Returns its number, from 1."""
        with self._database:
            self._database.execute("BEGIN IMMEDIATE")
            number = self._number("SELECT coalesce(max(number), 0) + 1 FROM rounds")
            self._database.execute("INSERT INTO rounds VALUES (?, ?, '')", (number, OPEN))
            self._database.execute("UPDATE examples SET round = ? WHERE round IS NULL", (number,))
        return number

    def pending(self) -> int | None:
        """The open cycle, if a process died or was stopped during it."""
        row = self._database.execute(
            "SELECT number FROM rounds WHERE outcome = ?", (OPEN,)
        ).fetchone()
        return None if row is None else int(row[0])

    def close_cycle(self, number: int, outcome: str, folder: Path) -> None:
        self._database.execute(
            "UPDATE rounds SET outcome = ?, folder = ? WHERE number = ?",
            (outcome, str(folder), number),
        )

    def current(self) -> Path | None:
        """The folder of the last published judge; None before the first."""
        row = self._database.execute(
            "SELECT folder FROM rounds WHERE outcome = ? ORDER BY number DESC LIMIT 1", (PUBLISHED,)
        ).fetchone()
        return None if row is None else Path(row[0])

    def set_best(self, number: int, folder: Path, evidence: str) -> None:
        """Record this cycle's judge as the best so far; `evidence` is JSON."""
        self._database.execute(
            "INSERT OR REPLACE INTO best VALUES (?, ?, ?)", (number, str(folder), evidence)
        )

    def best(self) -> Path | None:
        """The folder of the best judge so far; None before one was significantly better than the base."""
        row = self._database.execute(
            "SELECT folder FROM best ORDER BY round DESC LIMIT 1"
        ).fetchone()
        return None if row is None else Path(row[0])

    def close(self) -> None:
        self._database.close()

    def _store(self, incoming: Incoming[TrainingExample]) -> str:
        record = incoming.record
        if record.value is None:
            key = (record.key or b"").decode(errors="replace")
            self._database.execute("DELETE FROM examples WHERE id = ?", (key,))
            return "deleted"
        reason, example = _parse(incoming.message)
        if example is None or isinstance(incoming.message, UndecodableRecord):
            self._reject(record, reason)
            return "rejected"
        body = incoming.message.SerializeToString(deterministic=True)
        with closing(self._database.cursor()) as cursor:
            cursor.execute(
                "INSERT INTO examples VALUES (?, ?, NULL) ON CONFLICT (id) DO UPDATE"
                " SET body = excluded.body, round = NULL WHERE body <> excluded.body",
                (example.id, body),
            )
            return "new" if cursor.rowcount else "same"

    def _reject(self, record: Record, reason: str) -> None:
        self._database.execute(
            "INSERT OR IGNORE INTO rejected VALUES (?, ?, ?, ?, ?)",
            (record.topic, record.partition, record.offset, reason, record.value),
        )

    def _number(self, query: str) -> int:
        return int(self._database.execute(query).fetchone()[0])


def _parse(message: TrainingExample | UndecodableRecord) -> tuple[str, Example | None]:
    """The reason why a record is rejected, or its example."""
    if isinstance(message, UndecodableRecord):
        return "undecodable", None
    try:
        check_known(message)
        example = example_from_message(message)
    except (InvalidRequest, ValueError) as error:
        return cut(str(error), MESSAGE), None
    reason = unusable(example)
    return ("", example) if reason is None else (str(reason), None)
