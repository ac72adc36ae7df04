"""The join of verdicts and labels, against counts worked by hand."""

from dataclasses import replace
from typing import Any

import pytest

from judgestream.core.preference import Preference
from judgestream.core.types import PROBE_KEY, CandidateScore, Label, Status, Verdict
from judgestream.evaluation.label_join import SetAside, join, paired
from judgestream.evaluation.labels import Ballots, LabelFault
from judgestream.evaluation.order_rules import INCONSISTENT, OrderRule
from judgestream.evaluation.scored_verdict import ScoredVerdict, ambiguous
from tests.core.build import EQUAL, FIRST, NOON, SECOND, UNREAD, result, verdict


def label(request_id: str, annotator: str, winner: str, *, tie: bool | None = None) -> Label:
    return Label(
        label_id=f"{request_id}/{annotator}",
        request_id=request_id,
        annotator=annotator,
        labelled_at=NOON,
        winner=winner,
        tie=not winner if tie is None else tie,
    )


def judged(
    request_id: str, outcome: int | None, *, release: str = "r", **more: object
) -> ScoredVerdict:
    return ScoredVerdict(
        request_id=request_id,
        release=release,
        candidates=("a", "b"),
        outcome=None if outcome is None else Preference(outcome),
        lean=Preference.TIE if outcome == 1 else Preference.FIRST,
        **more,  # type: ignore[arg-type]
    )


def test_agreement_by_hand() -> None:
    """q1 right, q2 wrong (gold tie), q3 unscored, q4 failed, q5 no label, q6 no majority, q7 mismatched.

    n = 2, accuracy 1/2. Classes of the gold: first (gold q1; predicted q1, q2), tie (gold q2; never
    predicted). Precision: (1/2 + 0) / 2 = 1/4; recall (1 + 0) / 2 = 1/2; F1 (2/3 + 0) / 2 = 1/3.
    Both orders are read of the labelled q1, q2, q3; consistent where the outcome is +1: q1, q2.
    """
    ballots = Ballots(
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
            judged("q4", None, failed=True),
            judged("q5", 1),
            judged("q6", 1),
            judged("q7", 1),
        ],
        ballots,
    )
    compared = found.agreement
    assert (compared.n, compared.unscored, found.failed) == (2, 1, 1)
    assert (found.without_label, found.undecided, found.unknown_winner) == (1, 1, 1)
    assert (compared.accuracy, compared.precision, compared.recall) == (0.5, 0.25, 0.5)
    assert compared.f1 == pytest.approx(1 / 3)
    assert compared.classes == (1, 0)
    assert dict(compared.confusion) == {(1, 1): 1, (0, 1): 1}
    assert all(one.interval for name, one in found.figures.items() if name != "kappa")
    assert found.position["flip_consistency"].value == pytest.approx(2 / 3)
    assert found.position["bias_toward_first"].n == 3
    # q1 alone is decided on both sides
    assert found.accuracy_without_ties is not None
    assert (found.accuracy_without_ties.value, found.accuracy_without_ties.n) == (1.0, 1)


def test_without_labels_there_are_no_rates() -> None:
    found = join("r", [judged("q1", 1)], Ballots())
    assert (found.agreement.n, found.agreement.accuracy, found.accuracy) == (0, None, None)
    assert {one.interval for one in found.figures.values()} == {None}


def test_empty_and_contradictory_labels_are_not_preferences() -> None:
    """statistics.md 2.4: verdicts tie and A; labels {"", tie false} and {A, tie true}."""
    ballots = Ballots([label("q1", "h", "", tie=False), label("q2", "h", "a", tie=True)])
    found = join("r", [judged("q1", 0), judged("q2", 1)], ballots)
    assert (found.agreement.n, found.without_label) == (0, 2)
    assert ballots.invalid == {LabelFault.NO_CHOICE: 1, LabelFault.WINNER_AND_TIE: 1}


def test_probes_and_reused_ids_are_set_aside_and_counted() -> None:
    ballots = Ballots([label(name, "h", "a") for name in ("q1", "q2", "q3")])
    found = join(
        "r",
        [judged("q1", 1), judged("q2", 1, is_probe=True), judged("q3", 1), judged("q3", -1)],
        ballots,
        doubtful={"q3"},
    )
    assert found.agreement.n == 1
    assert found.set_aside == {SetAside.PROBE: 1, SetAside.AMBIGUOUS: 2}


def test_of_two_verdicts_on_one_request_the_later_counts() -> None:
    """As after an upgrade that gave verdicts other ids."""
    found = join("r", [judged("q1", -1), judged("q1", 1)], Ballots([label("q1", "h", "a")]))
    assert (found.agreement.n, found.agreement.accuracy) == (1, 1.0)
    assert found.set_aside == {SetAside.REPEATED: 1}


