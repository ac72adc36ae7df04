"""What one verdict adds to the counts, worked by hand."""

import json
from collections import Counter
from pathlib import Path

import pytest

from judgestream.core.types import PassResult, Reading, Status, Unreadable, Verdict
from judgestream.evaluation.probes import PROBES, Counts
from judgestream.evaluation.probes import observe as observe_all
from tests.core.build import EQUAL, FIRST, SECOND, UNREAD, result, verdict

NAMES = ("position", "places", "ties", "unscored", "length")
SHOWN = {name: PROBES[name] for name in NAMES}


def observe(one: Verdict) -> Counts:
    """The counts of the probes that this module is about."""
    return observe_all(one, SHOWN)


def both(straight: Reading | Unreadable, swapped: Reading | Unreadable) -> tuple[PassResult, ...]:
    return result("straight", straight), result("swapped", swapped)


# Readings in candidate order: straight, swapped (restored) -> where the judge leans.
LEANS = [
    (FIRST, FIRST, "consistent"),
    (EQUAL, EQUAL, "consistent"),
    (FIRST, SECOND, "toward_first"),  # each time the one that was shown first
    (FIRST, EQUAL, "toward_first"),
    (EQUAL, SECOND, "toward_first"),
    (SECOND, FIRST, "toward_second"),
    (EQUAL, FIRST, "toward_second"),
    (SECOND, EQUAL, "toward_second"),
]


@pytest.mark.parametrize(("straight", "swapped", "lean"), LEANS)
def test_both_orders_read_give_one_lean(straight: Reading, swapped: Reading, lean: str) -> None:
    counts = observe(verdict(tie=True, passes=both(straight, swapped)))
    assert counts == {"n": 1, "scored": 1, "tied": 1, "ordered": 1, lean: 1}


@pytest.mark.parametrize(
    "passes",
    [
        (),
        (result("straight", FIRST),),
        (result("swapped", FIRST),),
        both(UNREAD, FIRST),
        both(FIRST, UNREAD),
        (result("straight+reference", FIRST), result("swapped", SECOND)),  # no twins
    ],
)
def test_without_both_orders_there_is_no_lean(passes: tuple[PassResult, ...]) -> None:
    counts = observe(verdict(status=Status.UNSCORED, passes=passes))
    assert counts == {"n": 1, "unscored": 1}


def test_a_verdict_with_two_twins_counts_once_by_its_first() -> None:
    with_reference = (result("straight+reference", FIRST), result("swapped+reference", FIRST))
    without = both(FIRST, SECOND)
    counts = observe(verdict(winner="a", passes=(*with_reference, *without)))
    assert counts == {
        "n": 1,
        "scored": 1,
        "untied": 1,
        "length_pairs": 1,
        "ordered": 1,
        "consistent": 1,
    }


def test_an_unreadable_first_twin_leaves_the_second_to_measure() -> None:
    broken = (result("straight+reference", FIRST), result("swapped+reference", UNREAD))
    counts = observe(verdict(status=Status.UNSCORED, passes=(*broken, *both(FIRST, SECOND))))
    assert counts == {"n": 1, "unscored": 1, "ordered": 1, "toward_first": 1}


# winner, characters of a and b -> the counts beside n, scored, untied
LENGTHS = [
    ("a", (20, 10), {"length_pairs": 1, "longer_won": 1}),
    ("b", (10, 20), {"length_pairs": 1, "longer_won": 1}),
    ("a", (10, 20), {"length_pairs": 1}),
    ("b", (20, 10), {"length_pairs": 1}),
    ("a", (10, 10), {"equal_length": 1}),
    ("b", (0, 0), {"equal_length": 1}),
    ("a", (0, 3), {"length_pairs": 1}),
]


@pytest.mark.parametrize(("winner", "lengths", "expected"), LENGTHS)
def test_length_of_the_winner(
    winner: str, lengths: tuple[int, int], expected: dict[str, int]
) -> None:
    counts = observe(verdict(winner=winner, lengths=lengths))
    assert counts == {"n": 1, "scored": 1, "untied": 1, **expected}


def test_a_tie_says_nothing_about_length() -> None:
    counts = observe(verdict(tie=True, lengths=(1, 1000)))
    assert counts == {"n": 1, "scored": 1, "tied": 1}


def test_a_failed_verdict_counts_as_failed_only() -> None:
    counts = observe(verdict(status=Status.FAILED, lengths=()))
    assert counts == {"n": 1, "failed": 1}


def test_a_single_answer_is_neither_tied_nor_untied_nor_ordered() -> None:
    one = result("straight+reference", Reading(means=(7.0,), greedy=(7.0,)))
    counts = observe(verdict(lengths=(5,), passes=(one,)))
    assert counts == {"n": 1, "scored": 1}


def test_humans_prefer_the_longer_answer_of_auto_j_as_published(shared_data: Path) -> None:
    """Auto-J's test set (arXiv 2310.05470): the longer answer wins 71.8 % of unequal, untied pairs."""
    total: Counter[str] = Counter()
    for line in (
        (shared_data / "autoj" / "test" / "testdata_pairwise.jsonl").read_text().splitlines()
    ):
        row = json.loads(line)
        total.update(
            observe(
                verdict(
                    winner={0: "a", 1: "b", 2: ""}[row["label"]],
                    tie=row["label"] == 2,
                    lengths=(len(row["response 1"]), len(row["response 2"])),
                )
            )
        )
    assert total["n"] == 1392
    assert total["tied"] == 373
    assert round(100 * total["longer_won"] / total["length_pairs"], 1) == 71.8
