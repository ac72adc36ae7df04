"""Gates that decide whether a new judge may replace the current one, each with its evidence.

A new gate is a function and a row in `GATES`. Every gate applies to every format; all must hold. A judge is
compared with several baselines: the current judge, and the best one so far, so that small losses cannot add
up from round to round.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from types import MappingProxyType
from typing import Any

from judgestream.evaluation.non_inferiority import NonInferiority, least_clusters, non_inferiority
from judgestream.evaluation.pair_outcome import PairOutcome


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """Thresholds of the gates.

    least_examples  held-out examples that could be read, per format
    most_unscored   share of unreadable replies
    most_loss       the margin: a judge that is worse by this much or more, of accuracy or of consistency, is
                    published in at most one of 20 rounds. It decides how many examples are needed at least
    """

    least_examples: int = 50
    most_unscored: float = 0.02
    most_loss: float = 0.03


@dataclass(frozen=True, kw_only=True, slots=True)
class Evidence:
    """The new judge on the held-out examples of one format, compared with each baseline.

    n, read, prompts   examples; those with a verdict; different prompts among them
    right, agreeing    examples with the right verdict; examples whose two orders agree. An unreadable one is
                       neither
    against            baseline -> measure -> the paired comparison
    """

    n: int
    read: int
    prompts: int
    right: int
    agreeing: int
    against: Mapping[str, Mapping[str, NonInferiority]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One gate in one format; `why` is the sentence with the numbers."""

    gate: str
    shown: str
    holds: bool
    why: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """`publish` is True when every gate holds.

    best   True if the judge is now the best so far: published, significantly more accurate than the best
           one in some format, and with fewer right in none
    """

    publish: bool
    best: bool
    findings: Sequence[Finding]
    evidence: Mapping[str, Evidence]
    limits: Limits

    @property
    def reasons(self) -> list[str]:
        """Why not: one sentence for each gate that does not hold."""
        return [f"{f.shown}: {f.why}" for f in self.findings if not f.holds]

    def data(self) -> dict[str, Any]:
        return asdict(self)


Gate = Callable[[Evidence, Limits], tuple[bool, str]]


def enough(evidence: Evidence, limits: Limits) -> tuple[bool, str]:
    """Enough examples to detect a loss beyond the margin, and at least as many as the settings require."""
    least = least_clusters(limits.most_loss)
    holds = evidence.read >= limits.least_examples and evidence.prompts >= least
    return holds, (
        f"{evidence.read} of {evidence.n} held-out examples could be read, {limits.least_examples} are"
        f" needed; they have {evidence.prompts} prompts, and on fewer than {least} nothing shows"
        f" that no more than {limits.most_loss:.1%} is lost"
    )


def readable(evidence: Evidence, limits: Limits) -> tuple[bool, str]:
    unread = evidence.n - evidence.read
    holds = unread <= Fraction(str(limits.most_unscored)) * evidence.n and evidence.read > 0
    return holds, (
        f"{unread} of {evidence.n} replies are unreadable ({unread / max(1, evidence.n):.1%}),"
        f" {limits.most_unscored:.1%} may be"
    )


def not_less(measure: str) -> Gate:
    """The measure is not less than any baseline's by the margin or more, with 95 % confidence."""

    def gate(evidence: Evidence, limits: Limits) -> tuple[bool, str]:
        compared = {name: by[measure] for name, by in evidence.against.items()}
        holds = bool(compared) and all(one.lower > -one.margin for one in compared.values())
        return holds, f"{measure}: " + "; ".join(
            _sentence(name, one) for name, one in compared.items()
        )

    return gate


def _sentence(baseline: str, found: NonInferiority) -> str:
    sentence = (
        f"{found.difference:+.3f} against {baseline} ({found.gained} gained, {found.lost} lost of {found.n}),"
        f" above {found.lower:+.3f} with 95 % confidence; above {-found.margin:+.3f} is required"
    )
    if found.lower > -found.margin:
        return sentence
    return f"{sentence} (an equally good judge needs about {found.needed} examples to show it)"


GATES: Mapping[str, Gate] = MappingProxyType(
    {
        "examples": enough,
        "unscored": readable,
        "accuracy": not_less("accuracy"),
        "consistency": not_less("consistency"),
    }
)

MEASURES: Mapping[str, Callable[[PairOutcome], bool]] = MappingProxyType(
    {
        "accuracy": lambda outcome: outcome.right,
        "consistency": lambda outcome: outcome.consistent,
    }
)
"""Measure -> whether an item counts for it; an unreadable one never does."""

CURRENT, BEST = "the current judge", "the best judge so far"


def decide(
    new: Mapping[str, Sequence[PairOutcome]],
    baselines: Mapping[str, Mapping[str, Sequence[PairOutcome]]],
    limits: Limits,
) -> Decision:
    """Apply every gate to the judges' verdicts on the same held-out examples.

    Args:
        new: format -> the new judge's items.
        baselines: name -> format -> that judge's items, in the same order: `CURRENT`, and `BEST` where that
            is another judge.

    Without any format or baseline the judge is not published.

    Raises:
        ValueError: a baseline lacks a format, or has another number of items.
    """
    evidence = {
        shown: _evidence(rows, {name: by[shown] for name, by in baselines.items()}, limits)
        for shown, rows in new.items()
        if rows
    }
    findings = [
        Finding(gate=name, shown=shown, holds=holds, why=why)
        for shown, one in evidence.items()
        for name, gate in GATES.items()
        for holds, why in (gate(one, limits),)
    ]
    if not findings:
        nothing = "no held-out example"
        findings = [Finding(gate="examples", shown="held out", holds=False, why=nothing)]
    publish = all(finding.holds for finding in findings)
    return Decision(
        publish=publish,
        best=publish and _is_best(evidence),
        findings=findings,
        evidence=evidence,
        limits=limits,
    )


def _is_best(evidence: Mapping[str, Evidence]) -> bool:
    compared = [
        one.against[BEST if BEST in one.against else CURRENT]["accuracy"]
        for one in evidence.values()
    ]
    return any(one.better for one in compared) and all(one.gained >= one.lost for one in compared)


def _evidence(
    new: Sequence[PairOutcome], baselines: Mapping[str, Sequence[PairOutcome]], limits: Limits
) -> Evidence:
    hits = {name: [counts(row) for row in new] for name, counts in MEASURES.items()}
    prompts: list[Hashable] = [row.cluster or at for at, row in enumerate(new)]
    return Evidence(
        n=len(new),
        read=sum(row.verdict is not None for row in new),
        prompts=len({c for c, row in zip(prompts, new, strict=True) if row.verdict is not None}),
        right=sum(hits["accuracy"]),
        agreeing=sum(hits["consistency"]),
        against={
            name: {
                measure: non_inferiority(
                    hits[measure],
                    [counts(row) for row in rows],
                    margin=limits.most_loss,
                    clusters=prompts,
                )
                for measure, counts in MEASURES.items()
            }
            for name, rows in baselines.items()
        },
    )
