"""Raising and clearing of a release's alarms, window by window.

**Raising.** A day (UTC) of a release is a family of at most N tests: its windows times its rules. Every
window tests "the metric has been within the limit all day" by the average of two e-values: that of the
window, and that of all runs of windows that end with it (Shiryaev and Roberts' sum, divided by the number of
windows). So a strong change shows at once, and a weak one when it lasts. The test rejects at e >= N / (share
(R + 1)), R being the alarms raised before on that day. This is e-LOND with equal weights: the expected share
of false ones among the alarms of a day is at most `share`, whatever the dependence between the tests.

**Clearing.** From then on windows are added up until they have `least` verdicts; if their metric is on the
good side of `clear`, the alarm is cleared, else the sum starts again.

The sum over runs needs windows that are independent. Windows that overlap therefore count alone.

Sources: Xu and Ramdas (2024), "Online multiple testing with e-values", AISTATS; Shin, Ramdas and Rinaldo
(2024), "E-detectors", New England J. Stat. Data Sci. 2:229, for the sum.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from math import ceil, exp, inf, isfinite, log, log1p

from judgestream.evaluation.alarms.evidence import cells, log_evidence, value_of
from judgestream.evaluation.alarms.policy import AlarmPolicy, AlarmRule
from judgestream.evaluation.probes import Counts
from judgestream.evaluation.time_windows import TimeWindow

DAY = timedelta(days=1)
LARGEST = 600.0
"""Logarithm at which evidence stops to grow: e to this power is a float."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RuleState:
    """One rule's state for a release.

    log_sum   while not raised: logarithm of Shiryaev and Roberts' sum of the day
    windows   while not raised: tests of the day
    n, x, y   verdicts since the day began, or since the alarm was raised; and those counted for and against
    told      the alarm has been published
    """

    raised: bool = False
    told: bool = False
    log_sum: float = -inf
    windows: int = 0
    n: int = 0
    x: int = 0
    y: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class ReleaseState:
    """What is remembered of a release.

    day      ISO date of the last window
    end      of the last window, ISO; earlier ones are not tested any more
    raises   alarms raised on that day
    rules    by name; also rules that the policy no longer has, while their alarms are raised
    """

    day: str = ""
    end: str = ""
    raises: int = 0
    rules: Mapping[str, RuleState] = field(default_factory=dict)

    def as_json(self) -> str:
        values = asdict(self)
        for rule in values["rules"].values():
            rule["log_sum"] = None if rule["log_sum"] == -inf else rule["log_sum"]
        return json.dumps(values)

    @classmethod
    def from_json(cls, text: str) -> "ReleaseState":
        """An empty state for a text that is not one."""
        try:
            values = json.loads(text)
            rules = {
                str(name): RuleState(
                    raised=bool(row["raised"]),
                    told=bool(row["told"]),
                    log_sum=_number(row["log_sum"]),
                    **{key: int(row[key]) for key in ("windows", "n", "x", "y")},
                )
                for name, row in dict(values["rules"]).items()
            }
            return cls(
                day=str(values["day"]),
                end=str(values["end"]),
                raises=int(values["raises"]),
                rules=rules,
            )
        except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
            return cls()


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """An alarm that was raised or cleared, or that has `least` verdicts for the first time.

    value     of the metric in the window, or in the windows since the alarm was raised; of `n` verdicts
    evidence  e-value for the alarm, and how much was needed; 0 unless it was raised
    first     it is cleared without having been raised, as far as is remembered
    """

    rule: AlarmRule
    raised: bool
    value: float | None
    n: int
    evidence: float = 0.0
    needed: float = 0.0
    first: bool = False


def family_size(hop: timedelta, rules: int) -> int:
    """The most tests that a release's day can have."""
    return max(1, ceil(DAY / hop)) * max(1, rules)


def watch(
    state: ReleaseState,
    policy: AlarmPolicy,
    *,
    release: str,
    window: TimeWindow,
    by_prompt: Sequence[Counts],
    hop: timedelta,
) -> tuple[ReleaseState, list[Change]]:
    """The state after one final window, and what has changed.

    Windows come in the order of their ends. One that is not later than the last changes nothing: a late
    correction raises no alarm.
    """
    end, day = window.end.isoformat(), _day(window.end)
    applied = policy.of(release)
    if state.end and window.end <= datetime.fromisoformat(state.end):
        return state, []
    rules, raises, changes = dict(state.rules), state.raises, list[Change]()
    if day != state.day:
        raises = 0
        rules = {
            name: one if one.raised else RuleState(told=one.told) for name, one in rules.items()
        }
    tests = family_size(hop, len(applied))
    alone = window.end - window.start > hop
    for rule in applied:
        before = rules.get(rule.name, RuleState())
        needed = tests / (policy.false_share * (raises + 1))
        found = cells(rule, by_prompt)
        after, change = _step(rule, before, found, needed, alone)
        if change is None and not after.told and after.n >= rule.least:
            value = value_of(rule, after.x, after.y, after.n)
            change = Change(rule=rule, raised=False, value=value, n=after.n, first=True)
        if change is not None:
            raises += change.raised
            changes.append(change)
            after = replace(after, told=True)
        rules[rule.name] = after
    return ReleaseState(day=day, end=end, raises=raises, rules=rules), changes


def withdrawn(state: ReleaseState, rules: Sequence[AlarmRule]) -> list[str]:
    """Names of the rules whose alarms are raised although these are now the release's rules."""
    names = {rule.name for rule in rules}
    return [name for name, one in state.rules.items() if one.raised and name not in names]


def without(state: ReleaseState, rules: Sequence[AlarmRule]) -> ReleaseState:
    """The state of these rules only."""
    names = {rule.name for rule in rules}
    return replace(state, rules={name: one for name, one in state.rules.items() if name in names})


def _step(
    rule: AlarmRule,
    before: RuleState,
    found: Sequence[tuple[int, int, int]],
    needed: float,
    alone: bool,
) -> tuple[RuleState, Change | None]:
    if not found:
        return before, None
    x, y, n = (sum(part) for part in zip(*found, strict=True))
    now = replace(before, x=before.x + x, y=before.y + y, n=before.n + n)
    if before.raised:
        if now.n < rule.least:
            return now, None
        value = value_of(rule, now.x, now.y, now.n)
        if not rule.is_clear(value):
            return RuleState(raised=True, told=True), None
        return RuleState(), Change(rule=rule, raised=False, value=value, n=now.n)
    of_window = log_evidence(rule, found)
    summed = of_window + _log_plus_one(before.log_sum)
    now = replace(now, windows=before.windows + 1, log_sum=min(summed, LARGEST))
    lasting = of_window if alone else now.log_sum - log(now.windows)
    highest = max(of_window, lasting)
    evidence = highest + log(0.5 * (exp(of_window - highest) + exp(lasting - highest)))
    if now.n < rule.least or evidence < log(needed):
        return now, None
    return RuleState(raised=True), Change(
        rule=rule,
        raised=True,
        value=value_of(rule, x, y, n),
        n=n,
        evidence=exp(min(evidence, LARGEST)),
        needed=needed,
    )


def _log_plus_one(logarithm: float) -> float:
    """log(1 + e^x)."""
    return logarithm + log1p(exp(-logarithm)) if logarithm > 0 else log1p(exp(logarithm))


def _day(end: datetime) -> str:
    """The day of a window that ends at this time: that of its last moment."""
    return (end - timedelta(microseconds=1)).date().isoformat()


def _number(value: object) -> float:
    """None stands for minus infinity, which JSON lacks."""
    if value is None:
        return -inf
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        raise ValueError("not a finite number")
    return float(value)
