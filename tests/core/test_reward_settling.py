"""Reward models: one pass per candidate, settled by values worked by hand."""

from collections.abc import Sequence
from dataclasses import replace
from math import log, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judgestream.contracts.codecs.verdicts import verdict_from_message, verdict_to_message
from judgestream.core.errors import UnsupportedMode
from judgestream.core.modes import MODES, PAIRWISE, check_template, for_template, plan
from judgestream.core.probe import known_good, warm_up_prompts
from judgestream.core.templates import JUDGELM, REWARD
from judgestream.core.templates.reward import conversation
from judgestream.core.types import (
    Options,
    Orders,
    PassResult,
    ReferenceUse,
    Release,
    Reply,
    Request,
    Status,
    Verdict,
)
from judgestream.core.verdict_text import details
from judgestream.core.verdicts import Effort, build_verdict
from judgestream.evaluation.probes import observe
from judgestream.evaluation.scored_verdict import ScoredVerdict
from tests.core.build import NOON, request

RELEASE = Release(
    name="reward-1", checkpoint_digest="d", template_id=REWARD.id, max_input_tokens=99
)
LN2 = log(2)


def results(
    asked: Request, values: Sequence[float | None], margin: float = 0.0
) -> tuple[PassResult, ...]:
    """The results of a request's passes, whose values are given in the order of the plan."""
    mode = MODES[asked.mode]
    passes = plan(asked, mode, REWARD)
    replies = [
        Reply(text="no value") if value is None else Reply(text="", score_probs=(value, margin))
        for value in values
    ]
    return tuple(one.result(reply) for one, reply in zip(passes, replies, strict=True))


def verdict(asked: Request, values: Sequence[float | None], margin: float = 0.0) -> Verdict:
    mode = MODES[asked.mode]
    return build_verdict(
        request=asked,
        mode=for_template(mode, REWARD),
        release=RELEASE,
        results=results(asked, values, margin),
        effort=Effort(attempts=1, latency_s=0.1, ended_at=NOON),
        verdict_id="v",
        content_digest="c",
    )


@pytest.mark.parametrize("orders", Orders)
def test_each_candidate_is_shown_alone_whatever_the_orders(orders: Orders) -> None:
    asked = request(options=Options(orders=orders, explain=True))
    passes = plan(asked, PAIRWISE, REWARD)
    assert [one.transform.name for one in passes] == ["order-0", "order-1"]
    assert [one.max_tokens for one in passes] == [0, 0]  # a value has no explanation
    for one, candidate in zip(passes, asked.candidates, strict=True):
        user, assistant = conversation(one.prompt)
        assert user == ("user", asked.question)
        assert assistant == ("assistant", candidate.text)


def test_with_and_without_the_reference_there_are_two_values_per_candidate() -> None:
    use = Options(reference_use=ReferenceUse.BOTH)
    asked = request(reference="Rayleigh.", options=use)
    names = [one.transform.name for one in plan(asked, PAIRWISE, REWARD)]
    assert names == ["order-0+reference", "order-1+reference", "order-0", "order-1"]
    # differences 3 log 2 and -log 2: mean log 2, so P(first better) = 2/3
    found = verdict(asked, (3 * LN2, 0.0, 0.0, LN2))
    assert (found.p_win, found.p_tie, found.p_lose) == pytest.approx((2 / 3, 0, 1 / 3))


def test_a_pair_by_hand() -> None:
    # difference log 3: P = 3/4 and 1/4; score of a: 1 + 9 * 6/7, of b: 1 + 9 * 2/3
    found = verdict(request(), (log(6), LN2))
    assert (found.status, found.winner, found.tie) == (Status.SCORED, "a", False)
    assert (found.p_win, found.p_tie, found.p_lose) == pytest.approx((0.75, 0.0, 0.25))
    assert found.confidence == pytest.approx(0.75)
    assert [score.score for score in found.scores] == pytest.approx([61 / 7, 7.0])
    assert [score.length for score in found.scores] == [20, 20]
    assert (found.method, found.flipped, found.explanation) == ("reward", None, "")
    text = "\n".join(details(found))
    assert "method:          reward" in text and "value 1.792" in text  # log 6


def test_the_margin_makes_ties() -> None:
    # difference 0.1, margin 2: s(-1.9) = .1301, s(-2.1) = .1091
    found = verdict(request(), (0.1, 0.0), margin=2.0)
    assert found.tie and not found.winner
    assert (found.p_win, found.p_lose) == pytest.approx((0.1301, 0.1091), abs=1e-4)
    assert found.confidence == found.p_tie == pytest.approx(0.7608, abs=1e-4)


