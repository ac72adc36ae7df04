"""Decisions as plain data: for JSON, for protobuf's maps of numbers, and back."""

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

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
        ValueError: a key is missing, or an outcome is unknown.
    """
    names = {field.name for field in fields(Finding)}
    try:
        return Decision(
            outcome=Outcome(data["outcome"]),
            alpha=float(data["alpha"]),
            reasons=[str(reason) for reason in data["reasons"]],
            findings=[
                Finding(
                    **{
                        **{name: row[name] for name in names},
                        "outcome": Outcome(row["outcome"]),
                    }
                )
                for row in data["findings"]
            ],
        )
    except (KeyError, TypeError) as error:
        raise ValueError(f"not a decision: {error!r} is missing or malformed") from error


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
