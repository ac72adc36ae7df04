"""Fields that this version does not know, in records that a newer version has written.

The number of a field says whether an older reader may do without it. A field up to `LAST_ESSENTIAL` may
change what the record means: a verdict weighs less, a request is to be judged in another way. A reader that
acts on the record, or counts it, leaves such a record alone until it is upgraded. A field of a greater number
only adds to the record, and is ignored by readers that do not know it.

Clients that wait for a verdict take it all the same: they count nothing.
"""

from collections.abc import Iterable
from itertools import islice
from typing import Any, cast

from google.protobuf.message import Message
from google.protobuf.unknown_fields import UnknownFieldSet

LAST_ESSENTIAL = 999
MOST_VISITED = 20_000
"""Parts and unknown fields that are looked at, in about 0.1 s. A record of 1 MiB can have 500,000 of them."""


def essential_unknown(message: Message) -> str:
    """The first unknown field that may change what the message means, such as "field 40 of Verdict"; "" if
    there is none. Looks into all parts of the message. Of more than `MOST_VISITED` parts one unknown field,
    whichever it is, is taken to be essential.
    """
    if not _any_unknown(message):
        return ""
    visited = 0
    waiting = [message]
    while waiting:
        part = waiting.pop()
        for unknown in cast(Any, UnknownFieldSet(part)):  # its type stub lacks __iter__
            visited += 1
            if unknown.field_number <= LAST_ESSENTIAL:
                return f"field {unknown.field_number} of {part.DESCRIPTOR.name}"
            if visited > MOST_VISITED:
                break
        below: list[Message] = []
        for field, value in part.ListFields():
            if field.message_type is not None:
                below += islice(_parts(field, value), MOST_VISITED)
        visited += len(below)
        if visited > MOST_VISITED:
            return f"a field among the many parts of {message.DESCRIPTOR.name}"
        waiting += reversed(below)
    return ""


def _any_unknown(message: Message) -> bool:
    """Whether any part has an unknown field. Takes microseconds, and milliseconds for the largest record:
    protobuf does all of it."""
    known = type(message)()
    known.CopyFrom(message)
    known.DiscardUnknownFields()
    return known.ByteSize() != message.ByteSize()


def check_known(message: Message) -> None:
    """Raise ValueError if the message has an unknown field that may change what it means."""
    if found := essential_unknown(message):
        raise ValueError(f"{found} is unknown: a newer version wrote it, so upgrade this program")


def _parts(field: Any, value: Any) -> Iterable[Message]:
    """`field` is a descriptor."""
    if field.message_type.GetOptions().map_entry:
        keyed = field.message_type.fields_by_name["value"].message_type is not None
        return cast(Iterable[Message], value.values() if keyed else ())
    return cast(Iterable[Message], value if field.is_repeated else (value,))
