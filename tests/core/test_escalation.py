"""The spending policy: what it asks, and what it refuses."""

import pytest

from judgestream.core.errors import ConfigurationError
from judgestream.core.escalation import Ask, EscalationPolicy

POLICY = EscalationPolicy(second_order_below=0.9, release_below=0.6, release="large")


@pytest.mark.parametrize(
    ("chances", "first", "both"),
    [
        ((0.95, 0.03, 0.02), Ask.NOTHING, Ask.NOTHING),
        ((0.02, 0.08, 0.9), Ask.NOTHING, Ask.NOTHING),
        ((0.1, 0.8, 0.1), Ask.SECOND_ORDER, Ask.NOTHING),
        ((0.5, 0.1, 0.4), Ask.SECOND_ORDER, Ask.RELEASE),
    ],
)
def test_what_is_asked(chances: tuple[float, float, float], first: Ask, both: Ask) -> None:
    assert POLICY.after_first(chances) is first
    assert POLICY.after_both(chances) is both


def test_without_a_second_order_the_release_is_asked_at_once() -> None:
    policy = EscalationPolicy(second_order_below=0.0, release_below=0.6, release="jury")
    assert policy.after_first((0.5, 0.1, 0.4)) is Ask.RELEASE
    assert policy.after_first((0.7, 0.1, 0.2)) is Ask.NOTHING


def test_from_a_mapping() -> None:
    values = {"second_order_below": 0.9, "release_below": 0.6, "release": "large"}
    assert EscalationPolicy.from_mapping(values) == POLICY
    assert EscalationPolicy.from_mapping({"second_order_below": 1}).release == ""


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({}, "needs second_order_below"),
        ({"second_order_below": 0.5, "bellow": 1}, "unknown name 'bellow'"),
        ({"second_order_below": 90}, "second_order_below is 90: use a confidence from 0 to 1"),
        ({"second_order_below": float("nan")}, "second_order_below is nan"),
        ({"second_order_below": "0.9"}, "must be a number from 0 to 1, not '0.9'"),
        ({"second_order_below": True}, "must be a number"),
        ({"second_order_below": 0.9, "release_below": 0.5}, "no release is named"),
        ({"second_order_below": 0.9, "release": "x"}, "would never be asked"),
        ({"second_order_below": 0.9, "release": 7}, "must be the name of a release, not 7"),
    ],
)
def test_what_is_refused(values: dict[str, object], problem: str) -> None:
    with pytest.raises(ConfigurationError, match=problem):
        EscalationPolicy.from_mapping(values)
