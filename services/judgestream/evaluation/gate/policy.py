"""The policy of a rollout: margins, error budget, and the rules of its stages."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from itertools import pairwise
from types import MappingProxyType
from typing import Any, NoReturn

from judgestream.core.errors import ConfigurationError
from judgestream.core.limits import quoted
from judgestream.evaluation.gate.guards import GUARDS


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """How one guard is applied.

    margin        loss that is accepted, above 0 and below 1
    required      whether a loss stops the judge; otherwise the finding is shown only
    weight        share of the error budget for saying better or worse, relative to the other guards; 0: the
                  guard never says so
    least_units   prompts below which nothing is called better or not worse
    """

    margin: float
    required: bool = True
    weight: float = 1.0
    least_units: int = 50


@dataclass(frozen=True, kw_only=True, slots=True)
class Automatic:
    """What the rollout service does without being asked."""

    promote: bool = False
    rollback: bool = True


DEFAULT_RULES: Mapping[str, Rule] = MappingProxyType(
    {
        "labels": Rule(margin=0.03, weight=2.0),
        "known_answers": Rule(margin=0.03, required=False, weight=2.0),
        "consistency": Rule(margin=0.03, weight=2.0),
        "position": Rule(margin=0.05),
        "length": Rule(margin=0.05, required=False),
        "format": Rule(margin=0.05, required=False),
        "scored": Rule(margin=0.02, weight=2.0),
        "latency": Rule(margin=0.2, required=False),
        "cost": Rule(margin=0.2, required=False),
    }
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Policy:
    """A policy that is complete and consistent; `apps/rollout/policy.yaml` explains every key.

    alpha                probability, at all looks together, of accepting a judge that is worse by a margin;
                         and of calling an equal judge better or worse on any guard
    guards               guard -> rule; a guard without one is not applied
    canary_share         share of the requests that a canary gets, above 0 and below 1
    canary_steps         shares that follow by themselves, rising, each below 1; after the last it is promoted
    canary_step_s        seconds that a canary keeps a share before it advances by itself
    least_shadow_units   prompts that a judge has to see in shadow before it becomes a canary
    watch_s, watch_share   seconds and share for which the former stable release judges in shadow after a
                         promotion with evidence, so that a loss that shows later is rolled back; 0 s: never

    Raises:
        ConfigurationError: a value out of range, an unknown guard, or no required one.
    """

    alpha: float = 0.05
    guards: Mapping[str, Rule] = field(default_factory=lambda: DEFAULT_RULES)
    automatic: Automatic = Automatic()
    canary_share: float = 0.1
    canary_steps: tuple[float, ...] = (0.5,)
    canary_step_s: float = 600.0
    least_shadow_units: int = 200
    watch_s: float = 3600.0
    watch_share: float = 0.2

    def __post_init__(self) -> None:
        _between("alpha", self.alpha, 0.0, 0.5)
        _between("canary_share", self.canary_share, 0.0, 1.0)
        _rising(self.canary_share, self.canary_steps)
        _seconds("canary_step_s", self.canary_step_s)
        _seconds("watch_s", self.watch_s)
        if not 0.0 < self.watch_share <= 1.0:
            _refuse("watch_share", f"is {self.watch_share}: use a share above 0 and at most 1")
        _count("least_shadow_units", self.least_shadow_units)
        for name, rule in self.guards.items():
            _known(f"guards.{name}", name, GUARDS)
            _between(f"guards.{name}.margin", rule.margin, 0.0, 1.0)
            _weight(f"guards.{name}.weight", rule.weight)
            _count(f"guards.{name}.least_units", rule.least_units)
        if not any(rule.required for rule in self.guards.values()):
            _refuse("guards", "no guard is required, so nothing would stop a judge: require one")

    def budget(self, guard: str) -> float:
        """The guard's share of the error budget, 0 to 1; the shares of all guards add up to 1."""
        total = sum(rule.weight for rule in self.guards.values())
        return self.guards[guard].weight / total if total else 0.0

    @classmethod
    def from_mapping(cls, data: object) -> "Policy":
        """The policy of a parsed YAML file. A key that is left out keeps its default. Where `guards` is
        given, a guard that it leaves out is not applied.

        Raises:
            ConfigurationError: names the key, and how to fix it.
        """
        given = _mapping("the policy", data, [f.name for f in fields(cls)])
        made: dict[str, Any] = {
            key: _number(key, given[key])
            for key in ("alpha", "canary_share", "canary_step_s", "watch_s", "watch_share")
            if key in given
        }
        if "canary_steps" in given:
            made["canary_steps"] = _numbers("canary_steps", given["canary_steps"])
        elif "canary_share" in made:
            # the default steps that are left above a first share of one's own
            usual = cls().canary_steps
            made["canary_steps"] = tuple(one for one in usual if one > made["canary_share"])
        if "least_shadow_units" in given:
            made["least_shadow_units"] = given["least_shadow_units"]
        if "automatic" in given:
            switches = _mapping(
                "automatic", given["automatic"], [f.name for f in fields(Automatic)]
            )
            made["automatic"] = Automatic(
                **{key: _switch(f"automatic.{key}", value) for key, value in switches.items()}
            )
        if "guards" in given:
            rules = _mapping("guards", given["guards"], list(GUARDS))
            made["guards"] = {name: _rule(name, rule) for name, rule in rules.items()}
        return cls(**made)


