"""Two releases on the same requests, worked by hand."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from judgestream.core.preference import Preference
from judgestream.core.types import CandidateScore, Label, Status, Style, Verdict
from judgestream.evaluation.labels import Ballots
from judgestream.evaluation.release_diff import (
    Compared,
    Kind,
    compared,
    most_telling,
    reasons,
    summary,
)
from judgestream.evaluation.verdict_pairs import Judged, ambiguous_ids, pairs

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SCORES = (CandidateScore(candidate_id="x", score=7.0), CandidateScore(candidate_id="y", score=6.0))


def verdict(request_id: str, winner: str = "x", **fields: object) -> Verdict:
    """A pairwise verdict of answers x and y; winner "" is a tie."""
    made = Verdict(
        verdict_id=f"v-{request_id}",
        request_id=request_id,
        mode="pairwise",
        status=Status.SCORED,
        requested_at=NOW,
        judged_at=NOW,
        winner=winner,
        tie=not winner,
        scores=SCORES,
        content_digest=f"content of {request_id}",
        prompt_digest=f"prompt of {request_id}",
        confidence=0.8,
        latency_s=1.0,
    )
    return replace(made, **fields)  # type: ignore[arg-type]


def unscored(request_id: str) -> Verdict:
    return verdict(request_id, "", tie=False, status=Status.UNSCORED, reason="unparsable")


def label(request_id: str, winner: str, annotator: str = "ann") -> Label:
    return Label(
        label_id=f"{request_id}-{annotator}",
        request_id=request_id,
        annotator=annotator,
        labelled_at=NOW,
        winner=winner,
    )


def one(a: Verdict, b: Verdict, *labels: Label) -> Compared:
    (found,) = compared([(a, b)], Ballots(labels))
    return found


@pytest.mark.parametrize(
    ("a", "b", "kind"),
    [
        (verdict("r"), verdict("r"), Kind.AGREE),
        (verdict("r", ""), verdict("r", ""), Kind.AGREE),
        (verdict("r"), verdict("r", "y"), Kind.DIFFER),
        (verdict("r"), verdict("r", ""), Kind.DIFFER),
        (verdict("r"), unscored("r"), Kind.ONE_SCORED),
        (unscored("r"), unscored("r"), Kind.UNSCORED),
        (verdict("r", tie=False, winner=""), verdict("r", tie=False, winner=""), Kind.NO_WINNER),
    ],
)
def test_kinds_of_pairs(a: Verdict, b: Verdict, kind: Kind) -> None:
    assert one(a, b).kind is kind
    assert one(b, a).kind is kind


def test_only_verdicts_on_the_same_content_in_the_same_mode_are_paired() -> None:
    first = [verdict("r1"), verdict("r2"), verdict("r3"), verdict("r4", content_digest="")]
    second = [
        verdict("r1", content_digest="other"),
        verdict("r2", mode="multi"),
        verdict("r3", "y"),
        verdict("r4", content_digest=""),
    ]
    assert list(pairs(first, second)) == [(first[2], second[2])]


def test_an_id_that_was_used_for_two_contents_is_ambiguous_and_its_label_counts_for_nothing() -> (
    None
):
    keys = [Judged("r1", "pairwise", "a"), Judged("r1", "pairwise", "b"), Judged("r2", "m", "a")]
    assert ambiguous_ids(keys) == {"r1"}
    (found,) = compared(
        [(verdict("r1"), verdict("r1", "y"))], Ballots([label("r1", "x")]), ambiguous={"r1"}
    )
    assert found.label is None


def test_the_summary_by_hand() -> None:
    found = compared(
        [
            (verdict("r1"), verdict("r1")),
            (verdict("r2"), verdict("r2", "y", flipped=True, latency_s=3.0, cost=0.5)),
            (verdict("r3", "y"), verdict("r3", "y", prompt_digest="prompt of r1")),
            (verdict("r4"), unscored("r4")),
        ],
        Ballots([label("r1", "x"), label("r2", "x"), label("r4", "y"), label("r9", "x")]),
    )
    figures = summary(found, a="a", b="b")
    assert (figures.pairs, figures.prompts) == (4, 4)
    assert figures.kinds == {Kind.AGREE: 2, Kind.DIFFER: 1, Kind.ONE_SCORED: 1}
    assert figures.agreement is not None
    assert figures.agreement.value == pytest.approx(2 / 3)
    # A: x x y; B: x y y: observed 2/3, expected (2 * 1 + 1 * 2) / 9
    assert figures.kappa == pytest.approx((2 / 3 - 4 / 9) / (1 - 4 / 9))
    assert figures.labelled is not None
    assert figures.labelled.n == 3
    assert (figures.labelled.only_first, figures.labelled.both, figures.labelled.neither) == (
        1,
        1,
        1,
    )
    assert figures.a.scored is not None
    assert figures.b.scored is not None
    assert (figures.a.scored.value, figures.b.scored.value) == (1.0, 0.75)
    assert figures.b.flipped is not None
    assert (figures.b.flipped.value, figures.b.flipped.n) == (1.0, 1)
    assert (figures.a.latency_s, figures.b.latency_s) == (1.0, 1.0)
    assert (figures.a.cost, figures.b.cost) == (None, 0.5)


def test_requests_on_one_prompt_widen_the_interval() -> None:
    def agreement(prompts: int) -> float:
        rows = [
            (
                verdict(f"r{k}", prompt_digest=str(k % prompts)),
                verdict(f"r{k}", "x" if k % prompts % 2 else "y"),
            )
            for k in range(60)
        ]
        found = summary(compared(rows, Ballots()), a="a", b="b").agreement
        assert found is not None
        assert found.interval is not None
        return found.interval.high - found.interval.low

    assert agreement(6) > 2 * agreement(60)


def test_what_a_label_decides_comes_first_and_prompts_take_turns() -> None:
    rows = [
        (verdict("sure"), verdict("sure", "y")),
        (verdict("doubtful", flipped=True), verdict("doubtful", "y")),
        (verdict("labelled", confidence=0.4), verdict("labelled", "y")),
        (verdict("same prompt", prompt_digest="prompt of labelled"), verdict("same prompt", "y")),
        (verdict("missing"), unscored("missing")),
        (verdict("equal"), verdict("equal")),
    ]
    found = compared(rows, Ballots([label("labelled", "x"), label("same prompt", "y")]))
    assert [one.a.request_id for one in most_telling(found, 10)] == [
        *("same prompt", "missing", "sure", "doubtful", "labelled"),
    ]
    assert len(most_telling(found, 2)) == 2


def test_reasons_name_label_flips_length_format_and_missing_scores() -> None:
    scores = (
        CandidateScore(candidate_id="x", score=7.0, length=900, style=Style(list_items=5)),
        CandidateScore(candidate_id="y", score=6.0, length=300, style=Style()),
    )
    found = one(
        verdict("r", scores=scores, flipped=True), verdict("r", "y", scores=scores), label("r", "y")
    )
    assert reasons(found) == [
        "the label agrees with B",
        "A prefers another answer when their order is reversed",
        "A prefers the much longer answer (900 and 300 characters)",
        "A prefers the answer with more formatting (5 and 0 headers, list items and bold spans)",
    ]
    assert reasons(one(verdict("r"), unscored("r"))) == ["B has no scored verdict: unparsable"]


def test_a_tie_of_annotators_is_a_label_and_a_split_vote_is_none() -> None:
    tie = Label(label_id="l", request_id="r", annotator="z", labelled_at=NOW, tie=True)
    assert one(verdict("r"), verdict("r", ""), tie).label is Preference.TIE
    split = [label("r", "x", "p"), label("r", "y", "q")]
    assert one(verdict("r"), verdict("r", ""), *split).label is None
