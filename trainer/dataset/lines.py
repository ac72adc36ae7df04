"""JSON lines, record by record, each with its place."""

import json
from collections.abc import Iterator
from pathlib import Path

from judgestream.core.errors import ConfigurationError
from judgestream.core.formats.fields import Fields, InvalidRecord, Place, kind

_BOM = b"\xef\xbb\xbf"


def read_lines(path: Path) -> Iterator[Fields]:
    """The file's objects in order, UTF-8; blank lines are passed over.

    Raises:
        ConfigurationError: the file cannot be read.
        InvalidRecord: a line is no JSON object; the message names file and line.
    """
    try:
        with path.open("rb") as file:
            for number, raw in enumerate(file, start=1):
                raw = raw.removeprefix(_BOM)
                if raw.strip():
                    yield _fields(raw, Place(file=path.name, number=number))
    except OSError as exc:
        raise ConfigurationError(f"{path} cannot be read: {exc.strerror or exc}") from exc


def _fields(raw: bytes, place: Place) -> Fields:
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError) as exc:
        raise InvalidRecord(f"{place}: not JSON ({exc}): write one JSON object a line") from exc
    if not isinstance(value, dict):
        raise InvalidRecord(f"{place}: a record must be a JSON object, not {kind(value)}")
    return Fields(value, place)
