"""One input record with its place, read field by field. Errors name file, record and field."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isnan
from typing import ClassVar, Literal, NoReturn

from judgestream.core.errors import InvalidRequest
from judgestream.core.formats.reasons import Aside


class InvalidRecord(InvalidRequest):
    """An input record that cannot be made into a request. The message names file, record and field."""

    code: ClassVar[str] = "invalid_record"


class SetAside(InvalidRecord):
    """A well-formed record that cannot be judged, or not with certainty. `reason` is what is counted."""

    code: ClassVar[str] = "set_aside"

    def __init__(self, message: str, reason: Aside) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """The place of a record. `number` counts from 1: lines of a JSONL file, entries of a JSON array."""

    file: str
    number: int
    unit: Literal["line", "record"] = "line"

    def __str__(self) -> str:
        return f"{self.file}, {self.unit} {self.number}"


class Fields:
    """A JSON object's fields, each fetched with the type that it must have.

    All methods raise InvalidRecord. `path` names a field of a nested object in messages. NaN counts as
    null: it is what a table has in an empty numeric cell.
    """

    def __init__(self, values: Mapping[str, object], place: Place, path: str = "") -> None:
        self.values = values
        self.place = place
        self._path = path

    def reject(self, name: str, problem: str) -> NoReturn:
        raise InvalidRecord(f"{self.place}: field {self._path}{name}: {problem}")

    def set_aside(self, reason: Aside, name: str, problem: str) -> NoReturn:
        raise SetAside(f"{self.place}: field {self._path}{name}: {problem}", reason)

    def has(self, name: str) -> bool:
        """Whether the field is there and neither null nor NaN."""
        value = self.values.get(name)
        return value is not None and not (isinstance(value, float) and isnan(value))

    def filled(self, name: str) -> bool:
        """Whether the field is there and not an empty text, which is how a table writes null."""
        return self.has(name) and self.values[name] != ""

    def first(self, *names: str) -> str | None:
        """The first of these fields that is there."""
        return next((name for name in names if self.has(name)), None)

    def text(self, name: str) -> str:
        """A string."""
        if not self.has(name):
            self.reject(name, "is missing")
        return self._as_text(name, self.values[name])

    def scalar_text(self, name: str) -> str:
        """A string; a number or a boolean becomes its text ("3", "True"). 1.0 is written "1"."""
        value = self.values.get(name)
        if isinstance(value, float) and not isnan(value):
            return str(int(value)) if value.is_integer() else str(value)
        if isinstance(value, bool | int):
            return _number_text(value)
        return self.text(name)

    def optional_text(self, name: str) -> str | None:
        """A string, or None when the field is missing or null."""
        return self.text(name) if self.has(name) else None

    def name(self, name: str) -> str:
        """A system's, annotator's or model's name: text or a number; "" when there is none."""
        return self.scalar_text(name) if self.has(name) else ""

    def identity(self, *names: str) -> str | None:
        """The first of these fields that holds an id (text or a whole number), as text; else None."""
        for name in names:
            value = self.values.get(name)
            if not self.filled(name):
                continue
            if isinstance(value, float) and value.is_integer():
                return str(int(value))
            if isinstance(value, int) and not isinstance(value, bool):
                return _number_text(value)
            return self._as_text(name, value)
        return None

    def number(self, name: str) -> float:
        """A number; text that is one, as in a CSV cell, counts."""
        if not self.filled(name):
            self.reject(name, "is missing")
        value = self.values[name]
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            self.reject(name, f"must be a number, not {kind(value)}")
        try:
            found = float(value)
        except (ValueError, OverflowError):
            self.reject(name, f"must be a number, not {shortened(value)}")
        if isnan(found):
            self.reject(name, "is not a number")
        return found

    def whole(self, name: str, allowed: Sequence[int]) -> int | None:
        """A whole number that is one of these; also as a float or a text, as tables have it. Else None."""
        value = self.values.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            return None
        try:
            return next((one for one in allowed if one == float(value)), None)
        except (ValueError, OverflowError):
            return None

    def optional_number(self, name: str) -> float | None:
        """A number, or None when the field is missing, null or empty."""
        return self.number(name) if self.filled(name) else None

    def items(self, name: str) -> Sequence[object]:
        """A list. Text that is a JSON list, as in a CSV cell, counts."""
        if not self.has(name):
            self.reject(name, "is missing")
        value = listed(self.values[name])
        if not isinstance(value, list):
            self.reject(name, f"must be a list, not {kind(value)}")
        return value

    def nested(self, name: str, value: object) -> "Fields":
        """The fields of an object inside this record; `name` is its place, as in `choices[0]`."""
        if not isinstance(value, dict):
            self.reject(name, f"must be an object, not {kind(value)}")
        return Fields(value, self.place, f"{self._path}{name}.")

    def inner(self, name: str) -> "Fields":
        """The fields of the object that this field holds."""
        if not self.has(name):
            self.reject(name, "is missing")
        return self.nested(name, self.values[name])

    def _as_text(self, name: str, value: object) -> str:
        if not isinstance(value, str):
            self.reject(name, f"must be text, not {kind(value)}")
        try:
            value.encode()
        except UnicodeEncodeError:
            self.reject(
                name, "contains a lone surrogate (`\\ud83d` without its pair): fix the escape"
            )
        return value


def listed(value: object) -> object:
    """The list that a text holds, where it is a JSON list; every other value as it is."""
    if not (isinstance(value, str) and value.startswith("[") and value.rstrip().endswith("]")):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def kind(value: object) -> str:
    """A JSON value's type, in JSON's own words."""
    names = {bool: "a boolean", dict: "an object", list: "a list", str: "text", type(None): "null"}
    return names.get(type(value), "a number")


def shortened(value: object, limit: int = 60) -> str:
    """A value as errors quote it: scalars by their `repr`, cut; anything else by its type."""
    if not isinstance(value, bool | int | float | str):
        return kind(value)
    text = repr(value[: limit + 1]) if isinstance(value, str) else _number_text(value)
    return text if len(text) <= limit else f"{text[:limit]}..."


def _number_text(value: float) -> str:
    """`str`, which refuses whole numbers of more than 4,300 digits: those are written in hex."""
    try:
        return str(value)
    except ValueError:
        return hex(int(value))
