"""What one verdict contributes to the bias measurement: whole numbers to add, never averages."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Self

from judgestream.core.passes import reversed_pairs
from judgestream.core.preference import Preference
from judgestream.core.reconcile import reading_preference
from judgestream.core.types import PassResult, Reading, Status, Verdict
from judgestream.evaluation.position import lean


@dataclass(frozen=True, kw_only=True, slots=True)
class BiasCounts:
    """Counts over verdicts. `+` is commutative and associative and `BiasCounts()` is its zero, so any
    number of workers may contribute in any order.

    The field names are those of the window's Redis hash and of `BiasReport.counts`: a stored format. Add
    fields; never rename one or change what it counts.

    n               verdicts; n = scored + unscored + failed
    scored          settled
    unscored        judged, but a reply could not be read
    failed          never judged
    ordered         verdicts with both candidate orders read;
                    ordered = consistent + toward_first + toward_second
    consistent      both orders prefer the same
    toward_first    each candidate fares better when shown first
    toward_second   each candidate fares better when shown second
    tied            scored verdicts of two candidates that call them equal
    untied          scored verdicts with a winner; untied = length_pairs + equal_length, as long as
                    verdicts carry both lengths
    length_pairs    untied verdicts whose two answers differ in length
    longer_won      of `length_pairs`, those that the longer answer won
    equal_length    untied verdicts whose two answers are equally long
    """

    n: int = 0
    scored: int = 0
    unscored: int = 0
    failed: int = 0
    ordered: int = 0
    consistent: int = 0
    toward_first: int = 0
    toward_second: int = 0
    tied: int = 0
    untied: int = 0
    length_pairs: int = 0
    longer_won: int = 0
    equal_length: int = 0

    @classmethod
    def from_verdict(cls, verdict: Verdict) -> Self:
        """One verdict's counts, each 0 or 1."""
        leans = _lean(verdict)
        decided = verdict.status is Status.SCORED and verdict.winner != ""
        gap = _length_gap(verdict) if decided else None
        return cls(
            n=1,
            scored=int(verdict.status is Status.SCORED),
            unscored=int(verdict.status is Status.UNSCORED),
            failed=int(verdict.status is Status.FAILED),
            ordered=int(leans is not None),
            consistent=int(leans == 0),
            toward_first=int(leans == 1),
            toward_second=int(leans == -1),
            tied=int(verdict.status is Status.SCORED and verdict.tie),
            untied=int(decided),
            length_pairs=int(gap is not None and gap != 0),
            longer_won=int(gap is not None and gap > 0),
            equal_length=int(gap == 0),
        )

    @classmethod
    def from_mapping(cls, counts: Mapping[str, int]) -> Self:
        """The inverse of `as_mapping`. A missing name counts 0, an unknown one is left alone: while a
        release rolls out, workers of two versions share the hash."""
        return cls(**{name: counts.get(name, 0) for name in NAMES})

    def as_mapping(self) -> dict[str, int]:
        """Every field by name, in the order above."""
        return {name: getattr(self, name) for name in NAMES}

    def __add__(self, other: Self) -> Self:
        ours, theirs = self.as_mapping(), other.as_mapping()
        return type(self)(**{name: ours[name] + theirs[name] for name in NAMES})


NAMES: tuple[str, ...] = tuple(field.name for field in fields(BiasCounts))
"""The counts' stored names."""


def _lean(verdict: Verdict) -> int | None:
    """`position.lean` of the verdict's first twin, a straight pass and its swapped one that were both read.

    None without a twin. A request judged with and without its reference has two; only the first counts
    (with reference, unless that one is unreadable), so that one verdict is one observation.
    """
    for one, other in reversed_pairs(verdict.passes):
        straight, swapped = _preference(one), _preference(other)
        if straight is not None and swapped is not None:
            return lean(straight, swapped)
    return None


def _preference(result: PassResult) -> Preference | None:
    """None for a pass that is unreadable, or not about two candidates."""
    if not isinstance(result.reading, Reading) or result.reading.win is None:
        return None
    return reading_preference(result.reading)


def _length_gap(verdict: Verdict) -> int | None:
    """Characters by which the winner's answer is longer than the other; None unless there are two."""
    if len(verdict.scores) != 2:
        return None
    lengths = {score.candidate_id: score.length for score in verdict.scores}
    won = lengths.pop(verdict.winner, None)
    return None if won is None else won - sum(lengths.values())