def test_two_contents_under_one_id_are_ambiguous_across_releases() -> None:
    one = judged("q1", 1, content=("d1", (("a", 3), ("b", 4))))
    assert ambiguous([one, replace(one, release="s")]) == set()
    assert ambiguous([one, replace(one, release="s", content=("d2", one.content[1]))]) == {"q1"}
    # verdicts from before there were digests: by ids and lengths
    old = replace(one, content=("", (("a", 3), ("b", 4))))
    assert ambiguous([one, old]) == set()
    assert ambiguous([old, replace(old, content=("", (("a", 3), ("b", 5))))]) == {"q1"}
    # a failed verdict may know neither
    assert ambiguous([one, replace(one, content=("", ()))]) == set()


def test_verdicts_on_one_prompt_are_one_observation() -> None:
    names = [f"q{k}" for k in range(40)]
    ballots = Ballots([label(name, "h", "a" if k % 8 < 6 else "b") for k, name in enumerate(names)])
    verdicts = [judged(name, 1) for name in names]
    alone = join("r", verdicts, ballots)
    shared = join("r", verdicts, ballots, prompts={name: k % 8 for k, name in enumerate(names)})
    assert alone.accuracy is not None and shared.accuracy is not None
    assert (alone.accuracy.clusters, alone.alone) == (40, 40)
    assert (shared.accuracy.clusters, shared.alone) == (8, 0)
    # every prompt is right or wrong as a whole: 5 verdicts are worth one
    assert shared.accuracy.design_effect == pytest.approx(5 * 8 / 7)
    for one, other in (
        (alone.accuracy.interval, shared.accuracy.interval),
        (alone.figures["recall"].interval, shared.figures["recall"].interval),
    ):
        assert one and other and other.high - other.low > 1.5 * (one.high - one.low)
    named = join("r", [replace(one, cluster=("named", "all")) for one in verdicts], ballots)
    assert named.accuracy is not None and named.accuracy.interval is None


def test_an_order_rule_changes_the_outcome_and_is_named() -> None:
    """Straight right and swapped wrong: a tie for MT-Bench, wrong for Auto-J, right by the first order."""
    ballots = Ballots([label("q1", "h", "a")])
    one = judged("q1", 0, orders=(1, -1))
    outcomes = {
        rule: dict(join("r", [one], ballots, rule=rule).agreement.confusion) for rule in OrderRule
    }
    assert outcomes == {
        OrderRule.AVERAGED: {(1, 0): 1},
        OrderRule.STRAIGHT: {(1, 1): 1},
        OrderRule.MT_BENCH: {(1, 0): 1},
        OrderRule.JUDGEBENCH: {(1, 0): 1},
        OrderRule.AUTO_J: {(1, INCONSISTENT): 1},
    }
    lone = join("r", [judged("q1", 1)], ballots, rule=OrderRule.MT_BENCH)
    assert (lone.agreement.n, lone.agreement.unscored) == (0, 1)


def test_two_releases_are_compared_on_the_requests_that_both_judged() -> None:
    ballots = Ballots([label(f"q{k}", "h", "a") for k in range(5)])
    first = join("r", [judged(f"q{k}", 1 if k < 3 else -1) for k in range(4)], ballots)
    second = join("s", [judged(f"q{k}", 1 if k == 1 else 0) for k in range(1, 5)], ballots)
    # both judged q1 (both right), q2 (only the first), q3 (neither)
    found, only_first, only_second = paired(first, second)
    assert found is not None
    assert (found.n, found.both, found.only_first, found.only_second, found.neither) == (
        3,
        1,
        1,
        0,
        1,
    )
    assert (found.difference, found.p_value) == pytest.approx((1 / 3, 1.0))
    assert (only_first, only_second) == (1, 1)
    assert paired(first, join("t", [], ballots)) == (None, 4, 0)


def test_confidence_is_held_against_the_labels() -> None:
    ballots = Ballots([label(f"q{k}", "h", "a" if k < 3 else "b") for k in range(4)])
    chances = {1: 0.75, 0: 0.05, -1: 0.2}
    found = join("r", [judged(f"q{k}", 1, chances=chances) for k in range(4)], ballots)
    assert found.calibration is not None and found.brier is not None
    assert found.calibration.ece == pytest.approx(0.0)
    # right: .25^2 + .05^2 + .2^2 = .105; wrong: .75^2 + .05^2 + .8^2 = 1.205
    assert found.brier.value == pytest.approx((3 * 0.105 + 1.205) / 4)
    other = join("r", [judged("q1", 1, orders=(1, 1))], ballots, rule=OrderRule.AUTO_J)
    assert (other.calibration, other.brier) == (None, None)  # the confidence is not that rule's


def test_annotators_are_compared_among_themselves() -> None:
    """q1 and q2 have two equal labels each, q3 two different ones: in the order of the candidates."""
    ballots = Ballots(
        [
            *(label("q1", f"h-{k}", "a") for k in range(2)),
            *(label("q2", f"h-{k}", "b") for k in range(2)),
            *(label("q3", f"h-{k}", winner) for k, winner in enumerate(("a", "b"))),
            label("q4", "h-0", "a"),
        ]
    )
    found = join("r", [judged(f"q{k}", 1) for k in range(1, 5)], ballots).annotators
    # 3 items, 6 labels, 3 of either: observed 2 / 1, by chance 18 / 5
    assert found.n == 3 and found.value == pytest.approx(1 - 2 / 3.6)


