"""Checks of the rollout service's readiness, and what it tells callers while it does not lead."""

from typing import Protocol

from judgestream.apps.rollout.instance import address_of
from judgestream.process_health import Check


class Led(Protocol):
    """As `Leadership`."""

    @property
    def leads(self) -> bool: ...

    holder: str
    problem: str


def leadership_check(led: Led, instance: str) -> Check:
    """Ok where this instance leads, or follows one that does: callers are sent there."""
    if led.leads:
        return Check(name="leadership", ok=True, detail="leads")
    if led.holder and led.holder != instance:
        detail = f"follows {address_of(led.holder)}"
        return Check(name="leadership", ok=True, detail=detail)
    # the code: the log has the text
    why = led.problem.partition(":")[0] or "it has not begun yet, or its lease has run out"
    return Check(name="leadership", ok=False, detail=f"no instance leads: {why}")


def topic_check(problem: str) -> Check:
    """Whether the state of the rollout is read from its topic.

    Args:
        problem: `RolloutLog.problem`.
    """
    return Check(name="rollouts topic", ok=not problem, detail=problem or "read")


def not_leading_text(leadership: Led, instance: str) -> str:
    """Why this instance does not lead, and what its callers can do; "" if it leads."""
    if leadership.leads:
        return ""
    if leadership.holder and leadership.holder != instance:
        holder = address_of(leadership.holder)
        return f"another instance leads the rollout: send moves to {holder}"
    why = leadership.problem or "it has not begun yet, or its lease has run out"
    return f"no instance leads the rollout now: {why}. Try again in a few seconds"
