"""One verdict per judgement, in any order of arrival."""

from dataclasses import replace
from datetime import timedelta
from itertools import permutations

import pytest

from judgestream.core.types import Status, Verdict
from judgestream.core.verdict_set import VerdictSet
from tests.core.build import verdict

FAILED = replace(verdict(status=Status.FAILED), content_digest="d")
UNSCORED = replace(verdict(status=Status.UNSCORED), content_digest="d")
SCORED = replace(verdict(winner="a"), content_digest="d")


def kept(*verdicts: Verdict) -> list[Verdict]:
    found: VerdictSet[Verdict] = VerdictSet()
    for one in verdicts:
        found.add(one, one)
    return list(found)


def test_a_redelivered_verdict_counts_once() -> None:
    found: VerdictSet[int] = VerdictSet()
    assert [found.add(SCORED, k) for k in range(3)] == [True, False, False]
    assert list(found) == [0]


@pytest.mark.parametrize("order", list(permutations([FAILED, UNSCORED, SCORED])))
def test_the_scored_verdict_of_an_id_is_kept_in_any_order(order: tuple[Verdict, ...]) -> None:
    assert kept(*order) == [SCORED]
    assert kept(*(one for one in order if one is not SCORED)) == [UNSCORED]


def test_the_verdict_of_an_undecodable_request_is_replaced_by_one_of_its_request_and_release() -> (
    None
):
    undecodable = replace(FAILED, verdict_id="of the bytes", content_digest="")
    assert kept(undecodable) == [undecodable]
    assert kept(undecodable, SCORED) == kept(SCORED, undecodable) == [SCORED]
    other = replace(undecodable, release="another")
    assert kept(other, SCORED) == [other, SCORED]


def test_two_contents_under_one_request_id_are_two_judgements() -> None:
    second = replace(SCORED, verdict_id="v2", content_digest="e")
    assert kept(SCORED, second) == [SCORED, second]


def test_of_equal_status_the_verdict_that_was_judged_last_is_kept_in_any_order() -> None:
    later = replace(SCORED, winner="b", judged_at=SCORED.judged_at + timedelta(seconds=1))
    assert kept(SCORED, later) == kept(later, SCORED) == [later]
