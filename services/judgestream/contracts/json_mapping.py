"""This project's records in protobuf's JSON mapping, camelCase or snake_case."""

import json
from typing import TypeVar

from google.protobuf import json_format
from google.protobuf.message import Message

from judgestream.core.formats.fields import Fields, InvalidRecord

M = TypeVar("M", bound=Message)


def parsed(fields: Fields, record: type[M]) -> M:
    """The record's message. An unknown field is an error.

    Raises:
        InvalidRecord: the fields do not make such a message; the error names the place and the field.
    """
    message = record()
    try:
        # protobuf's parser raises SystemError for some lone surrogates
        json.dumps(fields.values, ensure_ascii=False).encode()
    except UnicodeEncodeError as exc:
        raise InvalidRecord(
            f"{fields.place}: contains a lone surrogate (`\\ud83d` without its pair): fix the escape"
        ) from exc
    try:
        json_format.ParseDict(dict(fields.values), message)
    except (json_format.ParseError, ValueError, TypeError, OverflowError) as exc:
        raise InvalidRecord(f"{fields.place}: {exc}") from exc
    return message
