"""Files through their formats: every record becomes something to judge, or a reason why not."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Generic, NoReturn, TypeAlias, TypeVar

from judgestream.adapters.files import expanded, read_records
from judgestream.adapters.files.json_records import Records
from judgestream.adapters.files.opening import reads_once
from judgestream.core.errors import ConfigurationError
from judgestream.core.formats import detect
from judgestream.core.formats.base import Draft, Format, Join
from judgestream.core.formats.fields import Fields, InvalidRecord, Place, SetAside
from judgestream.core.formats.joining import QUESTION, Answered, joined
from judgestream.core.formats.mapping import mapped
from judgestream.core.formats.reasons import Aside

T = TypeVar("T")
Record: TypeAlias = tuple[Place, Mapping[str, object]] | InvalidRecord
_LOOK_AHEAD = 1000
"""Records that are tried until one is readable."""
_GOOD_AHEAD = 20
"""Readable records that are tried until one has a known format."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Imported(Generic[T]):
    """The result of one record, or of one join of several.

    place   None for a join of parts from several files
    key     the value that `join` joins by
    """

    form: str
    found: T | Draft | InvalidRecord
    place: Place | None = None
    key: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading(Generic[T]):
    """Options for reading files.

    formats         the table of formats; the first that recognises a file's first record reads the file
    form            the name of the format; None to detect it
    mapping         targets with their columns, as `mapping.parsed` gives them; empty: fields as they are
    join            makes pairs of single answers that have this field in common; "question" is their text
    conversations   a conversation alone is kept: it needs no reference to be judged
    """

    formats: Mapping[str, Format[T]]
    form: str | None = None
    mapping: Mapping[str, str] | None = None
    join: str | None = None
    conversations: bool = False


@dataclass(kw_only=True, slots=True)
class _File(Generic[T]):
    """A file whose format is known."""

    path: Path
    form: Format[T]
    records: Callable[[], Iterator[Record]]


def import_files(paths: Sequence[Path], reading: Reading[T]) -> Iterator[Imported[T]]:
    """The results of all files, in order; joins, which need several files, come last.

    An unreadable record is yielded as InvalidRecord or SetAside, never raised; reading continues.

    Raises:
        ConfigurationError: a file cannot be opened, `form` is not a format, or a file is of no known format.
    """
    found = (_recognised(path, reading) for path in expanded(paths))
    files = [file for file in found if file is not None]
    together = _joined_kinds(files)
    joins: dict[Callable[[], Join[T]], tuple[str, Join[T]]] = {}
    singles: list[Answered] = []
    for file in files:
        gatherer = None
        if file.form.join is not None and file.form.join in together:
            _, gatherer = joins.setdefault(file.form.join, (file.form.name, file.form.join()))
        for one in _read(file, gatherer, reading.join):
            yield from _kept(one, reading, singles)
    for name, join in joins.values():
        for outcome in join.outcomes():
            draft = outcome if isinstance(outcome, Draft) else None
            key = draft.question.strip() if draft is not None else None
            place = draft.place if draft is not None else None
            one = Imported(form=name, found=outcome, place=place, key=key)
            yield from _kept(one, reading, singles)
    for place, pair in joined(singles):
        yield Imported(form="joined", found=pair, place=place)


def _kept(one: Imported[T], reading: Reading[T], singles: list[Answered]) -> Iterator[Imported[T]]:
    """The record itself, unless it is a single answer, which waits for others or is set aside."""
    draft = one.found
    if not isinstance(draft, Draft) or len(draft.candidates) != 1:
        yield one
    elif reading.join is not None:
        place = one.place or Place(file=one.form, number=len(singles) + 1, unit="record")
        singles.append(Answered(draft=draft, place=place, key=one.key))
    elif draft.lacks_reference and not (reading.conversations and draft.conversations):
        where = f"{one.place}: " if one.place is not None else ""
        problem = (
            "one answer without a reference to judge it by: --join question pairs it with the answer"
            " of another file"
        )
        aside = SetAside(f"{where}{problem}", Aside.NO_REFERENCE)
        yield Imported(form=one.form, found=aside, place=one.place)
    else:
        yield one


