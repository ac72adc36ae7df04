"""The questions of a benchmark, so that nobody trains on what it asks."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from judgestream.adapters.files import read_records
from judgestream.core.formats import FORMATS, detect
from judgestream.core.formats.base import Draft
from judgestream.core.formats.fields import Fields, InvalidRecord
from judgestream_trainer.data.outcomes import TrainingDataError

NAMES = ("question", "question_body", "prompt", "instruction", "text")
TURNS = "turns"
"""MT-Bench's name for the user's messages, of which the first is the question."""


def read_questions(paths: Sequence[Path]) -> list[str]:
    """The question of every record, whatever the file's format.

    Raises:
        TrainingDataError: a record has none; the message names file, line and fields.
        ConfigurationError: a file cannot be read.
    """
    try:
        return [
            _question(Fields(values, place))
            for path in paths
            for place, values in read_records(path)
        ]
    except InvalidRecord as exc:
        raise TrainingDataError(str(exc)) from exc


def _question(fields: Fields) -> str:
    form = detect(fields.values, FORMATS)
    if form is not None and form.alone:
        try:
            found = next(form.found(fields), None)
        except InvalidRecord:  # nothing to judge, and perhaps a question all the same
            found = None
        if isinstance(found, Draft):
            return found.question
    name = next((name for name in NAMES if fields.has(name)), None)
    if name is not None:
        return fields.text(name)
    first = next(_turns(fields.values), None)
    if first is None:
        fields.reject("question", f"is missing, and so are {', '.join((*NAMES[1:], TURNS))}")
    return first


def _turns(values: Mapping[str, object]) -> Iterator[str]:
    turns = values.get(TURNS)
    yield from (turn for turn in turns if isinstance(turn, str)) if isinstance(turns, list) else ()
