"""Questions about a verdict: the request that shows the judge its judgement again."""

from dataclasses import replace

import pytest

from judgestream.core.conversation import Turn
from judgestream.core.errors import InvalidRequest
from judgestream.core.follow_ups import follow_up
from judgestream.core.limits import DISCUSSION
from judgestream.core.modes import check
from judgestream.core.rubric import Criterion, Rubric
from judgestream.core.transforms import Transform
from judgestream.core.types import (
    MemberReading,
    PassResult,
    Reading,
    Reply,
    Request,
    Status,
    Verdict,
)
from tests.core.build import EQUAL, NOON, request, verdict


def passed(name: str, text: str) -> PassResult:
    return PassResult(transform=Transform.from_name(name, 2), reading=EQUAL, reply=Reply(text=text))


JUDGED = replace(
    verdict(winner="a"),
    passes=(passed("straight", "8 6\nThe first is right."), passed("swapped", "5 7")),
)


def ask(of: Request, about: Verdict, question: str = "Why?", **options: str) -> Request:
    return follow_up(of, about, question, request_id="f1", at=NOON, **options)  # type: ignore[arg-type]


def texts(asked: Request) -> list[tuple[str, str]]:
    return [(turn.role, turn.text) for turn in asked.discussion]


def test_the_judge_is_shown_its_first_reply_and_the_question() -> None:
    asked = ask(request(reference="r"), JUDGED)
    assert texts(asked) == [("judge", "8 6\nThe first is right."), ("user", "Why?")]
    assert (asked.request_id, asked.mode, asked.reference) == ("f1", "follow_up", "r")
    assert asked.metadata == {"judgestream.follow_up_of": "v1"}
    assert check(asked).name == "follow_up"


def test_a_question_about_an_answer_continues_the_discussion() -> None:
    asked = ask(request(), JUDGED)
    answer = replace(
        verdict(), mode="follow_up", verdict_id="v2", scores=(), explanation="It is right."
    )
    again = ask(asked, answer, "And the second?")
    assert texts(again)[2:] == [("judge", "It is right."), ("user", "And the second?")]
    assert again.metadata == {"judgestream.follow_up_of": "v2"}
    check(again)


def test_the_oldest_questions_of_a_long_discussion_are_left_out_and_the_judgement_stays() -> None:
    asked = ask(request(), JUDGED, "question 0")
    for k in range(1, 20):
        answer = replace(verdict(), mode="follow_up", scores=(), explanation=f"answer {k - 1}")
        asked = ask(asked, answer, f"question {k}")
        assert len(asked.discussion) <= DISCUSSION
        check(asked)
    assert asked.discussion[0] == Turn(role="judge", text="8 6\nThe first is right.")
    assert texts(asked)[1] == ("user", "question 12")
    assert texts(asked)[-2:] == [("judge", "answer 18"), ("user", "question 19")]


RUBRIC = replace(
    request(mode="rubric", answers=("4",)),
    rubric=Rubric(
        criteria=tuple(Criterion(id=name, description=f"{name}?") for name in ("facts", "tone"))
    ),
)
SCORED = replace(
    verdict(),
    mode="rubric",
    passes=tuple(
        PassResult(
            transform=Transform(order=(0,), criterion=name),
            reading=Reading(means=(7.0,), greedy=(7.0,)),
            reply=Reply(text=f"7\n{name}."),
        )
        for name in ("facts", "tone")
    ),
)


def test_of_a_rubric_one_criterion_is_discussed() -> None:
    for criterion, name in (("", "facts"), ("tone", "tone")):
        asked = ask(RUBRIC, SCORED, criterion=criterion)
        assert asked.discussion[0].text == f"7\n{name}."
        assert asked.rubric is not None and [one.id for one in asked.rubric.criteria] == [name]
        check(asked)
    with pytest.raises(InvalidRequest, match="no criterion 'style': it has facts, tone"):
        ask(RUBRIC, SCORED, criterion="style")
    with pytest.raises(InvalidRequest, match="no criterion 'tone': it has none"):
        ask(request(), JUDGED, criterion="tone")


REFUSED = {
    "unscored": (
        replace(JUDGED, status=Status.UNSCORED),
        "it is unscored, so there is no judgement",
    ),
    "many prompts": (replace(JUDGED, mode="tournament"), "mode tournament has no single prompt"),
    "a jury": (
        replace(JUDGED, members=(MemberReading(release="r", status=Status.SCORED),)),
        "it is a jury's",
    ),
    "no pass": (replace(JUDGED, passes=()), "it has no pass"),
}


@pytest.mark.parametrize(("about", "problem"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_discussed_is_refused_with_the_reason(about: Verdict, problem: str) -> None:
    with pytest.raises(InvalidRequest, match=problem):
        ask(request(), about)
