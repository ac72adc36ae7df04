"""Readiness of an instance of the rollout service."""

from dataclasses import dataclass

import pytest

from judgestream.apps.rollout.checks import leadership_check, topic_check
from judgestream.apps.rollout.instance import Instance

OTHER = Instance(address="10.0.0.8:28003", host="h", pid_space=1, pid=2, start="s").text


@dataclass
class Led:
    leads: bool = False
    holder: str = ""
    problem: str = ""


@pytest.mark.parametrize(
    ("led", "ok", "detail"),
    [
        (Led(leads=True, holder="me"), True, "leads"),
        (Led(holder=OTHER), True, "follows 10.0.0.8:28003"),
        (Led(problem="store_unavailable: secret"), False, "no instance leads: store_unavailable"),
        (
            Led(holder="me"),
            False,
            "no instance leads: it has not begun yet, or its lease has run out",
        ),
    ],
)
def test_an_instance_leads_or_follows(led: Led, ok: bool, detail: str) -> None:
    check = leadership_check(led, "me")
    assert (check.ok, check.detail) == (ok, detail)


def test_the_state_must_be_known() -> None:
    assert topic_check("").ok
    check = topic_check("the topic is being read")
    assert (check.ok, check.detail) == (False, "the topic is being read")
