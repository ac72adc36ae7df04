"""The verdicts that a filter admits."""

from dataclasses import replace
from datetime import timedelta

import pytest

from judgestream.core.types import PROBE_KEY, Status
from judgestream.core.verdict_filter import VerdictFilter
from tests.core.build import NOON, WON, verdict


@pytest.mark.parametrize(
    ("wanted", "admitted"),
    [
        (VerdictFilter(), True),
        (VerdictFilter(status=Status.SCORED, mode="pairwise"), True),
        (VerdictFilter(status=Status.FAILED), False),
        (VerdictFilter(mode="single"), False),
        (VerdictFilter(system="gpt-x"), True),
        (VerdictFilter(system="gpt"), False),
        (VerdictFilter(winner="ours"), True),
        (VerdictFilter(winner="b"), True),
        (VerdictFilter(winner="gpt-x"), False),
        (VerdictFilter(winner=""), False),
        (VerdictFilter(flipped=False), True),
        (VerdictFilter(flipped=True), False),
        (VerdictFilter(until=NOON), False),
        (VerdictFilter(until=NOON + timedelta(seconds=1)), True),
    ],
)
def test_a_filter_admits_verdicts_that_meet_all_conditions(
    wanted: VerdictFilter, admitted: bool
) -> None:
    assert wanted.admits(WON) is admitted


def test_probes_are_never_admitted() -> None:
    assert not VerdictFilter().admits(replace(WON, metadata={PROBE_KEY: "doctor"}))


def test_a_verdict_of_one_order_is_neither_flipped_nor_consistent() -> None:
    one_order = verdict(winner="a")
    assert one_order.flipped is None
    assert not VerdictFilter(flipped=True).admits(one_order)
    assert not VerdictFilter(flipped=False).admits(one_order)


def test_a_tie_has_no_winner_to_match() -> None:
    assert not VerdictFilter(winner="a").admits(verdict(tie=True))