def _rule(guard: str, data: object) -> Rule:
    where = f"guards.{guard}"
    given = _mapping(where, data, [f.name for f in fields(Rule)])
    made: dict[str, Any] = {
        key: _number(f"{where}.{key}", given[key]) for key in ("margin", "weight") if key in given
    }
    if "margin" not in made:
        _refuse(f"{where}.margin", "is missing: state the loss that is accepted, such as 0.03")
    if "required" in given:
        made["required"] = _switch(f"{where}.required", given["required"])
    if "least_units" in given:
        made["least_units"] = given["least_units"]
    return Rule(**made)


def _mapping(where: str, data: object, known: list[str]) -> Mapping[str, object]:
    if not isinstance(data, Mapping):
        _refuse(where, f"is {quoted(str(data))}: write a mapping of {', '.join(known)}")
    for key in data:
        _known(where, key, known)
    return data


def _known(where: str, key: object, known: Mapping[str, object] | list[str]) -> None:
    if key not in known:
        _refuse(where, f"{quoted(str(key))} is unknown: use one of {', '.join(known)}")


def _number(where: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        _refuse(where, f"is {quoted(str(value))}: write a number, such as 0.03")
    return float(min(max(value, -LARGEST), LARGEST))


LARGEST = 10**9
"""No number of a policy is larger; a longer integer does not even fit a float."""


def _numbers(where: str, value: object) -> tuple[float, ...]:
    if not isinstance(value, list):
        _refuse(where, f"is {quoted(str(value))}: write a list of numbers, such as [0.5]")
    return tuple(_number(f"{where}[{k}]", one) for k, one in enumerate(value))


def _rising(first: float, steps: tuple[float, ...]) -> None:
    shares = (first, *steps)
    for k, (before, share) in enumerate(pairwise(shares)):
        if not before < share < 1.0:
            _refuse(
                f"canary_steps[{k}]",
                f"is {share}: use a share above {before:g}, the one before it, and below 1",
            )


def _switch(where: str, value: object) -> bool:
    if not isinstance(value, bool):
        _refuse(where, f"is {quoted(str(value))}: write true or false")
    return value


def _seconds(where: str, value: float) -> None:
    if not 0.0 <= value <= 1e7:
        _refuse(where, f"is {value}: use seconds, 0 to 10000000")


def _between(where: str, value: float, low: float, high: float) -> None:
    if not low < value < high:
        _refuse(where, f"is {value}: use a number above {low:g} and below {high:g}")


def _weight(where: str, value: float) -> None:
    if not 0.0 <= value <= 1e6:
        _refuse(where, f"is {value}: use a number from 0 to 1000000")


def _count(where: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= LARGEST:
        _refuse(where, f"is {quoted(str(value))}: use a whole number from 0 to 1000000000")


def _refuse(where: str, problem: str) -> NoReturn:
    raise ConfigurationError(f"rollout policy: {where} {problem}")
