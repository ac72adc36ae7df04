"""A jury's record, its rules and its verdict, worked by hand."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judgestream.core.errors import ConfigurationError, JudgestreamError, RejectedByJudge
from judgestream.core.jury import Juror, JuryRecord, JuryRule, default_quorum
from judgestream.core.jury_settling import Outcome
from judgestream.core.jury_verdict import jury_verdict
from judgestream.core.modes import MODES
from judgestream.core.passes import Pass
from judgestream.core.ranking import Ranking
from judgestream.core.rubric import CriterionScore
from judgestream.core.templates import CHAT, JUDGELM
from judgestream.core.transforms import Transform
from judgestream.core.types import (
    Candidate,
    CandidateScore,
    Release,
    Reply,
    Request,
    Status,
    Verdict,
)
from judgestream.core.verdicts import Effort, build_verdict

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
EFFORT = Effort(attempts=1, latency_s=0.5, ended_at=NOON)
PAIR = Request(
    request_id="r",
    mode="pairwise",
    question="Q?",
    candidates=(Candidate(id="x", text="one"), Candidate(id="y", text="two")),
    requested_at=NOON,
)
NAMES = ("a", "b", "c", "d")
GRAMMAR = CHAT.forms["pair"].grammar
JURY = Release(name="jury-0", checkpoint_digest="00", template_id="jury", max_input_tokens=2048)

Result = Verdict | JudgestreamError


def release(name: str) -> Release:
    return Release(
        name=name, checkpoint_digest=f"{name}1", template_id=JUDGELM.id, max_input_tokens=2048
    )


def record(rule: JuryRule, *weights: float, quorum: int = 0) -> JuryRecord:
    jurors = tuple(
        Juror(release=name, weight=weight) for name, weight in zip(NAMES, weights, strict=False)
    )
    return JuryRecord(rule=rule, members=jurors, quorum=quorum or default_quorum(jurors))


def member(name: str, win: float, tie: float, lose: float, score: float = 5.0) -> Verdict:
    """A member's scored verdict without passes."""
    blank = judged(name, "5 5", "5 5")
    sides = {"x": win, "": tie, "y": lose}
    winner = max(sides, key=sides.__getitem__)
    scores = tuple(replace(one, score=score) for one in blank.scores)
    return replace(
        blank,
        p_win=win,
        p_tie=tie,
        p_lose=lose,
        winner=winner,
        tie=not winner,
        scores=scores,
        passes=(),
        cost=None,
    )


def judged(name: str, straight: str, swapped: str, cost: float | None = None) -> Verdict:
    """A member's verdict from its two replies, each as the judge wrote it."""
    orders = ((0, 1), (1, 0))
    passes = [
        Pass(transform=Transform(order=order, with_reference=False), prompt="", grammar=GRAMMAR)
        for order in orders
    ]
    replies = [
        Reply(text=text, input_tokens=10, output_tokens=2, cost=cost)
        for text in (straight, swapped)
    ]
    return build_verdict(
        request=PAIR,
        mode=MODES["pairwise"],
        release=release(name),
        results=[one.result(reply) for one, reply in zip(passes, replies, strict=True)],
        effort=EFFORT,
        verdict_id="member",
        content_digest="c",
    )


def settle(rule: JuryRecord, results: Sequence[Result], request: Request = PAIR) -> Verdict:
    return jury_verdict(
        request=request,
        mode=MODES["pairwise"],
        release=JURY,
        record=rule,
        outcomes=[
            Outcome(juror=juror, release=release(juror.release), result=result)
            for juror, result in zip(rule.members, results, strict=True)
        ],
        effort=EFFORT,
        verdict_id="v",
        content_digest="c",
    )


def test_a_majority_counts_votes_and_not_probabilities() -> None:
    verdicts = [member("a", 0.5, 0.1, 0.4), member("b", 0.5, 0.1, 0.4), member("c", 0, 0, 1.0)]
    found = settle(record(JuryRule.MAJORITY, 1, 1, 1), verdicts)
    assert found.winner == "x" and found.p_tie == 0.0
    assert found.p_win == pytest.approx(2 / 3)
    assert found.confidence == pytest.approx(2 / 3)
    # the mean of the same members: .333 / .067 / .6
    found = settle(record(JuryRule.MEAN, 1, 1, 1), verdicts)
    assert found.winner == "y" and found.p_lose == pytest.approx(0.6)


