"""A record's bytes -> a JSON object, read strictly: what other readers might read differently is refused."""

import json
from collections.abc import Mapping
from math import isfinite
from typing import Any, NoReturn

from judgestream.core.limits import quoted, shortened

MAX_ENTRIES = 10_000
"""Of any list or object that is a field of the record: more would take seconds to turn into a message."""


class NotJson(ValueError):
    """Why the bytes are not one JSON object."""


def looks_like_json(value: bytes) -> bool:
    """Whether a record without a content type is JSON: it begins like an object or a list, in any of JSON's
    encodings, after white space and a byte order mark. No protobuf record of ours can begin like that: it
    would be a group, a tag of field 0, or an unknown wire type.
    """
    start = value[:64].decode(json.detect_encoding(value[:64]), errors="ignore")
    return start.lstrip("\ufeff \t\r\n")[:1] in ("{", "[")


def json_object(value: bytes) -> Mapping[str, Any]:
    """The object.

    UTF-8, UTF-16 and UTF-32 are told apart as the standard's own rule does (RFC 4627, section 3), with or
    without a byte order mark.

    Raises:
        NotJson: no JSON, not an object, a key twice, NaN or a number beyond double precision, half a
            surrogate pair, too deep, too many entries.
    """
    encoding = json.detect_encoding(value)
    try:
        text = value.decode(encoding)
        found = json.loads(
            text,
            object_pairs_hook=_object,
            parse_constant=_constant,
            parse_float=_float,
        )
        if "\\u" in text:
            json.dumps(found, ensure_ascii=False).encode()
    except NotJson:
        raise
    except UnicodeEncodeError as exc:
        raise NotJson("holds half a surrogate pair, which is not a character") from exc
    except UnicodeDecodeError as exc:
        raise NotJson(f"not {encoding.upper()}: byte {exc.start} cannot be read") from exc
    except RecursionError as exc:
        raise NotJson("nested too deeply") from exc
    except ValueError as exc:
        raise NotJson(shortened(str(exc), 200)) from exc
    if not isinstance(found, dict):
        raise NotJson(f"a JSON {_kind(found)}, not an object: send one object a record")
    for name, entry in found.items():
        if isinstance(entry, list | dict) and len(entry) > MAX_ENTRIES:
            raise NotJson(f"field {quoted(name)} has {len(entry)} entries; at most {MAX_ENTRIES}")
    return found


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise NotJson(f"field {quoted(twice)} stands there twice")
    return found


def _constant(name: str) -> NoReturn:
    raise NotJson(f"{name} is not a JSON number")


def _float(text: str) -> float:
    number = float(text)
    if not isfinite(number):
        raise NotJson(f"{shortened(text)} is beyond double precision")
    return number


def _kind(found: object) -> str:
    kinds = {list: "list", str: "string", bool: "boolean", type(None): "null"}
    return kinds.get(type(found), "number")