def test_a_bootstrap_can_take_the_closed_forms_place() -> None:
    names = [f"q{k}" for k in range(60)]
    ballots = Ballots([label(name, "h", "ab"[k % 2]) for k, name in enumerate(names)])
    verdicts = [judged(name, (1, -1, 1)[k % 3]) for k, name in enumerate(names)]
    found = join("r", verdicts, ballots, resamples=40, prompts={n: n[-1] for n in names})
    interval = found.figures["f1"].interval
    assert interval is not None and interval.method == "percentile bootstrap of clusters"


class TestScoredVerdict:
    def test_of_a_scored_pair(self) -> None:
        one = of(replace(scored(), metadata={"suite": "s", "task": "maths"}), cluster_key="task")
        assert (one.outcome, one.orders, one.cluster) == (
            Preference.FIRST,
            (Preference.FIRST, Preference.TIE),
            ("named", "maths"),
        )
        assert one.chances == {1: 0.45, 0: 0.4, -1: 0.15}
        assert not (one.malformed or one.failed or one.is_probe or one.drawn or one.scores_differ)

    def test_a_verdict_of_one_answer_compares_nothing(self) -> None:
        assert ScoredVerdict.of(replace(scored(), scores=scored().scores[:1])) is None

    def test_a_ranking_of_three_answers_compares_nothing(self) -> None:
        first, second = scored().scores
        third = replace(second, candidate_id="c")
        ranked = tuple(replace(one, rank=k) for k, one in enumerate((first, second, third), 1))
        assert ScoredVerdict.of(replace(scored(), mode="multi", scores=ranked)) is None
        assert of(replace(scored(), scores=(first, second, third))).malformed

    def test_an_answer_to_a_question_about_a_verdict_compares_nothing(self) -> None:
        assert ScoredVerdict.of(replace(scored(), mode="follow_up", scores=())) is None

    def test_a_probe_is_known_by_its_metadata(self) -> None:
        assert of(replace(scored(), metadata={PROBE_KEY: "1"})).is_probe

    def test_an_unread_order_has_no_preference(self) -> None:
        passes = (result("straight", FIRST), result("swapped", UNREAD))
        unscored = replace(scored(), status=Status.UNSCORED, winner="", passes=passes)
        one = of(unscored)
        assert (one.outcome, one.orders, one.malformed) == (None, (1, None), False)

    @pytest.mark.parametrize(
        "change",
        [
            {"winner": "z"},
            {"winner": ""},
            {"tie": True},
            {"scores": ()},
            {"scores": (CandidateScore(candidate_id="a", score=1.0),) * 2},
            {"scores": tuple(CandidateScore(candidate_id=i, score=1.0) for i in "abc")},
        ],
        ids=str,
    )
    def test_a_scored_verdict_without_a_clear_outcome_is_malformed(
        self, change: dict[str, Any]
    ) -> None:
        one = of(replace(scored(), **change))
        assert (one.outcome, one.malformed) == (None, True)
        found = join("r", [one], Ballots([label("r1", "h", "a")]))
        assert (found.agreement.n, found.set_aside) == (0, {SetAside.MALFORMED: 1})

    @pytest.mark.parametrize(
        "chances",
        [
            (None, 0.5, 0.5),
            (float("nan"), 0.5, 0.5),
            (2.0, -1.0, 0.0),
            (0.2, 0.2, 0.2),
            (1e308,) * 3,
        ],
    )
    def test_probabilities_that_are_none_are_not_used(
        self, chances: tuple[float | None, ...]
    ) -> None:
        win, tie, lose = chances
        one = of(replace(scored(), p_win=win, p_tie=tie, p_lose=lose))
        assert (one.outcome, one.chances) == (1, {})
        assert join("r", [one], Ballots([label("r1", "h", "a")])).calibration is None

    def test_a_draw_and_a_winner_with_the_lower_score_are_marked(self) -> None:
        draw = replace(scored(), winner="", tie=True, p_win=0.5, p_tie=0.0, p_lose=0.5)
        assert of(draw).drawn
        scores = tuple(CandidateScore(candidate_id=i, score=s) for i, s in (("a", 6.9), ("b", 9.3)))
        assert of(replace(scored(), scores=scores)).scores_differ


def scored() -> Verdict:
    passes = (result("straight", FIRST), result("swapped", EQUAL))
    plain = verdict(winner="a", passes=passes)
    return replace(plain, p_win=0.45, p_tie=0.4, p_lose=0.15, release="r")


def of(one: Verdict, *, cluster_key: str = "") -> ScoredVerdict:
    found = ScoredVerdict.of(one, cluster_key=cluster_key)
    assert found is not None
    return found


def test_both_orders_of_a_verdict_are_its_first_twin() -> None:
    passes = tuple(
        result(name, of)
        for name, of in (
            ("straight+reference", SECOND),
            ("swapped+reference", FIRST),
            ("straight", FIRST),
            ("swapped", FIRST),
        )
    )
    assert of(replace(scored(), passes=passes)).orders == (-1, 1)
    assert of(replace(scored(), passes=passes[:1])).orders is None