def test_weights_turn_the_mean() -> None:
    verdicts = [member("a", 0.9, 0.0, 0.1), member("b", 0.2, 0.0, 0.8)]
    # (.75 * .9 + .25 * .2) / 1 = .725
    found = settle(record(JuryRule.WEIGHTED, 0.75, 0.25), verdicts)
    assert found.winner == "x" and found.p_win == pytest.approx(0.725)
    # (.2 * .9 + .6 * .2) / .8 = .375
    found = settle(record(JuryRule.WEIGHTED, 0.2, 0.6), verdicts)
    assert found.winner == "y" and found.p_win == pytest.approx(0.375)


@pytest.mark.parametrize(
    ("sides", "winner", "tie"),
    [
        ("xy", "", True),  # a draw of the sides
        ("x=", "", True),  # a tie that is as probable as the better side wins
        ("xx=", "x", False),
        ("xy=", "", True),
        ("==y", "", True),
        ("xxyy", "", True),
        ("xxy=", "x", False),
    ],
)
def test_ties_of_a_majority(sides: str, winner: str, tie: bool) -> None:
    each = {"x": (1.0, 0.0, 0.0), "=": (0.0, 1.0, 0.0), "y": (0.0, 0.0, 1.0)}
    verdicts = [member(name, *each[side]) for name, side in zip(NAMES, sides, strict=False)]
    found = settle(record(JuryRule.MAJORITY, *[1.0] * len(sides)), verdicts)
    assert (found.winner, found.tie, found.status) == (winner, tie, Status.SCORED)


def test_the_score_is_the_median_under_majority_else_the_mean() -> None:
    verdicts = [member("a", 1, 0, 0, 9.0), member("b", 1, 0, 0, 8.0), member("c", 0, 0, 1, 1.0)]
    score = {
        rule: settle(record(rule, 1, 1, 1), verdicts).scores[0].score
        for rule in (JuryRule.MAJORITY, JuryRule.MEAN)
    }
    assert score == {JuryRule.MAJORITY: 8.0, JuryRule.MEAN: 6.0}
    weighted = settle(record(JuryRule.WEIGHTED, 2, 1, 1), verdicts)
    assert weighted.scores[0].score == pytest.approx((2 * 9 + 8 + 1) / 4)


def test_an_answer_passes_a_rubric_if_most_members_pass_it() -> None:
    def graded(name: str, passed: bool) -> Verdict:
        scores = (CandidateScore(candidate_id="x", score=0.5, passed=passed),)
        return replace(
            member(name, 1, 0, 0), winner="", p_win=None, p_tie=None, p_lose=None, scores=scores
        )

    for passes, passed in (((True, True, False), True), ((True, False, False), False)):
        verdicts = [graded(name, one) for name, one in zip("abc", passes, strict=True)]
        verdict = settle(record(JuryRule.MAJORITY, 1, 1, 1), verdicts)
        assert verdict.passed is verdict.scores[0].passed is passed
    pair = [member("a", 1, 0, 0), member("b", 1, 0, 0)]
    assert settle(record(JuryRule.MAJORITY, 1, 1), pair).passed is None


def test_a_jurys_criteria_are_scored_by_its_rule_and_pass_by_votes() -> None:
    def graded(name: str, score: float, passed: bool) -> Verdict:
        tone = CriterionScore(criterion_id="tone", score=score, low=1, high=10, passed=passed)
        facts = CriterionScore(criterion_id="facts", score=4.0)
        one = CandidateScore(candidate_id="x", score=0.5, criteria=(tone, facts))
        return replace(
            member(name, 1, 0, 0), winner="", p_win=None, p_tie=None, p_lose=None, scores=(one,)
        )

    verdicts = [graded("a", 9.0, True), graded("b", 8.0, True), graded("c", 1.0, False)]
    facts = CriterionScore(criterion_id="facts", score=4.0)
    for rule, weights, score, passed in (
        (JuryRule.MAJORITY, (1, 1, 1), 8.0, True),
        (JuryRule.MEAN, (1, 1, 1), 6.0, True),
        (JuryRule.WEIGHTED, (1, 1, 6), (9 + 8 + 6 * 1) / 8, False),
    ):
        found = settle(record(rule, *weights), verdicts).scores[0]
        tone = CriterionScore(criterion_id="tone", score=score, passed=passed)
        assert found.criteria == (tone, facts)


