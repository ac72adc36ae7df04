"""The join of verdicts and labels, against counts worked by hand."""

import pytest

from judgestream.apps.cli.label_join import Judged, is_annotator, join, side, votes_by_request
from judgestream.apps.cli.verdict_set import VerdictSet
from judgestream.core.types import Label, Status
from tests.core.build import FIRST, NOON, SECOND, result, verdict


def label(request_id: str, annotator: str, winner: str) -> Label:
    return Label(
        label_id=f"{request_id}/{annotator}",
        request_id=request_id,
        annotator=annotator,
        labelled_at=NOON,
        winner=winner,
        tie=not winner,
    )


def judged(
    request_id: str, outcome: int | None, candidates: tuple[str, ...] = ("a", "b")
) -> Judged:
    from judgestream.core.bias.counts import BiasCounts

    return Judged(
        request_id=request_id,
        release="r",
        candidates=candidates,
        outcome=outcome,
        counts=BiasCounts(
            n=1, ordered=1, consistent=int(outcome == 1), toward_first=int(outcome != 1)
        ),
    )


def test_a_winner_becomes_its_place() -> None:
    assert [side(w, ("a", "b")) for w in ("a", "", "b", "c")] == [1, 0, -1, None]


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


def test_a_later_label_of_the_same_annotator_replaces_the_earlier() -> None:
    votes = votes_by_request([label("q", "x", "a"), label("q", "x", "b"), label("q", "y", "")])
    assert votes == {"q": {"x": "b", "y": ""}}


def test_agreement_by_hand() -> None:
    """q1 right, q2 wrong (gold tie), q3 unscored, q4 failed, q5 no label, q6 no majority, q7 mismatched.

    n = 2, accuracy 1/2. Classes: first (gold q1; predicted q1, q2), tie (gold q2; never predicted).
    Precision: (1/2 + 0) / 2 = 1/4; recall (1 + 0) / 2 = 1/2; F1 (2/3 + 0) / 2 = 1/3.
    Labelled verdicts: all but q5, six; consistent where the outcome is +1: q1, q2, q6, q7.
    """
    votes = votes_by_request(
        [
            *(label("q1", f"h-{k}", "a") for k in range(3)),
            label("q2", "h-1", ""),
            label("q3", "h-1", "b"),
            label("q4", "h-1", "b"),
            *(label("q6", f"h-{k}", winner) for k, winner in enumerate(("a", "b"))),
            label("q7", "h-1", "z"),
        ]
    )
    found = join(
        "r",
        [
            judged("q1", 1),
            judged("q2", 1),
            judged("q3", None),
            judged("q4", None, ()),
            judged("q5", 1),
            judged("q6", 1),
            judged("q7", 1),
        ],
        votes,
        resamples=50,
    )
    compared = found.agreement
    assert (compared.n, compared.unscored, compared.unlabelled) == (2, 2, 3)
    assert (found.undecided, found.mismatched) == (1, 1)
    assert (compared.accuracy, compared.precision, compared.recall) == (0.5, 0.25, 0.5)
    assert compared.f1 == pytest.approx(1 / 3)
    assert dict(compared.confusion) == {(1, 1): 1, (0, 1): 1}
    assert set(found.intervals) == {"accuracy", "precision", "recall", "f1"}
    position = {metric.name: metric for metric in found.position}
    assert position["flip_consistency"].value == pytest.approx(4 / 6)
    assert position["bias_toward_first"].n == 6


def test_without_labels_there_are_no_rates() -> None:
    found = join("r", [judged("q1", 1)], {})
    assert (found.agreement.n, found.agreement.accuracy, found.intervals) == (0, None, {})


class TestVerdictSet:
    def test_a_redelivered_verdict_counts_once(self) -> None:
        kept: VerdictSet[int] = VerdictSet()
        assert [kept.add(verdict(), k) for k in range(3)] == [True, False, False]
        assert list(kept) == [0]

    def test_a_scored_verdict_replaces_a_failed_one_and_never_the_other_way_round(self) -> None:
        failed, scored = verdict(status=Status.FAILED), verdict()
        for order, kept_is in (((failed, scored), 1), ((scored, failed), 0)):
            kept: VerdictSet[int] = VerdictSet()
            for k, one in enumerate(order):
                kept.add(one, k)
            assert list(kept) == [kept_is]


def test_a_verdict_of_one_answer_compares_nothing() -> None:
    from dataclasses import replace

    pair = verdict(passes=(result("straight", FIRST), result("swapped", SECOND)))
    assert Judged.of(pair) is not None
    assert Judged.of(replace(pair, scores=pair.scores[:1])) is None
