import json
import random
from dataclasses import fields
from pathlib import Path

import pytest

from judgestream.core.types import PassResult, Reading, Status, Unreadable
from judgestream.evaluation.probes.counts import NAMES, BiasCounts
from tests.core.build import EQUAL, FIRST, SECOND, UNREAD, result, verdict


def nonzero(counts: BiasCounts) -> dict[str, int]:
    return {name: count for name, count in counts.as_mapping().items() if count}


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
    counts = BiasCounts.from_verdict(verdict(tie=True, passes=both(straight, swapped)))
    assert nonzero(counts) == {"n": 1, "scored": 1, "tied": 1, "ordered": 1, lean: 1}


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
    counts = BiasCounts.from_verdict(verdict(status=Status.UNSCORED, passes=passes))
    assert nonzero(counts) == {"n": 1, "unscored": 1}


def test_a_verdict_with_two_twins_counts_once_by_its_first() -> None:
    with_reference = (result("straight+reference", FIRST), result("swapped+reference", FIRST))
    without = both(FIRST, SECOND)
    counts = BiasCounts.from_verdict(verdict(winner="a", passes=(*with_reference, *without)))
    assert (counts.ordered, counts.consistent, counts.toward_first) == (1, 1, 0)


def test_an_unreadable_first_twin_leaves_the_second_to_measure() -> None:
    broken = (result("straight+reference", FIRST), result("swapped+reference", UNREAD))
    counts = BiasCounts.from_verdict(
        verdict(status=Status.UNSCORED, passes=(*broken, *both(FIRST, SECOND)))
    )
    assert nonzero(counts) == {"n": 1, "unscored": 1, "ordered": 1, "toward_first": 1}


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
    counts = BiasCounts.from_verdict(verdict(winner=winner, lengths=lengths))
    assert nonzero(counts) == {"n": 1, "scored": 1, "untied": 1, **expected}


def test_a_tie_says_nothing_about_length() -> None:
    counts = BiasCounts.from_verdict(verdict(tie=True, lengths=(1, 1000)))
    assert nonzero(counts) == {"n": 1, "scored": 1, "tied": 1}


def test_a_failed_verdict_counts_as_failed_only() -> None:
    counts = BiasCounts.from_verdict(verdict(status=Status.FAILED, lengths=()))
    assert nonzero(counts) == {"n": 1, "failed": 1}


def test_a_single_answer_is_neither_tied_nor_untied_nor_ordered() -> None:
    one = result("straight+reference", Reading(means=(7.0,), greedy=(7.0,)))
    counts = BiasCounts.from_verdict(verdict(lengths=(5,), passes=(one,)))
    assert nonzero(counts) == {"n": 1, "scored": 1}


def any_counts(draw: random.Random) -> BiasCounts:
    return BiasCounts(**{name: draw.randrange(10**9) for name in NAMES})


@pytest.mark.parametrize("seed", range(20))
def test_adding_is_commutative_and_associative_with_a_zero(seed: int) -> None:
    draw = random.Random(seed)
    a, b, c = any_counts(draw), any_counts(draw), any_counts(draw)
    assert a + b == b + a
    assert (a + b) + c == a + (b + c)
    assert a + BiasCounts() == a


@pytest.mark.parametrize("seed", range(20))
def test_any_order_of_verdicts_and_any_split_gives_the_same_sums_and_identities(seed: int) -> None:
    draw = random.Random(seed)
    straight: list[Reading | Unreadable] = [FIRST, EQUAL, SECOND, UNREAD]
    made = [
        verdict(
            status=draw.choice(list(Status)),
            winner=winner,
            tie=not winner,
            lengths=(draw.randrange(4), draw.randrange(4)),
            passes=both(draw.choice(straight), draw.choice([FIRST, EQUAL, SECOND])),
        )
        for winner in draw.choices(["a", "b", ""], k=60)
    ]
    counts = [BiasCounts.from_verdict(v) for v in made]
    total = sum(counts, start=BiasCounts())
    draw.shuffle(counts)
    assert total == sum(counts[:17], start=BiasCounts()) + sum(counts[17:], start=BiasCounts())
    assert total.n == 60 == total.scored + total.unscored + total.failed
    assert total.ordered == total.consistent + total.toward_first + total.toward_second
    assert total.untied == total.length_pairs + total.equal_length
    assert total.scored == total.tied + total.untied
    assert total.longer_won <= total.length_pairs


def test_mapping_round_trips() -> None:
    counts = any_counts(random.Random(0))
    assert BiasCounts.from_mapping(counts.as_mapping()) == counts
    assert list(counts.as_mapping()) == [field.name for field in fields(BiasCounts)]


def test_the_stored_names_are_stable() -> None:
    """They are the field names of the Redis hash and of BiasReport.counts: only ever append."""
    assert NAMES == (
        "n",
        "scored",
        "unscored",
        "failed",
        "ordered",
        "consistent",
        "toward_first",
        "toward_second",
        "tied",
        "untied",
        "length_pairs",
        "longer_won",
        "equal_length",
    )


def test_a_hash_of_another_version_is_read_as_far_as_it_goes() -> None:
    assert BiasCounts.from_mapping({"n": 3, "late": 1, "scored": 2}) == BiasCounts(n=3, scored=2)
    assert BiasCounts.from_mapping({}) == BiasCounts()


def test_humans_prefer_the_longer_answer_of_auto_j_as_published(shared_data: Path) -> None:
    """shared/facts/data.md: the longer answer wins 71.8 % of unequal, untied pairs."""
    total = BiasCounts()
    for line in (
        (shared_data / "autoj" / "test" / "testdata_pairwise.jsonl").read_text().splitlines()
    ):
        row = json.loads(line)
        total += BiasCounts.from_verdict(
            verdict(
                winner={0: "a", 1: "b", 2: ""}[row["label"]],
                tie=row["label"] == 2,
                lengths=(len(row["response 1"]), len(row["response 2"])),
            )
        )
    assert total.n == 1392
    assert total.tied == 373
    assert round(100 * total.longer_won / total.length_pairs, 1) == 71.8
