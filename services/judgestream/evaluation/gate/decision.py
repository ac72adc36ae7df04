"""The decision: better, not worse, worse or undecided, with a finding for every guard and baseline.

**Not worse** (by the margin) is claimed of a judge only if every required guard shows it against every
baseline, each at the full alpha. That needs no correction: if the judge is worse by the margin on some
guard, to accept it one has to reject a true hypothesis about that guard, and the probability of that is at
most alpha, whatever the other guards say (intersection-union test; Berger 1982, Technometrics 24(4),
295-300).

**Better and worse** are claims that any guard may make alone, so they share one budget: of alpha, each
guard gets its weight's share, each comparison an equal part of that, and each direction half. By
Bonferroni's inequality the probability that a judge equal to the others is ever called better or worse, on
any guard against any baseline, is at most alpha. A loss that is shown to be within the margin is not called
worse.

All of it holds at every look at once, see `evaluation.sequential`. The set of comparisons has to be chosen
before the evidence is seen, as the policy has to be.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from math import exp, fsum, inf, log

from judgestream.evaluation.gate.evidence import Evidence, Tally
from judgestream.evaluation.gate.guards import GUARDS, Guard, Kind, PairUnits, differences
from judgestream.evaluation.gate.policy import Policy, Rule
from judgestream.evaluation.sequential import (
    log_e_above,
    lower_bound,
    mean_of,
    mirrored,
    units_needed,
)
from judgestream.evaluation.sequential_magnitude import (
    exchanged,
    lean_units_needed,
    theta_e_values,
    theta_of,
)


class Outcome(StrEnum):
    BETTER = "better"
    NOT_WORSE = "not_worse"
    WORSE = "worse"
    UNDECIDED = "undecided"

    @property
    def accepts(self) -> bool:
        """Whether the judge may take the baseline's place."""
        return self in (Outcome.BETTER, Outcome.NOT_WORSE)


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """A judge's evidence against one baseline, such as "stable" or "best".

    shown   the part of the items that it is about, where they are compared in parts; otherwise ""
    """

    baseline: str
    evidence: Evidence
    shown: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One guard against one baseline. Numbers are differences that are positive for a better judge, -1 to 1.

    new, old         mean over prompts of the judges' own numbers; None without any
    estimate         the observed difference; None without any
    low, high        the difference lies above `low`, and below `high`, each with confidence 1 - alpha, at all
                     looks together
    units            prompts that the test counts
    items, repeated  items that the guard applies to; those of them that came after their prompt was counted
    gained, lost     items on which the new judge is better, or worse
    e_not_worse      e-value against a loss of the margin or more; 1 / alpha shows that it is less
    e_better         e-value against "no better", e_worse: against "no worse"; both need `e_needed`;
                     None if the guard's share of the error budget is 0
    needed           prompts at which an equal judge that differs this much is found not worse in 4 of 5 cases
    why              the sentence with these numbers
    """

    guard: str
    baseline: str
    shown: str
    outcome: Outcome
    required: bool
    margin: float
    new: float | None
    old: float | None
    estimate: float | None
    low: float
    high: float
    units: int
    items: int
    repeated: int
    gained: int
    lost: int
    e_not_worse: float
    e_better: float
    e_worse: float
    e_needed: float | None
    least_units: int
    needed: int
    why: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """The outcome over all required guards and all baselines.

    better      not worse, and better than each baseline on a required guard
    not_worse   every required guard is better or not worse, against every baseline
    worse       some required guard is worse
    undecided   none of these yet
    reasons     one sentence for each required guard that decides against the judge or is not decided
    """

    outcome: Outcome
    reasons: Sequence[str]
    findings: Sequence[Finding]
    alpha: float

    @property
    def breached(self) -> Sequence[Finding]:
        """Required guards that are worse: grounds for a rollback."""
        return [f for f in self.findings if f.required and f.outcome is Outcome.WORSE]


def decide(comparisons: Sequence[Comparison], policy: Policy) -> Decision:
    """Apply every guard of the policy to every comparison.

    Without comparisons the decision is undecided.
    """
    findings = [
        _finding(GUARDS[name], rule, one, policy, parts=len(comparisons))
        for one in comparisons
        for name, rule in policy.guards.items()
    ]
    required = [finding for finding in findings if finding.required]
    reasons = [finding.why for finding in required if not finding.outcome.accepts]
    return Decision(
        outcome=_overall(required),
        reasons=reasons if findings else ["nothing was compared"],
        findings=findings,
        alpha=policy.alpha,
    )


def _overall(required: Sequence[Finding]) -> Outcome:
    outcomes = {finding.outcome for finding in required}
    if Outcome.WORSE in outcomes:
        return Outcome.WORSE
    if Outcome.UNDECIDED in outcomes or not outcomes:
        return Outcome.UNDECIDED
    beaten = {finding.baseline for finding in required if finding.outcome is Outcome.BETTER}
    everyone = {finding.baseline for finding in required}
    return Outcome.BETTER if beaten == everyone else Outcome.NOT_WORSE


@dataclass(frozen=True, kw_only=True, slots=True)
class _Tests:
    """What the units say about a guard's difference. `above` and `below` map a difference to the logarithm of
    the e-value against "at most this", and "at least this"."""

    above: Callable[[float], float]
    below: Callable[[float], float]
    estimate: Callable[[], float]
    needed: Callable[[float, float], int]


def _tests(guard: Guard, units: PairUnits) -> _Tests:
    if guard.kind is Kind.MAGNITUDE:
        theta_above, other = theta_e_values(units), theta_e_values(exchanged(units))
        return _Tests(
            above=theta_above,
            below=lambda theta: other(-theta),
            estimate=lambda: theta_of(units),
            needed=lambda margin, alpha: lean_units_needed(units, margin, alpha=alpha),
        )
    gains = differences(units)
    losses = mirrored(gains)
    return _Tests(
        above=lambda mean: log_e_above(gains, mean),
        below=lambda mean: log_e_above(losses, -mean),
        estimate=lambda: mean_of(gains),
        needed=lambda margin, alpha: units_needed(gains, margin, alpha=alpha),
    )


def _finding(
    guard: Guard, rule: Rule, comparison: Comparison, policy: Policy, *, parts: int
) -> Finding:
    tally = comparison.evidence.tallies[guard.name]
    units = sum(tally.units.values())
    tests = _tests(guard, tally.units)
    budget = policy.alpha * policy.budget(guard.name) / (2 * parts)
    not_worse, better, worse = tests.above(-rule.margin), tests.above(0.0), tests.below(0.0)
    accepted = units >= rule.least_units and not_worse >= -log(policy.alpha)
    claim = -log(budget) if budget else inf
    outcome = Outcome.UNDECIDED
    if accepted:
        outcome = Outcome.BETTER if better >= claim else Outcome.NOT_WORSE
    elif worse >= claim and not_worse < -log(policy.alpha):
        outcome = Outcome.WORSE
    found = Finding(
        guard=guard.name,
        baseline=comparison.baseline,
        shown=comparison.shown,
        outcome=outcome,
        required=rule.required,
        margin=rule.margin,
        new=_level(tally, 0),
        old=_level(tally, 1),
        estimate=tests.estimate() if units else None,
        low=lower_bound(tests.above, policy.alpha),
        high=-lower_bound(lambda mean: tests.below(-mean), policy.alpha),
        units=units,
        items=len(tally.items),
        repeated=tally.repeated,
        gained=tally.gained,
        lost=tally.lost,
        e_not_worse=_finite(not_worse),
        e_better=_finite(better),
        e_worse=_finite(worse),
        e_needed=_finite(claim) if budget else None,
        least_units=rule.least_units,
        needed=max(rule.least_units, tests.needed(rule.margin, policy.alpha)),
        why="",
    )
    return replace(found, why=sentence(found))


def sentence(found: Finding) -> str:
    """What a finding says, with its numbers."""
    about = f"{found.guard}{f' {found.shown}' if found.shown else ''} against {found.baseline}"
    if found.estimate is None:
        return f"{about}: no item shows it, and at least {found.needed} prompts are needed"
    said = (
        f"{about}: {found.estimate:+.3f}, above {found.low:+.3f} and below {found.high:+.3f}"
        f" ({found.units} prompts, {found.items} items{_moved(found)})"
    )
    if found.outcome is Outcome.BETTER:
        return f"{said}; better"
    if found.outcome is Outcome.NOT_WORSE:
        return f"{said}; not worse by {found.margin:.3f}"
    if found.outcome is Outcome.WORSE:
        return f"{said}; worse"
    return (
        f"{said}; undecided: above {-found.margin:+.3f} is required, and an equal judge needs about"
        f" {found.needed} prompts to show it"
    )


def _moved(found: Finding) -> str:
    if GUARDS[found.guard].kind is Kind.MAGNITUDE:  # its items are neither gains nor losses alone
        return ""
    return f", {found.gained} gained, {found.lost} lost"


def _level(tally: Tally, side: int) -> float | None:
    n = sum(tally.units.values())
    return fsum(pair[side] * count for pair, count in tally.units.items()) / n if n else None


def _finite(log_e: float) -> float:
    """An e-value that fits a double."""
    return exp(min(log_e, MOST_LOG_E))


MOST_LOG_E = 690.0