def test_equal_values_without_a_margin_are_a_draw() -> None:
    found = verdict(request(), (1.5, 1.5))
    assert found.tie and (found.p_win, found.p_tie, found.p_lose) == (0.5, 0.0, 0.5)


VALUES = st.floats(-100, 100)


@given(VALUES, VALUES, st.floats(0, 10))
def test_swapping_the_candidates_mirrors_the_verdict(a: float, b: float, margin: float) -> None:
    asked = request()
    mirrored = replace(asked, candidates=asked.candidates[::-1])
    one, other = verdict(asked, (a, b), margin), verdict(mirrored, (b, a), margin)
    assert (one.winner, one.tie, one.confidence) == (other.winner, other.tie, other.confidence)
    assert (one.p_win, one.p_tie, one.p_lose) == (other.p_lose, other.p_tie, other.p_win)


def test_one_unreadable_value_makes_the_verdict_unscored() -> None:
    found = verdict(request(), (1.0, None))
    assert (found.status, found.reason) == (Status.UNSCORED, "unparsable: order-1")


def test_a_single_answer_has_the_score_of_its_value() -> None:
    asked = request(mode="single", answers=("four",))
    (only,) = plan(asked, MODES["single"], REWARD)
    assert only.transform.name == "straight"
    found = verdict(asked, (LN2,))
    assert [score.score for score in found.scores] == pytest.approx([7.0])
    assert (found.winner, found.tie, found.p_win, found.method) == ("", False, None, "reward")


@pytest.mark.parametrize("mode", ["multi", "tournament"])
def test_many_answers_are_ranked_by_value(mode: str) -> None:
    asked = request(mode=mode, answers=("x", "y", "z"))
    passes = plan(asked, MODES[mode], REWARD)  # as many as candidates, not as pairs
    assert [one.transform.name for one in passes] == ["order-0", "order-1", "order-2"]
    found = verdict(asked, (0.0, log(3), LN2))
    assert (found.winner, found.method, found.flipped) == ("b", "reward", None)
    assert [score.rank for score in found.scores] == [3, 1, 2]
    assert [score.p_best for score in found.scores] == pytest.approx([1 / 6, 3 / 6, 2 / 6])
    assert found.confidence == pytest.approx(0.5)
    scores = [score.score for score in found.scores]
    if mode == "multi":
        assert scores == pytest.approx([5.5, 1 + 9 * 3 / 4, 7.0])
    else:  # less the mean, log(6) / 3
        assert scores == pytest.approx([x - log(6) / 3 for x in (0.0, log(3), LN2)])
    assert observe(found).keys() & {"ordered", "placed", "tied", "untied"} == set()
    tied = verdict(asked, (1.0, 1.0, 0.0))
    assert tied.tie and [score.rank for score in tied.scores] == [1, 1, 3]


def test_the_verdict_survives_the_wire() -> None:
    found = verdict(request(), (0.25, -1.5), margin=0.5)
    message = verdict_to_message(found)
    assert message.method == "reward"
    assert [list(one.values) for one in message.passes] == [[0.25, 0.5], [-1.5, 0.5]]
    assert [one.name for one in message.passes] == ["order-0", "order-1"]
    back = verdict_from_message(message)
    passes = [
        replace(one, reply=replace(one.reply, score_probs=()), reading=one.reading)
        for one in found.passes
    ]
    assert back == replace(found, passes=tuple(passes))
    message.passes[1].values[0] = nan
    with pytest.raises(ValueError, match="not a finite number"):
        verdict_from_message(message)


def test_values_are_no_evidence_about_positions() -> None:
    found = verdict(request(answers=("four", "fifteen letters")), (1.0, 0.0))
    counts = observe(found)
    assert "ordered" not in counts and "consistent" not in counts
    assert counts == {"n": 1, "untied": 1, "scored": 1, "length_pairs": 1}
    joined = ScoredVerdict.of(found)
    assert joined is not None and joined.lean is None and joined.orders is None
    assert joined.outcome == 1 and not joined.scores_differ


def test_known_good_and_warm_up_prompts_are_conversations() -> None:
    passes = known_good(REWARD)
    assert [conversation(one.prompt)[-1][1] for one in passes] == ["4", "5"]
    for prompt in warm_up_prompts(REWARD):
        assert prompt.grammar.reward and len(conversation(prompt.text)) == 2


def test_judges_of_score_lines_judge_as_before() -> None:
    assert for_template(PAIRWISE, JUDGELM) is PAIRWISE
    for name in ("pairwise", "single", "multi", "tournament"):
        check_template(MODES[name], REWARD)


def test_another_mode_is_refused_by_name() -> None:
    with pytest.raises(UnsupportedMode, match="reward-v1 does not support mode rerank"):
        check_template(MODES["rerank"], REWARD)
