"""Items of two verdicts on one request."""

from dataclasses import replace

import pytest

from judgestream.core.preference import Preference
from judgestream.core.types import CandidateScore, Status, Style
from judgestream.evaluation.gate import GUARDS, Evidence, paired_item
from tests.core.build import FIRST, SECOND, UNREAD, result, verdict

SCORES = (
    CandidateScore(candidate_id="a", score=8.0, length=30, style=Style(words=5, list_items=2)),
    CandidateScore(candidate_id="b", score=6.0, length=20, style=Style(words=9, bold=3)),
)
BOTH = (result("straight", FIRST), result("swapped", FIRST))
FLIPPED = (result("straight", FIRST), result("swapped", SECOND))
OLD = replace(
    verdict(winner="a", passes=BOTH), scores=SCORES, latency_s=2.0, prompt_digest="p", cost=0.01
)
NEW = replace(OLD, winner="b", passes=FLIPPED, latency_s=1.0)


def test_the_item_says_what_the_guards_compare() -> None:
    item = paired_item(NEW, OLD, label=Preference.SECOND)
    assert (item.id, item.prompt) == (OLD.request_id, "p")
    assert (item.longer, item.formatted) == (Preference.FIRST, Preference.SECOND)
    assert (item.new.outcome, item.old.outcome) == (Preference.SECOND, Preference.FIRST)
    assert (item.new.consistent, item.new.lean) == (False, Preference.FIRST)
    assert (item.old.consistent, item.old.lean) == (True, Preference.TIE)
    assert {name: guard.numbers(item) for name, guard in GUARDS.items()} == {
        "labels": (1.0, 0.0),
        "known_answers": None,
        "consistency": (0.0, 1.0),
        "position": (1.0, 0.0),
        "length": (-1.0, 1.0),
        "format": (1.0, -1.0),
        "scored": (1.0, 1.0),
        "latency": (0.5, 0.0),
        "cost": (0.0, 0.0),
    }


def test_a_failed_verdict_is_an_item_that_counts_against_its_judge() -> None:
    failed = replace(OLD, status=Status.FAILED, winner="", scores=(), passes=(), latency_s=0.1)
    item = paired_item(failed, OLD, label=Preference.FIRST)
    assert item.longer is Preference.FIRST
    seen = Evidence.of([item]).tallies
    assert {name: dict(tally.units) for name, tally in seen.items() if tally.units} == {
        "labels": {(0.0, 1.0): 1},
        "consistency": {(0.0, 1.0): 1},
        "scored": {(0.0, 1.0): 1},
        "cost": {(0.0, 0.0): 1},
    }


def test_an_order_that_was_not_read_is_not_consistent() -> None:
    passes = (result("straight", FIRST), result("swapped", UNREAD))
    unread = replace(OLD, status=Status.UNSCORED, winner="", passes=passes)
    item = paired_item(unread, OLD)
    assert (item.new.consistent, item.new.lean, item.new.outcome) == (False, None, None)
    one_order = replace(OLD, passes=passes[:1])
    assert paired_item(one_order, OLD).new.consistent is None


def test_what_is_not_a_pair_of_answers_has_no_outcome_and_no_lengths() -> None:
    documents = replace(OLD, mode="rerank", winner="")
    item = paired_item(documents, documents)
    assert (item.new.outcome, item.longer, item.formatted) == (None, None, None)
    old_version = tuple(replace(score, style=None) for score in SCORES)
    one = replace(OLD, scores=old_version, prompt_digest="")
    item = paired_item(one, one)
    assert (item.longer, item.formatted) == (Preference.FIRST, None)
    assert item.prompt == OLD.request_id


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(replace(OLD, request_id="another"), id="another request"),
        pytest.param(replace(OLD, content_digest="other"), id="another content"),
    ],
)
def test_verdicts_on_different_contents_are_not_paired(other: object) -> None:
    with pytest.raises(ValueError, match="do not judge the same content: pair verdicts of one"):
        paired_item(replace(OLD, content_digest="this"), other)  # type: ignore[arg-type]
