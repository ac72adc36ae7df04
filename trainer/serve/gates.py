"""Whether a new judge may take the current one's place: a table of gates, each with its evidence.

A new gate is a function and a row in `GATES`. Every gate is asked of every format; all must hold.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any

from trainer.figures import Judged
from trainer.measures import Estimate, differences_of, estimates


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """What the gates ask for.

    least_examples  held-out examples that could be read, per format
    most_unscored   share of unreadable replies
    most_loss       how much less accuracy or consistency is let pass, where chance may explain it
    """

    least_examples: int = 50
    most_unscored: float = 0.02
    most_loss: float = 0.02


@dataclass(frozen=True, kw_only=True, slots=True)
class Evidence:
    """Both judges on the same held-out examples, in one format. Measures as in `measures`.

    new, current  None: not one reply could be read
    apart         new less current, by the paired bootstrap; None unless both could be read
    """

    n: int
    new: Mapping[str, Estimate] | None
    current: Mapping[str, Estimate] | None
    apart: Mapping[str, Estimate] | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One gate in one format; `why` is the sentence with the numbers."""

    gate: str
    shown: str
    holds: bool
    why: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """`publish` is True when every gate holds."""

    publish: bool
    findings: Sequence[Finding]
    evidence: Mapping[str, Evidence]
    limits: Limits

    @property
    def reasons(self) -> list[str]:
        """Why not, a sentence a gate that does not hold."""
        return [f"{f.shown}: {f.why}" for f in self.findings if not f.holds]

    def data(self) -> dict[str, Any]:
        return asdict(self)


Gate = Callable[[Evidence, Limits], tuple[bool, str]]


def enough(evidence: Evidence, limits: Limits) -> tuple[bool, str]:
    unscored = 1.0 if evidence.new is None else evidence.new["unscored"].share
    read = round(evidence.n * (1 - unscored))
    return read >= limits.least_examples, (
        f"{read} of {evidence.n} held-out examples could be read, {limits.least_examples} are needed"
    )


def readable(evidence: Evidence, limits: Limits) -> tuple[bool, str]:
    unscored = 1.0 if evidence.new is None else evidence.new["unscored"].share
    return unscored <= limits.most_unscored, (
        f"{unscored:.1%} of the replies are unreadable, {limits.most_unscored:.1%} may be"
    )


def not_less(measure: str) -> Gate:
    """The measure has not fallen: neither surely (the whole 95 % interval of the paired difference lies
    below 0) nor by more than `most_loss`, which few examples could not tell from chance. With nothing to
    compare with, any readable judge passes; an unreadable one never does."""

    def gate(evidence: Evidence, limits: Limits) -> tuple[bool, str]:
        if evidence.new is None:
            return False, f"no {measure}: not one reply could be read"
        now = evidence.new[measure].share
        if evidence.apart is None:
            return True, f"{measure} {now:.3f}; the current judge could not be read at all"
        apart = evidence.apart[measure]
        holds = apart.high >= 0 and apart.share >= -limits.most_loss
        return holds, (
            f"{measure} {now:.3f}, {apart.share:+.3f} [{apart.low:+.3f}, {apart.high:+.3f}] against the"
            f" current judge; {-limits.most_loss:+.3f} is let pass where chance may explain it"
        )

    return gate


GATES: Mapping[str, Gate] = MappingProxyType(
    {
        "examples": enough,
        "unscored": readable,
        "accuracy": not_less("accuracy"),
        "consistency": not_less("consistency"),
    }
)


def decide(
    new: Mapping[str, Sequence[Judged]],
    current: Mapping[str, Sequence[Judged]],
    limits: Limits,
    *,
    seed: int = 0,
) -> Decision:
    """Hold every gate against both judges' held-out examples, by format. No format at all is a no."""
    evidence = {shown: _evidence(rows, current[shown], seed) for shown, rows in new.items()}
    findings = [
        Finding(gate=name, shown=shown, holds=holds, why=why)
        for shown, one in evidence.items()
        for name, gate in GATES.items()
        for holds, why in (gate(one, limits),)
    ]
    if not findings:
        nothing = "there is no held-out example"
        findings = [Finding(gate="examples", shown="held out", holds=False, why=nothing)]
    return Decision(
        publish=all(finding.holds for finding in findings),
        findings=findings,
        evidence=evidence,
        limits=limits,
    )


def _evidence(new: Sequence[Judged], current: Sequence[Judged], seed: int) -> Evidence:
    sides = {name: _estimates(rows, seed) for name, rows in (("new", new), ("current", current))}
    both = all(side is not None for side in sides.values())
    return Evidence(
        n=len(new),
        new=sides["new"],
        current=sides["current"],
        apart=differences_of(new, current, seed=seed) if both else None,
    )


def _estimates(rows: Sequence[Judged], seed: int) -> Mapping[str, Estimate] | None:
    read = any(row.verdict is not None for row in rows)
    return estimates(rows, seed=seed) if read else None
