"""One input record with its place, read field by field. Every complaint names file, record and field."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, NoReturn

from judgestream.core.errors import InvalidRequest


class InvalidRecord(InvalidRequest):
    """An input record that cannot be made into a request. The message names file, record and field."""

    code: ClassVar[str] = "invalid_record"


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where a record stands. `number` counts from 1: lines of a JSONL file, entries of a JSON array."""

    file: str
    number: int
    unit: Literal["line", "record"] = "line"

    def __str__(self) -> str:
        return f"{self.file}, {self.unit} {self.number}"


class Fields:
    """A JSON object's fields, each fetched with the type that it must have.

    All methods raise InvalidRecord. `path` names a field of a nested object in messages.
    """

    def __init__(self, values: Mapping[str, object], place: Place, path: str = "") -> None:
        self.values = values
        self.place = place
        self._path = path

    def reject(self, name: str, problem: str) -> NoReturn:
        raise InvalidRecord(f"{self.place}: field {self._path}{name}: {problem}")

    def has(self, name: str) -> bool:
        """Whether the field is there and not null."""
        return self.values.get(name) is not None

    def text(self, name: str) -> str:
        """A string."""
        if not self.has(name):
            self.reject(name, "is missing")
        return self._as_text(name, self.values[name])

    def scalar_text(self, name: str) -> str:
        """A string; a number or a boolean becomes Python's text of it ("True")."""
        value = self.values.get(name)
        if isinstance(value, bool | int | float):
            return str(value)
        return self.text(name)

    def optional_text(self, name: str) -> str | None:
        """A string, or None when the field is missing or null."""
        return self.text(name) if self.has(name) else None

    def identity(self, *names: str) -> str | None:
        """The first of these fields that holds an id (text or a whole number), as text; else None."""
        for name in names:
            value = self.values.get(name)
            if isinstance(value, int) and not isinstance(value, bool):
                return str(value)
            if value is not None and value != "":
                return self._as_text(name, value)
        return None

    def items(self, name: str) -> Sequence[object]:
        """A list."""
        if not self.has(name):
            self.reject(name, "is missing")
        value = self.values[name]
        if not isinstance(value, list):
            self.reject(name, f"must be a list, not {kind(value)}")
        return value

    def nested(self, name: str, value: object) -> "Fields":
        """The fields of an object inside this record; `name` is its place, as in `choices[0]`."""
        if not isinstance(value, dict):
            self.reject(name, f"must be an object, not {kind(value)}")
        return Fields(value, self.place, f"{self._path}{name}.")

    def _as_text(self, name: str, value: object) -> str:
        if not isinstance(value, str):
            self.reject(name, f"must be text, not {kind(value)}")
        try:
            value.encode()
        except UnicodeEncodeError:
            self.reject(name, "holds half a surrogate pair, which is no character: mend the escape")
        return value


def kind(value: object) -> str:
    """A JSON value's type, in JSON's own words."""
    names = {bool: "a boolean", dict: "an object", list: "a list", str: "text", type(None): "null"}
    return names.get(type(value), "a number")
