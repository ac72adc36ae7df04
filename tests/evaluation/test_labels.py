"""A label is a vote only when it says something, and an annotator has one vote."""

import json
from datetime import timedelta
from itertools import permutations
from pathlib import Path

import pytest
from google.protobuf import json_format

from judgestream.contracts.codecs.labels import label_from_message
from judgestream.core.types import Label
from judgestream.evaluation.labels import (
    Ballots,
    LabelFault,
    NoGold,
    fault,
    is_annotator,
    preference,
)
from judgestream.v1.judging_pb2 import Label as LabelMessage
from tests.core.build import NOON


def label(
    winner: str = "",
    *,
    tie: bool = False,
    annotator: str = "human-1",
    request_id: str = "q",
    minutes: int = 0,
    label_id: str = "l",
    passed: bool | None = None,
    probability: float | None = None,
) -> Label:
    return Label(
        label_id=label_id,
        request_id=request_id,
        annotator=annotator,
        labelled_at=NOON + timedelta(minutes=minutes),
        winner=winner,
        tie=tie,
        passed=passed,
        sampling_probability=probability,
    )


# label -> its preference among the candidates a and b
PREFERENCES = [
    (label("a"), 1),
    (label("b"), -1),
    (label(tie=True), 0),
    (label(), LabelFault.NO_CHOICE),
    (label("a", tie=True), LabelFault.WINNER_AND_TIE),
    (label("c"), LabelFault.UNKNOWN_WINNER),
    (label("c", tie=True), LabelFault.WINNER_AND_TIE),
    (label("A"), LabelFault.UNKNOWN_WINNER),
    (label("a", annotator=""), LabelFault.NO_ANNOTATOR),
    (label("a", annotator=" \t"), LabelFault.NO_ANNOTATOR),
    (label("a", request_id=""), LabelFault.NO_REQUEST),
    (label(request_id="", annotator=""), LabelFault.NO_REQUEST),
    (label("a", probability=0.1), 1),
    *(
        (label("a", probability=p), LabelFault.BAD_PROBABILITY)
        for p in (0.0, -1.0, 2.0, float("nan"))
    ),
    (label("a", passed=True), LabelFault.CHOICE_AND_PASSED),
    (label(tie=True, passed=False), LabelFault.CHOICE_AND_PASSED),
    (label(passed=True), LabelFault.UNKNOWN_WINNER),
]


@pytest.mark.parametrize(("one", "expected"), PREFERENCES)
def test_a_label_is_a_preference_or_says_why_not(one: Label, expected: int | LabelFault) -> None:
    assert preference(one, ("a", "b")) == expected


@pytest.mark.parametrize(("one", "expected"), PREFERENCES)
def test_faults_that_do_not_depend_on_the_candidates(
    one: Label, expected: int | LabelFault
) -> None:
    alone = isinstance(expected, LabelFault) and expected is not LabelFault.UNKNOWN_WINNER
    assert fault(one) == (expected if alone else None)


@pytest.mark.parametrize("candidates", [(), ("a",), ("a", "b", "c")])
def test_a_request_that_is_not_a_pair_has_no_winner(candidates: tuple[str, ...]) -> None:
    assert preference(label("a"), candidates) is LabelFault.UNKNOWN_WINNER


def test_faulty_labels_are_counted_by_reason_and_never_vote() -> None:
    ballots = Ballots([label(), label("a", tie=True), label("a", annotator="")])
    assert ballots.invalid == {
        LabelFault.NO_ANNOTATOR: 1,
        LabelFault.NO_CHOICE: 1,
        LabelFault.WINNER_AND_TIE: 1,
    }
    assert len(ballots) == 0
    assert ballots.gold("q", ("a", "b")).reason is NoGold.NO_LABEL


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_the_latest_label_of_an_annotator_counts_in_any_order(order: tuple[int, ...]) -> None:
    labels = [label("a", minutes=0), label("b", minutes=2), label("a", minutes=1)]
    ballots = Ballots(labels[k] for k in order)
    assert ballots.gold("q", ("a", "b")).side == -1
    assert ballots.superseded == 2


def test_of_equal_times_the_one_added_later_counts() -> None:
    assert Ballots([label("a"), label("b")]).gold("q", ("a", "b")).side == -1


