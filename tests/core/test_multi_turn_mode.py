"""Mode multi_turn: which of two conversations is better, or how good is one."""

from dataclasses import replace

import pytest

from judgestream.core.conversation import Focus, Turn, transcript
from judgestream.core.errors import InvalidRequest, UnsupportedMode
from judgestream.core.modes import MULTI_TURN, check, plan
from judgestream.core.templates import CHAT, CHAT_CHOICE, JUDGELM
from judgestream.core.templates.base import Template
from judgestream.core.truncation import MARK, limits, with_answers_cut
from judgestream.core.types import Candidate, Options, Orders, Reply, Request, Status
from judgestream.evaluation.probes import observe
from tests.core.build import NOON, verdict


def said(*texts: str) -> tuple[Turn, ...]:
    """User and assistant in turn."""
    roles = ("user", "assistant")
    return tuple(Turn(role=roles[k % 2], text=text) for k, text in enumerate(texts))


GOOD = said("2 + 2?", "4", "And 3 more?", "7")
BAD = said("2 + 2?", "4", "And 3 more?", "I like cats")


def asked(
    *conversations: tuple[Turn, ...],
    question: str = "",
    focus: Focus = Focus.WHOLE,
    orders: Orders = Orders.BOTH,
) -> Request:
    return Request(
        request_id="r1",
        mode="multi_turn",
        question=question,
        candidates=tuple(
            Candidate(id="abc"[k], turns=turns) for k, turns in enumerate(conversations)
        ),
        requested_at=NOON,
        options=Options(focus=focus, orders=orders),
    )


def test_both_orders_show_both_transcripts() -> None:
    straight, swapped = plan(asked(GOOD, BAD), check(asked(GOOD, BAD)), JUDGELM)
    assert (straight.transform.name, swapped.transform.name) == ("straight", "swapped")
    good, bad = transcript(GOOD), transcript(BAD)
    assert straight.prompt.index(good) < straight.prompt.index(bad)
    assert swapped.prompt.index(bad) < swapped.prompt.index(good)


def test_the_better_conversation_wins_in_either_order_of_the_request() -> None:
    def judge(prompt: str) -> str:
        return "9 2" if prompt.index("[Turn 2: Assistant]\n7") < prompt.index("cats") else "2 9"

    for conversations, winner in (((GOOD, BAD), "a"), ((BAD, GOOD), "b")):
        settlement = MULTI_TURN.settle(
            asked(*conversations),
            [
                one.result(Reply(text=judge(one.prompt)))
                for one in plan(asked(*conversations), MULTI_TURN, CHAT)
            ],
        )
        assert (settlement.winner, settlement.flipped) == (winner, False)
        by_id = {score.candidate_id: score.score for score in settlement.scores}
        assert by_id[winner] == 9.0


def test_a_judge_that_prefers_the_first_is_flipped_and_the_verdict_a_tie() -> None:
    passes = plan(asked(GOOD, BAD), MULTI_TURN, CHAT)
    settlement = MULTI_TURN.settle(
        asked(GOOD, BAD), [one.result(Reply(text="8 3")) for one in passes]
    )
    assert (settlement.tie, settlement.flipped) == (True, True)
    judged = tuple(one.result(Reply(text="8 3")) for one in passes)
    counts = observe(replace(verdict(tie=True), mode="multi_turn", passes=judged))
    position = {"n": 1, "scored": 1, "tied": 1, "ordered": 1, "toward_first": 1}
    assert counts == {**position, "graded": 1, "scores_five_six": 2}


def test_a_letter_is_a_choice_between_conversations() -> None:
    passes = plan(asked(GOOD, BAD, orders=Orders.STRAIGHT), MULTI_TURN, CHAT_CHOICE)
    settlement = MULTI_TURN.settle(
        asked(GOOD, BAD), [one.result(Reply(text="B")) for one in passes]
    )
    assert settlement.winner == "b"


def test_one_conversation_has_a_score_and_no_winner() -> None:
    (only,) = plan(asked(GOOD), check(asked(GOOD)), CHAT)
    assert only.grammar.count == 1
    settlement = MULTI_TURN.settle(asked(GOOD), [only.result(Reply(text="7"))])
    assert settlement.status is Status.SCORED and settlement.winner == ""
    assert [(score.score, score.length) for score in settlement.scores] == [
        (7.0, len("4") + len("7"))
    ]


