"""The questions of a benchmark, to exclude them from training."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from judgestream.adapters.files import read_records
from judgestream.core.formats import FORMATS, detect
from judgestream.core.formats.base import Draft
from judgestream.core.formats.fields import Fields, InvalidRecord
from judgestream_trainer.data.outcomes import TrainingDataError

NAMES = ("question", "question_body", "prompt", "instruction", "text")
TURNS = "turns"
"""MT-Bench's field for the user's messages; the first one is the question."""


def read_questions(paths: Sequence[Path]) -> list[str]:
    """The question of every record, whatever the file's format.

    Raises:
        TrainingDataError: a record has no question; the message names file, line and fields.
        ConfigurationError: a file is unreadable.
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
            draft = next(form.found(fields), None)
        except InvalidRecord:  # nothing to judge, but the record may still hold a question
            draft = None
        if isinstance(draft, Draft):
            return draft.question
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