def test_three_people_under_one_name_are_one_vote() -> None:
    people = [label(w, annotator="human", label_id=w + str(k)) for k, w in enumerate("aab")]
    ballots = Ballots([*people, label("a", annotator="teacher")])
    found = ballots.gold("q", ("a", "b"))
    assert (found.side, found.reason) == (None, NoGold.NO_MAJORITY)
    assert ballots.superseded == 2


def test_a_redelivered_label_supersedes_nothing() -> None:
    ballots = Ballots([label("a"), label("a"), label(), label()])
    assert (ballots.superseded, ballots.repeated) == (0, 2)
    assert ballots.invalid == {LabelFault.NO_CHOICE: 1}


def test_a_later_invalid_label_replaces_no_vote() -> None:
    ballots = Ballots([label("a"), label(minutes=1), label("b", tie=True, minutes=2)])
    assert ballots.gold("q", ("a", "b")).side == 1


def test_a_vote_for_an_unknown_candidate_is_left_out_of_the_majority() -> None:
    votes = [label("a", annotator="x"), label("z", annotator="y"), label("y", annotator="z")]
    found = Ballots(votes).gold("q", ("a", "b"))
    assert (found.side, found.annotators, found.unknown) == (1, ("x",), 2)
    alone = Ballots(votes[1:]).gold("q", ("a", "b"))
    assert (alone.side, alone.reason, alone.unknown) == (None, NoGold.UNKNOWN_WINNER, 2)


def test_a_majority_is_more_than_half_of_the_annotators() -> None:
    two = [label("a", annotator="x"), label("b", annotator="y")]
    assert Ballots(two).gold("q", ("a", "b")).reason is NoGold.NO_MAJORITY
    assert Ballots([*two, label("b", annotator="z")]).gold("q", ("a", "b")).side == -1


@pytest.mark.parametrize(
    ("name", "wanted", "taken"),
    [
        ("human-1", [], True),
        ("human-1", ["human"], True),
        ("human-1", ["human-1"], True),
        ("human-10", ["human-1"], False),
        ("humanoid", ["human"], False),
        ("teacher", ["human", "teacher"], True),
    ],
)
def test_annotators_are_taken_by_name_or_by_kind(name: str, wanted: list[str], taken: bool) -> None:
    assert is_annotator(name, wanted) is taken
    ballots = Ballots([label("a", annotator=name)], annotators=wanted)
    assert (len(ballots), ballots.others) == (int(taken), set() if taken else {name})


def test_invalid_labels_seen_in_practice_are_not_votes(shared_data: Path) -> None:
    """One skipped, one that names a winner and calls it a tie: neither is a number."""
    case = shared_data.parent / "review" / "cases" / "c_labels_skipped.jsonl"
    if not case.is_file():
        pytest.skip(f"{case} is not here")
    ballots = Ballots(
        label_from_message(json_format.ParseDict(json.loads(line), LabelMessage()))
        for line in case.read_text().splitlines()
    )
    assert len(ballots) == 0
    assert ballots.invalid == {LabelFault.NO_CHOICE: 1, LabelFault.WINNER_AND_TIE: 1}


def test_the_pass_labels_of_one_answer_have_a_majority() -> None:
    ballots = Ballots(
        [
            *(label(passed=one, annotator=f"h-{k}") for k, one in enumerate((True, True, False))),
            *(label(passed=one, annotator=f"h-{one}", request_id="split") for one in (True, False)),
            label("a", request_id="pair"),
        ]
    )
    assert ballots.passed("q") is True
    assert [ballots.passed(name) for name in ("split", "pair", "none")] == [None, None, None]
    assert ballots.gold("q", ("a", "b")).reason is NoGold.UNKNOWN_WINNER


def test_the_sampling_probability_of_a_request() -> None:
    ballots = Ballots(
        [
            label("a", probability=0.1),
            label("b", annotator="h-2", probability=0.2),
            label("a", annotator="h-3"),
            label("a", request_id="unstated"),
        ]
    )
    assert ballots.probability("q") == 0.2
    assert ballots.probability("unstated") is ballots.probability("none") is None
