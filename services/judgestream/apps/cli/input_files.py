"""Input files as requests with their labels."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from itertools import islice
from pathlib import Path
from types import MappingProxyType

from judgestream.adapters.files import STDIN, read_records
from judgestream.apps.cli.own_schema import JUDGESTREAM
from judgestream.core.errors import ConfigurationError, InvalidRequest
from judgestream.core.formats import FORMATS as CORE_FORMATS
from judgestream.core.formats import detect
from judgestream.core.formats.base import Converted, Format, finish
from judgestream.core.formats.fields import Fields, InvalidRecord, Place
from judgestream.core.modes import check

__all__ = ["FORMATS", "STDIN", "read_requests"]

FORMATS: Mapping[str, Format] = MappingProxyType({JUDGESTREAM.name: JUDGESTREAM, **CORE_FORMATS})


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
