"""A strict JSON reader: it rejects what other readers might read differently."""

import json
from collections import Counter
from collections.abc import Mapping
from math import isfinite
from typing import Any, NoReturn

from judgestream.core.limits import quoted, shortened

MAX_ENTRIES = 10_000
"""Limit of each list and object in a record: a larger one would take seconds to convert."""


class NotJson(ValueError):
    """The bytes are not one JSON object; the message says why."""


def looks_like_json(value: bytes) -> bool:
    """Whether a record without a content type is JSON: it starts like an object or a list, after white space
    and a byte order mark, in any encoding of JSON. None of this project's protobuf messages starts like that:
    it would be a group, a tag of field 0, or an unknown wire type.
    """
    start = value[:64].decode(json.detect_encoding(value[:64]), errors="ignore")
    return start.lstrip("\ufeff \t\r\n")[:1] in ("{", "[")


def json_object(value: bytes) -> Mapping[str, Any]:
    """The object in UTF-8, UTF-16 or UTF-32, with or without a byte order mark (RFC 4627, section 3).

    Raises:
        NotJson: not JSON, not an object, a duplicate key, NaN or a number beyond double precision, a lone
            surrogate, too deep, too many entries.
    """
    encoding = json.detect_encoding(value)
    try:
        text = value.decode(encoding)
        record = json.loads(
            text,
            object_pairs_hook=_object,
            parse_constant=_constant,
            parse_float=_float,
        )
        if "\\u" in text:
            json.dumps(record, ensure_ascii=False).encode()
    except NotJson:
        raise
    except UnicodeEncodeError as exc:
        raise NotJson(
            "contains a lone surrogate (`\\ud83d` without its pair): fix the escape"
        ) from exc
    except UnicodeDecodeError as exc:
        raise NotJson(f"not {encoding.upper()}: byte {exc.start} is invalid") from exc
    except RecursionError as exc:
        raise NotJson("nested too deeply") from exc
    except ValueError as exc:
        raise NotJson(shortened(str(exc), 200)) from exc
    if not isinstance(record, dict):
        raise NotJson(f"a JSON {_kind(record)}, not an object: send one object per record")
    for name, entry in record.items():
        if isinstance(entry, list | dict) and len(entry) > MAX_ENTRIES:
            raise NotJson(f"field {quoted(name)} has {len(entry)} entries; at most {MAX_ENTRIES}")
    return record


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        counts = Counter(name for name, _ in pairs)
        duplicate = next(name for name, count in counts.items() if count > 1)
        raise NotJson(f"field {quoted(duplicate)} is duplicated")
    return fields


def _constant(name: str) -> NoReturn:
    raise NotJson(f"{name} is not a JSON number")


def _float(text: str) -> float:
    number = float(text)
    if not isfinite(number):
        raise NotJson(f"{shortened(text)} exceeds double precision")
    return number


def _kind(value: object) -> str:
    kinds = {list: "list", str: "string", bool: "boolean", type(None): "null"}
    return kinds.get(type(value), "number")
