"""Places among three and more answers, counted by hand."""

from dataclasses import replace

import pytest

from judgestream.core.transforms import Transform
from judgestream.core.types import CandidateScore, PassResult, Reading, Reply, Verdict
from judgestream.evaluation.probes import observe, report
from judgestream.evaluation.probes.places import PLACES
from judgestream.evaluation.probes.ties import TIES
from tests.core.build import EQUAL, FIRST, UNREAD, result, verdict


def seen(order: str, scores: str) -> PassResult:
    """A pass: the order of its candidates, and their scores in shown order."""
    transform = Transform(order=tuple(map(int, order)))
    means = transform.invert([float(score) for score in scores])
    return PassResult(
        transform=transform, reading=Reading(means=means, greedy=means), reply=Reply(text="")
    )


def of(*passes: PassResult) -> Verdict:
    return replace(verdict(), mode="multi", passes=passes)


FIRST_PLACE = {"placed": 1, "toward_first_place": 1, "toward_last_place": 0}
LAST_PLACE = {"placed": 1, "toward_first_place": 0, "toward_last_place": 1}
NEITHER = {"placed": 1, "toward_first_place": 0, "toward_last_place": 0}
ROWS = {
    "always the first": (of(seen("012", "951"), seen("210", "951")), FIRST_PLACE),
    "always the last": (of(seen("012", "159"), seen("210", "259")), LAST_PLACE),
    "candidate 0, wherever": (of(seen("012", "951"), seen("210", "159")), NEITHER),
    "candidate 1, in the middle": (of(seen("012", "191"), seen("210", "191")), NEITHER),
    "ties at the top prefer no place": (of(seen("012", "991"), seen("210", "999")), NEITHER),
    "the first once, a tie once": (of(seen("012", "911"), seen("210", "955")), FIRST_PLACE),
    "rotations": (of(seen("012", "951"), seen("120", "951"), seen("201", "159")), FIRST_PLACE),
    "one order shows each answer once": (of(seen("012", "951")), {}),
    "two of three rotations": (of(seen("012", "951"), seen("120", "951")), {}),
    "an unreadable pass": (
        of(
            seen("012", "951"),
            PassResult(transform=Transform(order=(2, 1, 0)), reading=UNREAD, reply=Reply(text="?")),
        ),
        {},
    ),
    "a pair": (verdict(passes=(result("straight", FIRST), result("swapped", EQUAL))), {}),
    "nothing": (verdict(), {}),
}


@pytest.mark.parametrize("name", ROWS)
def test_places_by_hand(name: str) -> None:
    one, expected = ROWS[name]
    assert PLACES.observe(one) == expected


def test_the_metrics_are_shares_of_balanced_verdicts() -> None:
    counts = [observe(one) for one, _ in ROWS.values()]
    metrics = {metric.name: metric for metric in report(counts)}
    assert metrics["bias_toward_first_place"].value == 3 / 7
    assert metrics["bias_toward_last_place"].value == 1 / 7
    assert metrics["bias_toward_last_place"].n == 7


def test_a_tie_among_three_is_not_a_tie_of_two() -> None:
    scores = tuple(CandidateScore(candidate_id=name, score=5.0) for name in "abc")
    assert TIES.observe(replace(verdict(tie=True), scores=scores)) == {}
    assert TIES.observe(verdict(tie=True)) == {"tied": 1, "untied": 0}