def test_a_jury_of_reward_models_is_marked_as_one() -> None:
    score_lines, reward = member("a", 1, 0, 0), replace(member("b", 1, 0, 0), method="reward")
    by_value = replace(score_lines, method="reward")
    assert settle(record(JuryRule.MEAN, 1, 1), [by_value, reward]).method == "reward"
    assert settle(record(JuryRule.MEAN, 1, 1), [score_lines, reward]).method == ""


def test_rankings_are_ranked_anew_by_the_jury_s_scores() -> None:
    asked = replace(PAIR, mode="rerank", candidates=(*PAIR.candidates, Candidate(id="z", text="3")))

    def ranked(name: str, *shares: float) -> Verdict:
        scores = Ranking.of_scores(shares).on(
            [
                CandidateScore(candidate_id=one.id, score=share)
                for one, share in zip(asked.candidates, shares, strict=True)
            ]
        )
        blank = member(name, 0, 0, 1)
        return replace(blank, p_win=None, p_tie=None, p_lose=None, winner="x", scores=scores)

    members = [ranked("a", 0.9, 0.2, 0.6), ranked("b", 0.5, 0.4, 0.9), ranked("c", 0.7, 0.0, 0.6)]
    # means: .7, .2, .7; medians: .7, .2, .6
    mean = settle(record(JuryRule.MEAN, 1, 1, 1), members, asked)
    assert [score.rank for score in mean.scores] == [1, 3, 1]
    assert (mean.winner, mean.tie, mean.p_win) == ("", True, None)
    majority = settle(record(JuryRule.MAJORITY, 1, 1, 1), members, asked)
    assert [score.rank for score in majority.scores] == [1, 3, 2]
    assert (majority.winner, majority.tie) == ("x", False)


def test_rankings_follow_the_jurys_score_and_average_p_best() -> None:
    def ranks(name: str, x: float, y: float, best: float) -> Verdict:
        blank = member(name, 1, 0, 0)
        first, second = blank.scores
        scores = (
            replace(first, score=x, p_best=best, rank=1 if x >= y else 2),
            replace(second, score=y, p_best=1 - best, rank=1 if y >= x else 2),
        )
        return replace(blank, scores=scores, p_win=None, p_tie=None, p_lose=None)

    # weighted 3 to 1: x (3 * 9 + 1) / 4 = 7, y (3 * 5 + 9) / 4 = 6; P(best) of x (3 * .8 + .2) / 4
    found = settle(record(JuryRule.WEIGHTED, 3, 1), [ranks("a", 9, 5, 0.8), ranks("b", 1, 9, 0.2)])
    assert [(one.score, one.rank) for one in found.scores] == [(7.0, 1), (6.0, 2)]
    assert found.winner == "x" and found.confidence == pytest.approx(0.65)
    found = settle(record(JuryRule.MEAN, 1, 1), [ranks("a", 9, 5, 0.8), ranks("b", 5, 9, 0.2)])
    assert found.tie and [one.rank for one in found.scores] == [1, 1]


def test_members_that_do_not_vote_need_a_quorum_of_the_others() -> None:
    unread = judged("b", "I like both.", "5 5")
    refused = RejectedByJudge("content policy")
    yes = member("a", 0.8, 0.1, 0.1)
    found = settle(record(JuryRule.MEAN, 1, 1, quorum=1), [yes, unread])
    assert (found.status, found.winner, found.p_win) == (Status.SCORED, "x", 0.8)
    assert [one.status for one in found.members] == [Status.SCORED, Status.UNSCORED]

    found = settle(record(JuryRule.MEAN, 1, 1, 1), [yes, unread, refused])
    assert found.status is Status.UNSCORED and found.winner == "" and found.p_win is None
    assert found.reason == (
        "quorum: 1 of 3 scored, 2 needed (b: unparsable: straight; c: rejected_by_judge)"
    )
    assert found.members[2].error_message == "content policy"
    assert [one.score for one in found.scores] == [None, None]


def test_a_request_that_every_member_refuses_is_refused() -> None:
    with pytest.raises(RejectedByJudge, match="first"):
        settle(record(JuryRule.MEAN, 1, 1), [RejectedByJudge("first"), RejectedByJudge("second")])


