"""What a judge gets right on a set of examples: in both formats, in all and by group, in both readings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from judgestream.engine.judge import Judge
from judgestream.evaluation.bootstrap import BINS, CLASSES, bin_of
from judgestream.evaluation.summary import Figures, Judged, figures, upstream
from judgestream_trainer.cards.judging import judge_pairs
from judgestream_trainer.data.example import Example

FORMATS: Mapping[str, bool] = MappingProxyType({"with_reference": True, "without_reference": False})
"""Name in cards and files -> whether the reference is shown."""

ByFormat = Mapping[str, Sequence[Judged]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Bin:
    """Verdicts whose confidence falls into one tenth: how many, their mean confidence, the share right."""

    n: int
    confidence: float
    right: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Skill:
    """`overall`, `judgelm`, `confusion`, `reliability` by format; `groups` by group, then format.

    judgelm      JudgeLM's metrics by its own names, of its own reading: one order, greedy scores
    confusion    truth (first better, equal, second better) by verdict: counts
    reliability  the bins that have verdicts, from unsure to sure
    A group that could not be read at all in a format lacks that format.
    """

    overall: Mapping[str, Figures]
    groups: Mapping[str, Mapping[str, Figures]]
    judgelm: Mapping[str, Mapping[str, float]]
    confusion: Mapping[str, Sequence[Sequence[int]]]
    reliability: Mapping[str, Sequence[Bin]]


def judge_formats(judge: Judge, examples: Sequence[Example]) -> dict[str, list[Judged]]:
    """The examples judged in every format that they are good for: with reference where they have one; without
    it always. A format without an example is left out."""
    chosen = {
        "with_reference": [example for example in examples if example.reference is not None],
        "without_reference": list(examples),
    }
    return {
        name: judge_pairs(judge, some, with_reference=FORMATS[name])
        for name, some in chosen.items()
        if some
    }


def skill(judged: ByFormat) -> Skill:
    """Add the judged examples up.

    Raises:
        ValueError: nothing was judged, or a format has no example that could be read.
    """
    if not judged:
        raise ValueError("no example was judged")
    return Skill(
        overall={name: figures(rows) for name, rows in judged.items()},
        groups=by_group(judged),
        judgelm={name: upstream(rows) for name, rows in judged.items()},
        confusion={name: _confusion(rows) for name, rows in judged.items()},
        reliability={name: _reliability(rows) for name, rows in judged.items()},
    )


def by_group(judged: ByFormat) -> dict[str, dict[str, Figures]]:
    """Figures of every group, in the order in which the groups come."""
    groups = dict.fromkeys(j.group for rows in judged.values() for j in rows)
    return {group: _of_group(judged, group) for group in groups}


def _of_group(judged: ByFormat, group: str) -> dict[str, Figures]:
    chosen = {name: [j for j in rows if j.group == group] for name, rows in judged.items()}
    return {
        name: figures(rows)
        for name, rows in chosen.items()
        if any(j.verdict is not None for j in rows)
    }


def _confusion(judged: Sequence[Judged]) -> list[list[int]]:
    return [
        [sum(j.truth == truth and j.verdict == called for j in judged) for called in CLASSES]
        for truth in CLASSES
    ]


def _reliability(judged: Sequence[Judged]) -> list[Bin]:
    bins: list[list[Judged]] = [[] for _ in range(BINS)]
    for j in judged:
        if j.verdict is not None:
            bins[bin_of(j.confidence)].append(j)
    return [
        Bin(
            n=len(rows),
            confidence=sum(j.confidence for j in rows) / len(rows),
            right=sum(j.verdict == j.truth for j in rows) / len(rows),
        )
        for rows in bins
        if rows
    ]
