"""Simulated days of a release under watch."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np

from judgestream.evaluation.alarms.policy import AlarmPolicy, AlarmRule, Side
from judgestream.evaluation.alarms.watch import ReleaseState, watch
from judgestream.evaluation.clusters import share_of_counts
from judgestream.evaluation.probes import Counts
from judgestream.evaluation.time_windows import TimeWindow

MORNING = datetime(2026, 1, 1, tzinfo=UTC)
WINDOW = timedelta(minutes=5)
WINDOWS = 288

RULES = (
    AlarmRule(
        name="inconsistent", metric="flip_consistency", side=Side.BELOW, limit=0.7, clear=0.75
    ),
    AlarmRule(name="ties", metric="tie_rate", side=Side.ABOVE, limit=0.2, clear=0.15),
    AlarmRule(name="unreadable", metric="unscored_rate", side=Side.ABOVE, limit=0.05, clear=0.03),
)
POLICY = AlarmPolicy(false_share=0.05, rules=RULES)
AT_THE_LIMIT = {rule.name: rule.limit for rule in RULES}
COUNTED = {
    "inconsistent": ("consistent", "ordered", None),
    "ties": ("tied", None, "untied"),
    "unreadable": ("unscored", None, "scored"),
}
"""Rule -> the names of the count, of all, and of the rest."""


@dataclass(frozen=True, kw_only=True)
class Traffic:
    """Of one window: prompts, verdicts on each, and their correlation."""

    prompts: int
    verdicts: int = 1
    correlation: float = 0.0

    def __str__(self) -> str:
        told = f"{self.prompts} prompts"
        return told if self.verdicts == 1 else f"{told} x {self.verdicts}, ICC {self.correlation}"


def window_counts(draw: np.random.Generator, of: Traffic, shares: dict[str, float]) -> list[Counts]:
    """The counts of every prompt. A prompt's verdicts are equal with the probability that gives the
    correlation."""
    found: list[dict[str, int]] = [{} for _ in range(of.prompts)]
    for rule, share in shares.items():
        name, total, rest = COUNTED[rule]
        copied = draw.random(of.prompts) < of.correlation
        hits = np.where(
            copied,
            of.verdicts * (draw.random(of.prompts) < share),
            draw.binomial(of.verdicts, share, of.prompts),
        ).tolist()
        for counts, hit in zip(found, hits, strict=True):
            counts[name] = hit
            if total is not None:
                counts[total] = of.verdicts
            if rest is not None:
                counts[rest] = of.verdicts - hit
    return list(found)


def day(
    draw: np.random.Generator, of: Traffic, *, changed: dict[str, float], windows: int = WINDOWS
) -> list[tuple[int, str]]:
    """The alarms raised on a day on which these rules' shares are changed and all others at their limit:
    (number of the window, rule)."""
    state, raised = ReleaseState(), list[tuple[int, str]]()
    shares = {**AT_THE_LIMIT, **changed}
    for number in range(windows):
        start = MORNING + number * WINDOW
        state, changes = watch(
            state,
            POLICY,
            release="r",
            window=TimeWindow(start=start, end=start + WINDOW),
            by_prompt=window_counts(draw, of, shares),
            hop=WINDOW,
        )
        raised += [(number, change.rule.name) for change in changes if change.raised]
    return raised


def naive_day(draw: np.random.Generator, of: Traffic) -> bool:
    """Whether any of a day's 95 % intervals excludes its limit, with everything at its limit."""
    for _ in range(WINDOWS):
        counts = window_counts(draw, of, AT_THE_LIMIT)
        for rule in RULES:
            if _excludes(rule, counts):
                return True
    return False


def _excludes(rule: AlarmRule, counts: Sequence[Counts]) -> bool:
    name, total, rest = COUNTED[rule.name]
    cells = [
        (of[name], of[total or name] if total else of[name] + of[rest or name]) for of in counts
    ]
    found = share_of_counts(cells)
    if found is None or found.interval is None:
        return False
    if rule.side is Side.ABOVE:
        return found.interval.low > rule.limit
    return found.interval.high < rule.limit
