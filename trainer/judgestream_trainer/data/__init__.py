"""Training data in: files of any known format become examples, and what does not is counted.

The formats are those of `judgestream submit`, and beside them our own training records, and requests with
their labels and verdicts. A new format is a row of `core.formats`. The first record of a file decides its
format, so the order of the rows matters where one row's fields include another's.
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
from judgestream_trainer.data.pairs import outcome
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
        **{one.name: one for one in (TRAINING, VERDICTS, LABELS, REQUESTS)},
        **FORMATS,  # type: ignore[dict-item]  # drafts are among what a kind gives
    }
)


def read_examples(
    paths: Sequence[Path],
    *,
    mapping: Mapping[str, str] | None = None,
    join: str | None = None,
) -> tuple[list[Example], Counts]:
    """The examples of all files together, in order, and how many records gave none, by reason.

    One record at a time, from every container and format. Files that belong together (requests, labels and
    verdicts; questions, answers and reviews) may come in any order. A later example of an id takes the
    place of the earlier one.

    Args:
        mapping: fields with the columns that hold them (`--map`).
        join: the field by which single answers are made into pairs (`--join`).

    Raises:
        TrainingDataError: a record is malformed: no JSON, a field missing or of a wrong type, no known
            format. The message names file, line and field. A judgement that cannot be used is not an error:
            it is counted.
        ConfigurationError: a file cannot be read.
    """
    tally = ExampleCollector()
    read_files(paths, tally, mapping=mapping, join=join)
    return tally.result()


def read_files(
    paths: Sequence[Path],
    tally: ExampleCollector,
    *,
    mapping: Mapping[str, str] | None = None,
    join: str | None = None,
) -> None:
    """`read_examples` into a tally that may hold more, such as the topic's. Raises as that does."""
    reading = Reading(formats=KINDS, mapping=mapping, join=join)
    try:
        for row in import_files(paths, reading):
            for one in _outcomes(row):
                tally.add(one)
    except InvalidRecord as exc:
        raise TrainingDataError(str(exc)) from exc


def _outcomes(row: Imported[Outcome | Draft | Label | InvalidRecord]) -> Iterator[Outcome]:
    found = row.found
    if isinstance(found, SetAside):
        yield found.reason
    elif isinstance(found, InvalidRecord):
        kind = KINDS.get(row.form)
        known = f"\n  {kind.name} ({kind.signature}): {kind.summary}" if kind is not None else ""
        raise TrainingDataError(f"{found}{known}") from found
    elif isinstance(found, Draft):
        yield outcome(found, row.form, str(row.place or "a join"))
    elif not isinstance(found, Label):
        yield found
