"""Permission by the evidence for a move into more traffic. The only place that decides it."""

from judgestream.core.rollout.state import Action, Placed, Rollout
from judgestream.evaluation.gate import Policy

NEEDS_EVIDENCE = frozenset({Action.CANARY, Action.PROMOTE})
ENOUGH = frozenset({"better", "not_worse"})


def refusal(rollout: Rollout, placed: Placed, policy: Policy, action: Action) -> str:
    """Why the evidence does not allow the move; "" where it does. Without a stable release there is nothing
    to compare with, and nothing to protect."""
    if action not in NEEDS_EVIDENCE or not rollout.stable or placed.release == rollout.stable:
        return ""
    evidence = placed.evidence
    if evidence is not None and evidence.decision in ENOUGH:
        return ""
    found = (
        "there is no evidence yet"
        if evidence is None
        else f"the evidence is {evidence.decision}: {evidence.sentence}"
    )
    return f"cannot {action} {placed.release}: {found}. Wait for more verdicts, or use --force"
