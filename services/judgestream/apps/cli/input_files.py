"""Input files: JSON lines or one JSON array, plain or gzip, from a path or standard input."""

import gzip
import io
import json
import sys
import zlib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import datetime
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeAlias, cast

from judgestream.apps.cli.own_schema import JUDGESTREAM
from judgestream.core.errors import ConfigurationError, InvalidRequest
from judgestream.core.formats import FORMATS as CORE_FORMATS
from judgestream.core.formats import detect
from judgestream.core.formats.base import Converted, Format, finish
from judgestream.core.formats.fields import Fields, InvalidRecord, Place, kind
from judgestream.core.modes import check

FORMATS: Mapping[str, Format] = MappingProxyType({JUDGESTREAM.name: JUDGESTREAM, **CORE_FORMATS})
STDIN = Path("-")
Bytes: TypeAlias = "io.BufferedReader[Any]"
_GZIP = b"\x1f\x8b"


def read_requests(
    path: Path, *, form: str | None, at: datetime, prefix: str = "", limit: int | None = None
) -> Iterator[Converted]:
    """The file's requests, checked, with the labels that come with them, in order.

    The first record decides the format when `form` is None.

    Args:
        at: the time of requests that have none of their own, and of all labels.
        prefix: put before every request id.

    Raises:
        ConfigurationError: the file cannot be opened, or `form` is no format.
        InvalidRecord: a record is no request; the message names file, place and field. An id that
            comes twice is one, too: the second request would be taken for a redelivery of the first.
    """
    chosen = _format(form) if form is not None else None
    seen: dict[str, int] = {}
    for place, values in islice(read_records(path), limit):
        chosen = chosen or _detected(values, place)
        converted = finish(chosen.convert(Fields(values, place)), at=at, prefix=prefix)
        try:
            check(converted.request)
        except InvalidRequest as exc:
            raise InvalidRecord(f"{place}: {exc}") from exc
        identity = converted.request.request_id
        if identity in seen:
            raise InvalidRecord(
                f"{place}: request id {identity!r} was used in {place.unit} {seen[identity]} before:"
                " give every request an id of its own"
            )
        seen[identity] = place.number
        yield converted


def read_records(path: Path) -> Iterator[tuple[Place, Mapping[str, object]]]:
    """The file's JSON objects with their places. JSON lines are streamed, an array is read whole.

    UTF-8, with or without a byte order mark; blank lines are passed over.
    """
    name = "standard input" if path == STDIN else str(path)
    try:
        with _open(path) as file:
            if _first_byte(file) == b"[":
                yield from _array(name, file.read())
            else:
                yield from _lines(name, file)
    except (OSError, EOFError, zlib.error) as exc:  # the last two: a damaged gzip file
        reason = getattr(exc, "strerror", None) or exc
        raise ConfigurationError(f"{name} cannot be read: {reason}") from exc


@contextmanager
def _open(path: Path) -> Iterator["Bytes"]:
    """The file's bytes, unpacked if need be. Standard input is left open."""
    raw: Bytes
    with ExitStack() as stack:
        if path == STDIN:
            raw = io.BufferedReader(cast("io.RawIOBase", sys.stdin.buffer))
            stack.callback(raw.detach)
        else:
            raw = path.open("rb")
            stack.callback(raw.close)
        if raw.peek(2)[:2] == _GZIP:
            unpacked = stack.enter_context(gzip.GzipFile(fileobj=raw))
            raw = io.BufferedReader(cast("io.RawIOBase", unpacked))
        yield raw


def _first_byte(file: "Bytes") -> bytes:
    """The first byte that is neither space nor byte order mark. The mark is read over, nothing else."""
    head = file.peek(64)
    if head.startswith(b"\xef\xbb\xbf"):
        file.read(3)
        head = head[3:]
    return head.lstrip()[:1]


def _array(name: str, raw: bytes) -> Iterator[tuple[Place, Mapping[str, object]]]:
    try:
        entries = json.loads(raw)
    except (ValueError, RecursionError) as exc:
        raise InvalidRecord(f"{name}: not a JSON array: {exc}") from exc
    for number, entry in enumerate(entries, start=1):
        place = Place(file=name, number=number, unit="record")
        yield place, _object(place, entry)


def _lines(name: str, file: "Bytes") -> Iterator[tuple[Place, Mapping[str, object]]]:
    for number, raw in enumerate(file, start=1):
        if not raw.strip():
            continue
        place = Place(file=name, number=number)
        try:
            value = json.loads(raw)
        except (ValueError, RecursionError) as exc:
            raise InvalidRecord(
                f"{place}: not JSON ({exc}): write one JSON object a line, or one JSON array a file"
            ) from exc
        yield place, _object(place, value)


def _object(place: Place, value: object) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise InvalidRecord(f"{place}: a record must be a JSON object, not {kind(value)}")
    return value


def _format(name: str) -> Format:
    if name not in FORMATS:
        raise ConfigurationError(f"no format {name!r}; there are: {', '.join(FORMATS)}")
    return FORMATS[name]


def _detected(values: Mapping[str, object], place: Place) -> Format:
    found = detect(values, FORMATS)
    if found is None:
        known = "\n".join(f"  {one.name}: {one.signature}" for one in FORMATS.values())
        raise InvalidRecord(
            f"{place}: of no known format (fields: {', '.join(values) or 'none'})."
            f" The fields that each format needs:\n{known}"
        )
    return found
