"""A judge's results on a set of examples: by format, overall and by group, by our rule and by JudgeLM's."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from judgestream.engine.judge import Judge
from judgestream.evaluation.agreement import CLASSES, agreement
from judgestream.evaluation.pair_outcome import PairOutcome
from judgestream.evaluation.reliability import Bin, reliability
from judgestream.evaluation.summary import Figures, figures, upstream
from judgestream_trainer.cards.judging import judge_pairs
from judgestream_trainer.data.example import Example

FORMATS: Mapping[str, bool] = MappingProxyType({"with_reference": True, "without_reference": False})
"""Name in cards and files -> whether the reference is shown."""

ByFormat = Mapping[str, Sequence[PairOutcome]]


@dataclass(frozen=True, kw_only=True, slots=True)
class JudgeResults:
    """`overall`, `judgelm`, `confusion`, `reliability` by format; `groups` by group, then format.

    judgelm      JudgeLM's metrics under its own names, by its own rule: one order, greedy scores
    confusion    counts of truth (rows: first better, tie, second better) by verdict (columns)
    reliability  confidence bins that have verdicts, in order of confidence

    A group without a readable reply in a format lacks that format.
    """

    overall: Mapping[str, Figures]
    groups: Mapping[str, Mapping[str, Figures]]
    judgelm: Mapping[str, Mapping[str, float]]
    confusion: Mapping[str, Sequence[Sequence[int]]]
    reliability: Mapping[str, Sequence[Bin]]


def judge_formats(judge: Judge, examples: Sequence[Example]) -> dict[str, list[PairOutcome]]:
    """Judge every example without its reference, and those that have one with it as well.

    A format that fits no example is left out.
    """
    chosen = {
        "with_reference": [example for example in examples if example.reference is not None],
        "without_reference": list(examples),
    }
    return {
        name: judge_pairs(judge, fitting, with_reference=FORMATS[name])
        for name, fitting in chosen.items()
        if fitting
    }


def results_of(judged: ByFormat) -> JudgeResults:
    """Summarise the judged examples.

    Raises:
        ValueError: nothing was judged, or a format has no readable reply.
    """
    if not judged:
        raise ValueError("no example was judged")
    return JudgeResults(
        overall={name: figures(rows) for name, rows in judged.items()},
        groups=by_group(judged),
        judgelm={name: upstream(rows) for name, rows in judged.items()},
        confusion={name: _confusion(rows) for name, rows in judged.items()},
        reliability={name: _reliability(rows) for name, rows in judged.items()},
    )


def by_group(judged: ByFormat) -> dict[str, dict[str, Figures]]:
    """The figures of every group, in order of first appearance."""
    groups = dict.fromkeys(row.group for rows in judged.values() for row in rows)
    return {group: _of_group(judged, group) for group in groups}


def _of_group(judged: ByFormat, group: str) -> dict[str, Figures]:
    chosen = {name: [row for row in rows if row.group == group] for name, rows in judged.items()}
    return {
        name: figures(rows)
        for name, rows in chosen.items()
        if any(row.verdict is not None for row in rows)
    }


def _confusion(judged: Sequence[PairOutcome]) -> list[list[int]]:
    counts = agreement([row.truth for row in judged], [row.verdict for row in judged]).confusion
    return [[counts.get((truth, verdict), 0) for verdict in CLASSES] for truth in CLASSES]


def _reliability(judged: Sequence[PairOutcome]) -> list[Bin]:
    scored = [row for row in judged if row.verdict is not None]
    return reliability([row.confidence for row in scored], [row.right for row in scored])
