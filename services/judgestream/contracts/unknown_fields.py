"""Fields that this version does not know, in records that a newer version has written.

The number of a field says whether an older reader may do without it. A field up to `LAST_ESSENTIAL` may
change what the record means: a verdict weighs less, a request is to be judged in another way. A reader that
acts on the record, or counts it, leaves such a record alone until it is upgraded. A field of a greater number
only adds to the record, and is ignored by readers that do not know it.

Clients that wait for a verdict take it all the same: they count nothing.
"""

from collections.abc import Iterable
from typing import Any, cast

from google.protobuf.message import Message
from google.protobuf.unknown_fields import UnknownFieldSet

LAST_ESSENTIAL = 999


def essential_unknown(message: Message) -> str:
    """The first unknown field that may change what the message means, such as "field 40 of Verdict"; "" if
    there is none. Looks into all parts of the message."""
    for unknown in cast(Any, UnknownFieldSet(message)):  # its type stub lacks __iter__
        if unknown.field_number <= LAST_ESSENTIAL:
            return f"field {unknown.field_number} of {message.DESCRIPTOR.name}"
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        for part in _parts(field, value):
            if found := essential_unknown(part):
                return found
    return ""


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