def test_the_focus_chooses_the_form() -> None:
    whole, last = (
        plan(asked(GOOD, BAD, focus=focus), MULTI_TURN, CHAT)[0].prompt for focus in Focus
    )
    assert "Judge all replies" in whole and "Judge only the last reply" in last


REFUSED = {
    "no turns": (
        replace(asked(GOOD), candidates=(Candidate(id="a", text="4"),)),
        "candidates[1] has no turns",
    ),
    "nothing said by the assistant": (
        asked(GOOD, said("2 + 2?")),
        "candidates[2].turns has no message",
    ),
    "an open question at the end": (
        asked(GOOD, (*BAD, Turn(role="user", text="Well?")), focus=Focus.LAST_TURN),
        "candidates[2].turns ends with the user: with focus last_turn",
    ),
    "three": (asked(GOOD, BAD, GOOD), "takes 1 to 2 candidates, not 3"),
    "turns in another mode": (
        replace(asked(GOOD, BAD), mode="pairwise", question="q"),
        "mode pairwise takes no turns: remove them, or use mode multi_turn",
    ),
}


@pytest.mark.parametrize(("refused", "problem"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_judged_is_refused_with_its_place(refused: Request, problem: str) -> None:
    with pytest.raises(InvalidRequest) as raised:
        check(refused)
    assert problem in str(raised.value)


def test_a_template_without_the_form_is_refused_by_name() -> None:
    bare = Template(id="bare-v1", forms={"pair": CHAT.forms["pair"]}, markers=())
    with pytest.raises(UnsupportedMode, match="bare-v1 does not support mode multi_turn"):
        plan(asked(GOOD, BAD), MULTI_TURN, bare)
    pairs = Template(
        id="pairs-v1", forms={"conversation_pair": CHAT.forms["conversation_pair"]}, markers=()
    )
    with pytest.raises(UnsupportedMode, match="it has no form conversation_single"):
        plan(asked(GOOD), MULTI_TURN, pairs)
    with pytest.raises(UnsupportedMode, match="it has no form last_turn_pair"):
        plan(asked(GOOD, BAD, focus=Focus.LAST_TURN), MULTI_TURN, pairs)


LONG = said("q" * 50, "a" * 1000, "r" * 50, "b" * 400)


def cut(focus: Focus, limit: int) -> list[str]:
    (candidate,) = with_answers_cut(asked(LONG, focus=focus), limit).candidates
    return [turn.text for turn in candidate.turns]


def test_long_turns_of_a_conversation_are_cut_to_one_length() -> None:
    """900 characters: 50 and 50 stay, and 400 each are left for the two replies."""
    assert cut(Focus.WHOLE, 900) == ["q" * 50, "a" * (400 - len(MARK)) + MARK, "r" * 50, "b" * 400]
    assert sum(map(len, cut(Focus.WHOLE, 300))) <= 300
    assert cut(Focus.WHOLE, 1500) == [turn.text for turn in LONG]


def test_with_the_last_turn_in_focus_its_context_is_cut_first() -> None:
    """900 characters: the last reply keeps its 400, so 500 are left for its context of 1,100."""
    kept = cut(Focus.LAST_TURN, 900)
    assert kept[3] == "b" * 400
    assert kept[1] == "a" * (400 - len(MARK)) + MARK and kept[0] == "q" * 50
    # at 600, half is for the last reply, which would need more
    assert cut(Focus.LAST_TURN, 600)[3] == "b" * (300 - len(MARK)) + MARK


def test_the_limits_follow_the_whole_conversation_and_end_while_turns_are_legible() -> None:
    found = list(limits(asked(LONG), context_tokens=10_000, shown=1))
    assert found[0] == 1050  # 70 % of 1,500 characters
    assert found[-1] >= 200 and found[-1] * 0.7 < 200
    many = said(*("x" * 100 for _ in range(40)))
    assert list(limits(asked(many), context_tokens=10_000, shown=1))[-1] >= 40 * 40
