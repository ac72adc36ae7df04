"""Training data: files of any known format as examples, with counts of the records that give none.

The formats are those of `judgestream submit`, our own training records, and requests with their labels and
verdicts. A new format is a row of `core.formats`. The first record of a file determines its format, so the
order of the rows matters when one row's fields include another's.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from judgestream.adapters.files.importing import Imported, Reading, import_files
from judgestream.core.formats import FORMATS
from judgestream.core.formats.base import Draft
from judgestream.core.formats.fields import InvalidRecord, SetAside
from judgestream.core.types import Label
from judgestream_trainer.data.example import Example
from judgestream_trainer.data.labelled import LABELS, REQUESTS, VERDICTS
from judgestream_trainer.data.outcomes import (
    Counts,
    ExampleCollector,
    Kind,
    Outcome,
    Reason,
    TrainingDataError,
)
from judgestream_trainer.data.pairs import outcome as outcome_of
from judgestream_trainer.data.topic import TRAINING

__all__ = [
    "KINDS",
    "Counts",
    "ExampleCollector",
    "Reason",
    "TrainingDataError",
    "read_examples",
    "read_files",
]

KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        **{kind.name: kind for kind in (TRAINING, VERDICTS, LABELS, REQUESTS)},
        **FORMATS,  # type: ignore[dict-item]  # drafts are among the results of a kind
    }
)


def read_examples(
    paths: Sequence[Path],
    *,
    mapping: Mapping[str, str] | None = None,
    join: str | None = None,
) -> tuple[list[Example], Counts]:
    """The examples of all files, in order, and the number of records without one, by reason.

    Files are streamed, in any container and format. Files that belong together (requests, labels and
    verdicts; questions, answers and reviews) may come in any order. A later example replaces an earlier one
    with the same id.

    Args:
        mapping: field -> the column that holds it (`--map`).
        join: the field by which single answers are joined into pairs (`--join`).

    Raises:
        TrainingDataError: a record is malformed: invalid JSON, a missing field, a wrong type, an unknown
            format. The message names file, line and field. An unusable judgement is counted instead.
        ConfigurationError: a file is unreadable.
    """
    collector = ExampleCollector()
    read_files(paths, collector, mapping=mapping, join=join)
    return collector.result()


def read_files(
    paths: Sequence[Path],
    collector: ExampleCollector,
    *,
    mapping: Mapping[str, str] | None = None,
    join: str | None = None,
) -> None:
    """`read_examples` into a collector that may already hold examples. Raises as `read_examples` does."""
    reading = Reading(formats=KINDS, mapping=mapping, join=join)
    try:
        for row in import_files(paths, reading):
            for outcome in _outcomes(row):
                collector.add(outcome)
    except InvalidRecord as exc:
        raise TrainingDataError(str(exc)) from exc


def _outcomes(row: Imported[Outcome | Draft | Label | InvalidRecord]) -> Iterator[Outcome]:
    result = row.found
    if isinstance(result, SetAside):
        yield result.reason
    elif isinstance(result, InvalidRecord):
        kind = KINDS.get(row.form)
        known = f"\n  {kind.name} ({kind.signature}): {kind.summary}" if kind is not None else ""
        raise TrainingDataError(f"{result}{known}") from result
    elif isinstance(result, Draft):
        yield outcome_of(result, row.form, str(row.place or "a join"))
    elif not isinstance(result, Label):
        yield result
