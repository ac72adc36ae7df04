"""What a kind of file is: how its records are recognised, and what is made of them."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from judgestream.core.formats.fields import Fields
from trainer.data.outcomes import Outcome


class Join(Protocol):
    """Examples that need records of several files. `part` is the name of the kind of file."""

    def add(self, part: str, fields: Fields) -> None:
        """Take one record. Raises InvalidRecord."""

    def outcomes(self) -> Iterator[Outcome]:
        """What all records together give. Called once, after the last file."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Kind:
    """One row of the table.

    needs     groups of field names; a record is of this kind when it has one name of each group
    convert   makes a record into an example, or says why not; raises InvalidRecord
    join      makes the gatherer of records that are no example by themselves; all kinds with the
              same `join` share one
    """

    name: str
    summary: str
    needs: tuple[tuple[str, ...], ...]
    convert: Callable[[Fields], Outcome] | None = None
    join: Callable[[], Join] | None = None

    def recognises(self, values: Mapping[str, object]) -> bool:
        return all(any(name in values for name in group) for group in self.needs)

    @property
    def signature(self) -> str:
        """The fields that it needs, in words."""
        return ", ".join(" or ".join(group) for group in self.needs)
