"""The policy of the alarms: limits of metrics, and the share of alarms that may be false."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase
from types import MappingProxyType
from typing import NoReturn

from judgestream.core.errors import ConfigurationError
from judgestream.core.limits import quoted
from judgestream.evaluation.probes import PROBES, MetricDefinition

METRICS: Mapping[str, MetricDefinition] = MappingProxyType(
    {row.name: row for probe in PROBES.values() for row in probe.definitions}
)

MAX_RULES = 50
MAX_NAME = 64
LARGEST = 10**9


class Side(StrEnum):
    """On which side of the limit the metric is bad."""

    ABOVE = "above"
    BELOW = "below"


@dataclass(frozen=True, kw_only=True, slots=True)
class AlarmRule:
    """One limit.

    limit     of the metric, above 0 and below 1; the alarm is raised when the metric is surely beyond it
    side      where "beyond" is
    clear     the alarm is cleared when the metric is on the good side of this, which is not beyond the limit
    least     verdicts that it takes at least to raise, and to clear
    releases  pattern of the releases' names, such as `judgelm-*`
    """

    name: str
    metric: str
    side: Side
    limit: float
    clear: float
    least: int = 100
    releases: str = "*"

    @property
    def definition(self) -> MetricDefinition:
        return METRICS[self.metric]

    def applies_to(self, release: str) -> bool:
        return fnmatchcase(release, self.releases)

    def is_clear(self, value: float) -> bool:
        """Whether a value is good enough to clear the alarm."""
        return value <= self.clear if self.side is Side.ABOVE else value >= self.clear


@dataclass(frozen=True, kw_only=True, slots=True)
class AlarmPolicy:
    """`false_share`: bound of the expected share of false ones among the alarms of a release in a day (UTC).
    On a day without any fault, it bounds the probability of an alarm."""

    false_share: float = 0.05
    rules: tuple[AlarmRule, ...] = field(default=())

    def of(self, release: str) -> tuple[AlarmRule, ...]:
        """The rules for a release."""
        return tuple(rule for rule in self.rules if rule.applies_to(release))

    @classmethod
    def from_mapping(cls, data: object) -> "AlarmPolicy":
        """The policy of a parsed YAML file; see `apps/bias/alarms.yaml`.

        Raises:
            ConfigurationError: names the key, and how to fix it.
        """
        given = _mapping("the policy", data, ("false_share", "rules"))
        share = _between("false_share", given.get("false_share", 0.05), highest=0.5)
        rules = given.get("rules", {})
        if not isinstance(rules, Mapping) or len(rules) > MAX_RULES:
            _refuse("rules", f"must be a mapping of at most {MAX_RULES} rules by name")
        return cls(false_share=share, rules=tuple(_rule(name, row) for name, row in rules.items()))


KEYS = ("metric", "above", "below", "clear", "least", "releases")


def _rule(name: object, data: object) -> AlarmRule:
    if not isinstance(name, str) or not 0 < len(name) <= MAX_NAME or not name.isprintable():
        _refuse("rules", f"{quoted(str(name))} must be a name of up to {MAX_NAME} characters")
    where = f"rules.{name}"
    row = _mapping(where, data, KEYS)
    metric = row.get("metric")
    if not isinstance(metric, str) or metric not in METRICS:
        _refuse(f"{where}.metric", f"{quoted(metric)} is unknown: use one of {', '.join(METRICS)}")
    sides = [side for side in Side if side in row]
    if len(sides) != 1:
        _refuse(where, "needs a limit: write either above or below, such as `above: 0.05`")
    side = sides[0]
    if side is Side.BELOW and METRICS[metric].against is not None:
        _refuse(f"{where}.below", f"{metric} is a magnitude, which is bad above a limit: use above")
    limit = _between(f"{where}.{side}", row[side])
    clear = _between(f"{where}.clear", row.get("clear", limit))
    if (clear > limit) if side is Side.ABOVE else (clear < limit):
        _refuse(f"{where}.clear", f"is {clear}, which lies {side} the limit: choose the other side")
    least, releases = row.get("least", 100), row.get("releases", "*")
    if isinstance(least, bool) or not isinstance(least, int) or not 1 <= least <= LARGEST:
        _refuse(
            f"{where}.least", f"is {quoted(str(least))}: use a whole number from 1 to {LARGEST}"
        )
    if not isinstance(releases, str):
        _refuse(f"{where}.releases", "must be a pattern of names, such as `judgelm-*`")
    return AlarmRule(
        name=name,
        metric=metric,
        side=side,
        limit=limit,
        clear=clear,
        least=least,
        releases=releases,
    )


def _mapping(where: str, data: object, known: tuple[str, ...]) -> Mapping[str, object]:
    if not isinstance(data, Mapping):
        _refuse(where, f"is {quoted(str(data))}: write a mapping of {', '.join(known)}")
    for key in data:
        if key not in known:
            _refuse(where, f"{quoted(str(key))} is unknown: use one of {', '.join(known)}")
    return data


def _between(where: str, value: object, *, highest: float = 1.0) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < highest:
        _refuse(where, f"is {quoted(str(value))}: use a number above 0 and below {highest:g}")
    return float(value)


def _refuse(where: str, problem: str) -> NoReturn:
    raise ConfigurationError(f"alarm policy: {where} {problem}")
