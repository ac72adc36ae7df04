"""The evidence gate on held-out examples: may the new judge be published, and is it the best so far?

All held-out examples are there at once, so this is a single look. In every format, the new judge is compared
with the current one and with the best one so far, so that small losses cannot add up from cycle to cycle.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import Any

from judgestream.core.types import Status
from judgestream.evaluation.gate import (
    Comparison,
    Decision,
    Evidence,
    Judgement,
    Outcome,
    PairedItem,
    Policy,
    Rule,
    as_data,
    decide,
)
from judgestream.evaluation.pair_outcome import PairOutcome
from judgestream_trainer.cards.results import ByFormat
from judgestream_trainer.continuous.limits import Limits

CURRENT, BEST = "the current judge", "the best judge so far"


@dataclass(frozen=True, kw_only=True, slots=True)
class HeldOut:
    """The new judge on the held-out examples of a format: `read` have a verdict, `right` the true one.

    prompts   different questions among all
    """

    n: int
    read: int
    right: int
    prompts: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Publication:
    """Whether to publish.

    best      published, surely more accurate than the best judge so far in some format, and with fewer right
              in none
    reasons   why not: one sentence for each condition that does not hold
    """

    publish: bool
    best: bool
    reasons: Sequence[str]
    held_out: Mapping[str, HeldOut]
    decision: Decision
    limits: Limits

    def data(self) -> dict[str, Any]:
        """For `decision.json`; `evidence` is the held-out counts by format."""
        return {
            **as_data(self.decision),
            "publish": self.publish,
            "best": self.best,
            "reasons": list(self.reasons),
            "evidence": {shown: asdict(one) for shown, one in self.held_out.items()},
            "limits": asdict(self.limits),
        }


def policy_of(limits: Limits) -> Policy:
    """Accuracy and consistency may not be lost; the leans are shown, and stop nothing."""
    required = Rule(margin=limits.most_loss, least_units=0)
    shown = Rule(margin=0.05, required=False, weight=0.0, least_units=0)
    return Policy(
        guards={"labels": required, "consistency": required, "position": shown, "length": shown}
    )


def decided(new: ByFormat, baselines: Mapping[str, ByFormat], limits: Limits) -> Publication:
    """Decide on the verdicts of all judges on the same held-out examples.

    Args:
        new: format -> the new judge's items.
        baselines: `CURRENT`, and `BEST` where that is another judge -> format -> its items in the same order.

    Without any format or baseline the judge is not published.

    Raises:
        ValueError: a baseline has another number of items.
    """
    given = {shown: rows for shown, rows in new.items() if rows}
    held_out = {shown: _held_out(rows) for shown, rows in given.items()}
    comparisons = [
        Comparison(baseline=name, shown=shown, evidence=Evidence.of(_items(rows, judged[shown])))
        for name, judged in baselines.items()
        for shown, rows in given.items()
    ]
    decision = decide(comparisons, policy_of(limits))
    reasons = [
        reason for shown, one in held_out.items() for reason in _unreliable(shown, one, limits)
    ]
    reasons += decision.reasons if held_out else ["no held-out example"]
    publish = not reasons
    return Publication(
        publish=publish,
        best=publish and _is_best(decision, BEST if BEST in baselines else CURRENT),
        reasons=reasons,
        held_out=held_out,
        decision=decision,
        limits=limits,
    )


def _unreliable(shown: str, one: HeldOut, limits: Limits) -> list[str]:
    """What the paired tests cannot show: that there is enough to read, and little that cannot be read."""
    reasons = []
    if one.read < limits.least_examples:
        reasons.append(
            f"{shown}: {one.read} of {one.n} held-out examples could be read, {limits.least_examples} are"
            " needed"
        )
    unread = one.n - one.read
    if unread > Fraction(str(limits.most_unscored)) * one.n:
        reasons.append(
            f"{shown}: {unread} of {one.n} replies are unreadable ({unread / one.n:.1%}),"
            f" {limits.most_unscored:.1%} may be"
        )
    return reasons


def _is_best(decision: Decision, baseline: str) -> bool:
    accuracy = [f for f in decision.findings if (f.guard, f.baseline) == ("labels", baseline)]
    return any(f.outcome is Outcome.BETTER for f in accuracy) and all(
        f.gained >= f.lost for f in accuracy
    )


def _held_out(rows: Sequence[PairOutcome]) -> HeldOut:
    return HeldOut(
        n=len(rows),
        read=sum(row.verdict is not None for row in rows),
        right=sum(row.right for row in rows),
        prompts=len({_prompt(row, at) for at, row in enumerate(rows)}),
    )


def _items(new: Sequence[PairOutcome], old: Sequence[PairOutcome]) -> list[PairedItem]:
    return [
        PairedItem(
            id=f"{at}",
            prompt=_prompt(one, at),
            new=_judgement(one),
            old=_judgement(other),
            label=one.truth,
            longer=one.longer,
        )
        for at, (one, other) in enumerate(zip(new, old, strict=True))
    ]


def _prompt(row: PairOutcome, at: int) -> str:
    return row.cluster or f"example {at}"


def _judgement(row: PairOutcome) -> Judgement:
    return Judgement(
        status=Status.UNSCORED if row.verdict is None else Status.SCORED,
        outcome=row.verdict,
        consistent=row.consistent,
        lean=row.lean,
    )