def _read(file: _File[T], gatherer: Join[T] | None, join: str | None) -> Iterator[Imported[T]]:
    """One file's records. Those of a join go into it."""
    name = file.form.name
    for record in file.records():
        if isinstance(record, InvalidRecord):
            yield Imported(form=name, found=record)
            continue
        place, values = record
        fields = Fields(values, place)
        try:
            if gatherer is not None:
                gatherer.add(name, fields)
                continue
            for found in file.form.found(fields):
                key = _key(fields, found, join) if join is not None else None
                yield Imported(form=name, found=found, place=place, key=key)
        except InvalidRecord as exc:
            yield Imported(form=name, found=exc, place=place)


def _key(fields: Fields, found: object, join: str) -> str | None:
    if not isinstance(found, Draft):
        return None
    return found.question.strip() if join == QUESTION else fields.identity(join)


def _joined_kinds(files: Sequence[_File[T]]) -> set[Callable[[], Join[T]]]:
    """The joins that are needed: those of records that give nothing alone, and of related kinds of files."""
    kinds: dict[Callable[[], Join[T]], set[str]] = {}
    for file in files:
        if file.form.join is not None:
            kinds.setdefault(file.form.join, set()).add(file.form.name)
    lone = {file.form.name for file in files if file.form.alone}
    return {join for join, names in kinds.items() if len(names) > 1 or not names <= lone}


def _recognised(path: Path, reading: Reading[T]) -> _File[T] | None:
    """The file with its format; None if it holds no record."""

    def records() -> Iterator[Record]:
        return _records(path, reading.mapping)

    stream = records()
    seen = list(_up_to_a_known_one(stream, reading))
    if not seen:
        return None
    # a pipe cannot be read twice: put the records back in front
    again = (lambda: chain(seen, stream)) if reads_once(path) else records
    return _File(path=path, form=_format(seen, reading), records=again)


def _up_to_a_known_one(records: Iterator[Record], reading: Reading[T]) -> Iterator[Record]:
    """The records up to the first with a known format: a file may begin with bad ones."""
    good = 0
    for record in islice(records, _LOOK_AHEAD):
        yield record
        if isinstance(record, InvalidRecord):
            continue
        good += 1
        known = reading.form is not None or detect(record[1], reading.formats) is not None
        if known or good >= _GOOD_AHEAD:
            return


def _format(seen: Sequence[Record], reading: Reading[T]) -> Format[T]:
    formats = reading.formats
    if reading.form is not None:
        if reading.form not in formats:
            raise ConfigurationError(
                f"unknown format {reading.form!r}: use one of {', '.join(formats)}"
            )
        return formats[reading.form]
    good = [record for record in seen if not isinstance(record, InvalidRecord)]
    if not good:
        return Format(name="unreadable", summary="", needs=(), convert=_unknown)
    found = detect(good[-1][1], formats)
    if found is not None:
        return found
    place, values = good[0]
    known = "\n".join(f"  {one.name}: {one.signature}" for one in formats.values())
    names = ", ".join(str(name)[:40] for name in list(values)[:20])
    raise InvalidRecord(
        f"{place}: unknown format (fields: {names or 'none'})."
        " Name the columns, as in --map question=COLUMN answer_a=COLUMN answer_b=COLUMN, or use the fields"
        f" of one of these formats:\n{known}"
    )


def _unknown(fields: Fields) -> NoReturn:
    """A record after too many unreadable ones to detect the format."""
    raise InvalidRecord(f"{fields.place}: unknown format: name it, for example --from trl")


def _records(path: Path, mapping: Mapping[str, str] | None) -> Iterator[Record]:
    """The file's records, unreadable ones included, in order."""
    problems: list[InvalidRecord] = []
    records: Records = read_records(path, problems.append)
    try:
        for place, values in records:
            if problems:
                yield from problems
                problems.clear()
            yield place, mapped(values, mapping) if mapping else values
    except InvalidRecord as exc:
        problems.append(exc)
    yield from problems
