"""Spending by uncertainty: whether the first order of a pair is enough, or more should be asked.

A policy starts with one order. Where that is not sure enough it asks the other order, and where the two
together are not sure enough, another release: a larger judge or a jury.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from math import fsum
from typing import Self

from judgestream.core.errors import ConfigurationError
from judgestream.core.limits import RELEASE, quoted
from judgestream.core.passes import Pass
from judgestream.core.types import PassResult, Reading

Chances = tuple[float, float, float]
"""P(first better), P(equal), P(second better)."""


class Ask(StrEnum):
    """What to ask next."""

    NOTHING = "nothing"
    SECOND_ORDER = "second_order"
    RELEASE = "release"


@dataclass(frozen=True, kw_only=True, slots=True)
class EscalationPolicy:
    """Bounds on the confidence, which is the largest of the three probabilities.

    second_order_below   ask the second order where the first is less confident than this; 0 asks never
    release_below        ask `release` where both orders together are less confident than this; 0 asks never
    release              a larger judge, or a jury; "" where there is none
    """

    second_order_below: float
    release_below: float = 0.0
    release: str = ""

    def __post_init__(self) -> None:
        for name in ("second_order_below", "release_below"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise ConfigurationError(
                    f"{name} must be a number from 0 to 1, not {quoted(value)}"
                )
            if not 0.0 <= value <= 1.0:  # NaN is neither
                raise ConfigurationError(f"{name} is {value}: use a confidence from 0 to 1")
        if not isinstance(self.release, str) or len(self.release.encode()) > RELEASE:
            raise ConfigurationError(
                f"release must be the name of a release, not {quoted(self.release)}"
            )
        if self.release_below and not self.release:
            raise ConfigurationError(
                f"release_below is {self.release_below} and no release is named: name one in `release`,"
                " or leave release_below out"
            )
        if self.release and not self.release_below:
            raise ConfigurationError(
                f"release {quoted(self.release)} would never be asked: set release_below above 0,"
                " or leave release out"
            )

    @classmethod
    def from_mapping(cls, values: Mapping[str, object]) -> Self:
        """The policy of a settings file.

        Raises:
            ConfigurationError: an unknown or missing name, or a value out of range; the message names it.
        """
        known = ("second_order_below", "release_below", "release")
        unknown = [name for name in values if name not in known]
        if unknown:
            raise ConfigurationError(
                f"unknown name {quoted(unknown[0])} in a spending policy: use {', '.join(known)}"
            )
        if "second_order_below" not in values:
            raise ConfigurationError(
                "a spending policy needs second_order_below, a confidence from 0 to 1"
            )
        return cls(**values)  # type: ignore[arg-type]

    def after_first(self, chances: Chances) -> Ask:
        """What to ask after the first order."""
        if confidence(chances) < self.second_order_below:
            return Ask.SECOND_ORDER
        return self.after_both(chances)

    def after_both(self, chances: Chances) -> Ask:
        """What to ask once no order is left to ask, by the probabilities averaged over the asked orders."""
        return Ask.RELEASE if confidence(chances) < self.release_below else Ask.NOTHING


def second_order(
    policy: EscalationPolicy, planned: Sequence[Pass], answered: Sequence[PassResult]
) -> tuple[Pass, ...]:
    """Of a pair that was judged in one order, the planned passes of the other one, where the judge is unsure.

    () where nothing is left to ask, and after a reply that cannot be read: then the verdict is unscored
    whatever the other order says.
    """
    asked = {one.transform for one in answered}
    left = tuple(one for one in planned if one.transform not in asked)
    if not left or not answered:
        return ()
    chances = averaged([one.reading for one in answered])
    if chances is None or policy.after_first(chances) is not Ask.SECOND_ORDER:
        return ()
    return tuple(replace(one, because_unsure=True) for one in left)


def averaged(readings: Sequence[object]) -> Chances | None:
    """The mean probabilities of pair readings; None where one is not a reading of a pair."""
    rows = []
    for one in readings:
        if not isinstance(one, Reading) or one.win is None or one.tie is None or one.lose is None:
            return None
        rows.append((one.win, one.tie, one.lose))
    if not rows:
        return None
    win, tie, lose = (fsum(column) / len(rows) for column in zip(*rows, strict=True))
    return win, tie, lose


def confidence(chances: Chances) -> float:
    """The largest of the three probabilities, as on a verdict."""
    return max(chances)