def test_passes_name_their_member_and_costs_add_up() -> None:
    verdicts = [judged("a", "8 3", "3 8", cost=0.25), judged("b", "2 7", "7 2")]
    found = settle(record(JuryRule.MEAN, 1, 1), verdicts)
    assert [(one.release, one.transform.name) for one in found.passes] == [
        ("a", "straight"),
        ("a", "swapped"),
        ("b", "straight"),
        ("b", "swapped"),
    ]
    assert (found.cost, found.input_tokens, found.output_tokens) == (0.5, 40, 8)
    assert [one.cost for one in found.members] == [0.5, None]
    assert (found.tie, found.flipped) == (True, False)
    assert (found.release, found.verdict_id, found.template_id) == ("jury-0", "v", "jury")


def test_a_jury_is_flipped_where_its_orders_disagree_and_not_where_a_members_do() -> None:
    steady, first = judged("a", "8 3", "3 8"), judged("b", "8 3", "8 3")
    # straight: both prefer x; swapped: one prefers x, one y
    assert settle(record(JuryRule.MAJORITY, 1, 1), [steady, first]).flipped is True
    third = judged("c", "9 1", "1 9")
    # two of three prefer x in either order
    assert settle(record(JuryRule.MAJORITY, 1, 1, 1), [steady, first, third]).flipped is False
    one_order = replace(third, passes=third.passes[:1])
    assert settle(record(JuryRule.MAJORITY, 1, 1, 1), [steady, first, one_order]).flipped is None


share = st.floats(0, 1)
chances = st.tuples(share, share, share).filter(lambda each: sum(each) > 0.1)


voting = st.sampled_from([JuryRule.MAJORITY, JuryRule.MEAN, JuryRule.WEIGHTED])


@given(st.lists(chances, min_size=3, max_size=3), voting)
def test_exchanged_candidates_mirror_the_verdict(
    each: list[tuple[float, float, float]], rule: JuryRule
) -> None:
    weights = (0.9, 0.6, 0.3) if rule is JuryRule.WEIGHTED else (1, 1, 1)
    found = settle(
        record(rule, *weights), [member(n, *p) for n, p in zip(NAMES, each, strict=False)]
    )
    mirrored = settle(
        record(rule, *weights), [member(n, *p[::-1]) for n, p in zip(NAMES, each, strict=False)]
    )
    assert (found.p_win, found.p_tie, found.p_lose) == (
        mirrored.p_lose,
        mirrored.p_tie,
        mirrored.p_win,
    )
    assert found.tie == mirrored.tie
    assert {found.winner, mirrored.winner} in ({""}, {"x", "y"})


def test_a_record_survives_a_model_configuration() -> None:
    made = record(JuryRule.WEIGHTED, 0.7, 0.55, 0.1)
    assert JuryRecord.of(made.parameters()) == made
    for broken in ({}, {**made.parameters(), "members": "[1]"}, {**made.parameters(), "rule": "x"}):
        with pytest.raises(ConfigurationError, match="release jury"):
            JuryRecord.of(broken)


def test_the_digest_is_that_of_members_weights_rule_and_quorum() -> None:
    digests = {"a": "1", "b": "2", "c": "3"}
    made = record(JuryRule.WEIGHTED, 0.7, 0.3)
    turned = JuryRecord(rule=made.rule, members=made.members[::-1], quorum=made.quorum)
    assert made.digest(digests) == turned.digest(digests)
    others = (
        record(JuryRule.WEIGHTED, 0.7, 0.4),
        record(JuryRule.MEAN, 1, 1),
        record(JuryRule.MAJORITY, 1, 1),
        record(JuryRule.MAJORITY, 1, 1, quorum=1),
        record(JuryRule.MAJORITY, 1, 1, 1),
    )
    assert len({one.digest(digests) for one in (made, *others)}) == 6
    assert made.digest(digests) != made.digest({**digests, "a": "4"})


def test_impossible_juries_are_refused() -> None:
    impossible: list[Callable[[], JuryRecord]] = [
        lambda: record(JuryRule.MEAN, 1),
        lambda: record(JuryRule.MEAN, 1, 0.5),
        lambda: record(JuryRule.WEIGHTED, 1, 0),
        lambda: record(JuryRule.WEIGHTED, 1, float("nan")),
        lambda: record(JuryRule.MEAN, 1, 1, quorum=3),
        lambda: JuryRecord(
            rule=JuryRule.MEAN, members=(Juror(release="a"), Juror(release="a")), quorum=1
        ),
    ]
    for make in impossible:
        with pytest.raises(ConfigurationError):
            make()
