"""Findings of published evidence by the guards that a policy requires."""

from judgestream.core.rollout.state import Evidence, Finding
from judgestream.evaluation.gate import Outcome, Policy

ENOUGH = frozenset({Outcome.BETTER, Outcome.NOT_WORSE})
"""Decisions with which a release may take the baseline's place."""


def required(evidence: Evidence, policy: Policy, outcome: Outcome) -> list[Finding]:
    """The findings with this outcome of guards that the policy requires."""
    return [
        one
        for one in evidence.findings
        if one.decision == outcome
        and one.guard in policy.guards
        and policy.guards[one.guard].required
    ]
