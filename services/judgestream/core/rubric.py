"""Rubrics: criteria with scales, weights and thresholds, and the scores that an answer gets by them."""

import re
from dataclasses import dataclass

ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", re.ASCII)
"""The ids of criteria. They are part of a pass's name."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Criterion:
    """One thing that an answer is scored for.

    low, high        the criterion's scale: the worst and the best score
    weight           its share in the total, relative to the other weights
    pass_threshold   the least score, on the criterion's scale, with which the answer passes; None: any
    """

    id: str
    description: str
    low: float = 1.0
    high: float = 10.0
    weight: float = 1.0
    pass_threshold: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Rubric:
    """The criteria of a request.

    pass_threshold   the least total, 0 to 1, with which the answer passes; None: the total decides nothing
    """

    criteria: tuple[Criterion, ...]
    pass_threshold: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class CriterionScore:
    """An answer's score by one criterion, on the criterion's scale.

    low, high   mean and 1.96 standard deviations of the judge's own distribution, within the scale
    passed      None if the criterion has no threshold
    """

    criterion_id: str
    score: float | None
    low: float | None = None
    high: float | None = None
    passed: bool | None = None
