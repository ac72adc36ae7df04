"""The preferred one of two candidates, as a sign in candidate order."""

from collections.abc import Sequence
from enum import IntEnum


class Preference(IntEnum):
    """The outcome of comparing two candidates. The values are signs, so they add up and mirror by `-`."""

    FIRST = 1
    TIE = 0
    SECOND = -1

    @classmethod
    def between(cls, first: float, second: float) -> "Preference":
        """The higher number is better."""
        return cls((first > second) - (first < second))

    @classmethod
    def of_winner(cls, winner: str, candidates: Sequence[str]) -> "Preference | None":
        """The sign of a winner's id, "" being a tie; None for an id that is not one of the two."""
        first, second = candidates
        return {"": cls.TIE, first: cls.FIRST, second: cls.SECOND}.get(winner)

    def winner(self, candidates: Sequence[str]) -> str:
        """The id of the preferred candidate, "" on a tie: the inverse of `of_winner`."""
        first, second = candidates
        return {Preference.FIRST: first, Preference.TIE: "", Preference.SECOND: second}[self]

    @property
    def mirrored(self) -> "Preference":
        """The same outcome with the candidates exchanged."""
        return Preference(-self)
