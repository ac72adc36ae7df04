"""Training data in: files of any known kind become examples, and what does not is counted.

A new kind is a file beside these and a row in `KINDS`. The first record of a file decides its kind, so the
order of the rows matters where one kind's fields include another's.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from judgestream.adapters.files import read_records
from judgestream.core.formats.fields import Fields, InvalidRecord, Place
from trainer.data.judgelm import JUDGELM
from trainer.data.kinds import Join, Kind
from trainer.data.labelled import LABELS, REQUESTS, VERDICTS
from trainer.data.outcomes import Counts, Outcome, Reason, Tally, TrainingDataError
from trainer.data.pairs import PANDALM, TRL
from trainer.data.reviews import ANSWERS, QUESTIONS, REVIEWS
from trainer.data.topic import TRAINING
from trainer.examples import Example

__all__ = ["KINDS", "Counts", "Reason", "Tally", "TrainingDataError", "read_examples", "read_files"]

KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        one.name: one
        for one in (
            TRAINING,
            VERDICTS,
            LABELS,
            REQUESTS,
            JUDGELM,
            TRL,
            PANDALM,
            REVIEWS,
            ANSWERS,
            QUESTIONS,
        )
    }
)

Joins = dict[Callable[[], Join], Join]


def read_examples(paths: Sequence[Path]) -> tuple[list[Example], Counts]:
    """The examples of all files together, in order, and how many records gave none, by reason.

    JSON lines or JSON arrays, gzipped or not, read one record at a time. Files that belong together
    (requests, labels and verdicts; questions, answers and reviews) may come in any order. A later example
    of an id takes the place of the earlier one.

    Raises:
        TrainingDataError: a record is malformed: no JSON, a field missing or of a wrong type, no known
            kind. The message names file, line and field. A judgement that cannot be used is no error:
            it is counted.
        ConfigurationError: a file cannot be read.
    """
    tally = Tally()
    read_files(paths, tally)
    return tally.result()


def read_files(paths: Sequence[Path], tally: Tally) -> None:
    """`read_examples` into a tally that may hold more, such as the topic's. Raises as that does."""
    joins: Joins = {}
    for path in paths:
        for outcome in _outcomes(path, joins):
            tally.add(outcome)
    for join in joins.values():
        for outcome in join.outcomes():
            tally.add(outcome)


def _outcomes(path: Path, joins: Joins) -> Iterator[Outcome]:
    """What the file's records give by themselves. Those of a join go into it."""
    kind: Kind | None = None
    try:
        for place, values in read_records(path):
            kind = kind or _detected(values, place)
            fields = Fields(values, place)
            if kind.convert is not None:
                yield kind.convert(fields)
            elif kind.join is not None:
                if kind.join not in joins:
                    joins[kind.join] = kind.join()
                joins[kind.join].add(kind.name, fields)
    except InvalidRecord as exc:
        known = f"\n  {kind.name} ({kind.signature}): {kind.summary}" if kind is not None else ""
        raise TrainingDataError(f"{exc}{known}") from exc


def _detected(values: Mapping[str, object], place: Place) -> Kind:
    found = next((one for one in KINDS.values() if one.recognises(values)), None)
    if found is None:
        known = "\n".join(f"  {one.name}: {one.signature}" for one in KINDS.values())
        raise TrainingDataError(
            f"{place}: of no known kind (fields: {', '.join(values) or 'none'})."
            f" The fields that each kind needs:\n{known}"
        )
    return found
