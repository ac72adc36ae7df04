"""Decisions as plain data: for JSON, for protobuf's maps of numbers, and back."""

from collections.abc import Mapping
from dataclasses import asdict
from math import isfinite
from typing import Any, get_type_hints

from judgestream.core.limits import quoted
from judgestream.evaluation.gate.decision import Decision, Finding, Outcome

SHOWN = ("estimate", "low", "high", "new", "old", "units", "e_not_worse", "e_worse", "needed")
"""The numbers of a finding that `figures` gives."""


def as_data(decision: Decision) -> dict[str, Any]:
    """A decision as dicts, lists, strings and finite numbers; None where there is no number."""
    return {
        "outcome": str(decision.outcome),
        "alpha": decision.alpha,
        "reasons": list(decision.reasons),
        "findings": [
            {**asdict(finding), "outcome": str(finding.outcome)} for finding in decision.findings
        ],
    }


def from_data(data: Mapping[str, Any]) -> Decision:
    """The inverse of `as_data`, also after JSON. Keys that this version does not know are ignored.

    Raises:
        ValueError: a key is missing, or a value is not what it should be.
    """
    try:
        return Decision(
            outcome=Outcome(data["outcome"]),
            alpha=_value("alpha", data["alpha"], float),
            reasons=[str(reason) for reason in data["reasons"]],
            findings=[
                Finding(**{name: _value(name, row[name], kind) for name, kind in KINDS.items()})
                for row in data["findings"]
            ],
        )
    except (KeyError, TypeError) as error:
        raise ValueError(f"not a decision: {error!r} is missing or malformed") from error


KINDS = get_type_hints(Finding)


def _value(name: str, value: Any, kind: Any) -> Any:
    """The value of a field in its type; JSON has no difference between 1 and 1.0."""
    if kind is Outcome:
        return Outcome(value)
    if kind in (float, float | None) and isinstance(value, int) and not isinstance(value, bool):
        value = float(min(max(value, -(10**300)), 10**300))
    whole = kind is not int or not isinstance(value, bool)
    finite = not isinstance(value, float) or isfinite(value)
    if not (isinstance(value, kind) and whole and finite):
        raise ValueError(f"not a decision: {name} is {quoted(value)}")
    return value


def figures(decision: Decision) -> dict[str, float]:
    """The numbers that a decision rests on: "baseline.guard.number", or "baseline.shown.guard.number"."""
    found = {}
    for finding in decision.findings:
        where = ".".join(filter(None, (finding.baseline, finding.shown, finding.guard)))
        for name in SHOWN:
            value = getattr(finding, name)
            if value is not None:
                found[f"{where}.{name}"] = float(value)
    return found
