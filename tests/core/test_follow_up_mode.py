"""Mode follow_up: questions to the judge about a judgement, with that judgement as context."""

from dataclasses import replace

import pytest

from judgestream.core.conversation import Turn
from judgestream.core.errors import InvalidRequest, UnsupportedMode
from judgestream.core.modes import (
    FOLLOW_UP,
    MULTI_TURN,
    PAIRWISE,
    RUBRIC,
    SINGLE,
    Mode,
    check,
    plan,
)
from judgestream.core.rubric import Criterion, Rubric
from judgestream.core.templates import CHAT, JUDGELM, messages
from judgestream.core.templates.base import TEXT, Template
from judgestream.core.types import (
    Candidate,
    Options,
    Orders,
    Release,
    Reply,
    Request,
    Status,
    Verdict,
)
from judgestream.core.verdicts import Effort, build_verdict
from tests.core.build import NOON, request


def discussed(*texts: str, of: Request | None = None) -> Request:
    roles = ("judge", "user")
    turns = tuple(Turn(role=roles[k % 2], text=text) for k, text in enumerate(texts))
    judged = of or request()
    options = replace(judged.options, max_explanation_tokens=99)
    return replace(judged, mode="follow_up", discussion=turns, options=options)


WHY = ("8 6\nThe first is right.", "Why not 9?")


def test_the_judge_sees_its_judgement_and_the_discussion_behind_it() -> None:
    asked = discussed(*WHY)
    (only,) = plan(asked, check(asked), JUDGELM)
    judgement, *_ = plan(request(), PAIRWISE, JUDGELM)
    assert only.prompt.startswith(f"{judgement.prompt}8 6\nThe first is right.\n\n[Question about")
    assert only.grammar is TEXT and only.is_text and only.max_tokens == 99
    chat = messages(plan(asked, FOLLOW_UP, CHAT)[0].prompt)
    assert [one["role"] for one in chat] == ["system", "user", "assistant", "user"]
    assert chat[2]["content"] == WHY[0]


CONVERSATIONS = tuple(
    Candidate(id=name, turns=(Turn(role="user", text="Hi"), Turn(role="assistant", text=name)))
    for name in "ab"
)
JUDGEMENTS = {
    "one answer and its reference": (request(mode="single", answers=("4",), reference="4"), SINGLE),
    "conversations": (
        replace(request(mode="multi_turn", question=""), candidates=CONVERSATIONS),
        MULTI_TURN,
    ),
    "a rubric": (
        replace(
            request(mode="rubric", answers=("4",)),
            rubric=Rubric(criteria=(Criterion(id="tone", description="polite"),)),
        ),
        RUBRIC,
    ),
    "a pair in both orders": (request(options=Options(orders=Orders.BOTH)), PAIRWISE),
}


@pytest.mark.parametrize(("judged", "mode"), JUDGEMENTS.values(), ids=JUDGEMENTS)
def test_what_was_judged_tells_the_prompt_that_the_reply_belongs_to(
    judged: Request, mode: Mode
) -> None:
    asked = discussed(*WHY, of=judged)
    first, *_ = plan(judged, check(judged), CHAT)
    assert check(judged) is mode
    (only,) = plan(asked, check(asked), CHAT)
    assert messages(only.prompt)[:2] == messages(first.prompt)


def test_a_forced_first_score_is_followed_by_the_reply_as_the_judge_wrote_it() -> None:
    judged = request(mode="single", answers=("4",), reference="4")
    for reply in ("8\nRight.", " 8\nRight."):
        (only,) = plan(discussed(reply, "Why?", of=judged), FOLLOW_UP, JUDGELM)
        assert "### Response:10 8\nRight.\n\n[Question about" in only.prompt


def answered(text: str) -> Verdict:
    asked = discussed(*WHY)
    (only,) = plan(asked, FOLLOW_UP, CHAT)
    return build_verdict(
        request=asked,
        mode=FOLLOW_UP,
        release=Release(name="r", checkpoint_digest="d", template_id="chat-v1", max_input_tokens=9),
        results=[only.result(Reply(text=text, score_probs=(0.0,)))],
        effort=Effort(attempts=1, latency_s=0.0, ended_at=NOON),
        verdict_id="v",
        content_digest="c",
    )


def test_the_verdict_is_the_answer_and_nobody_wins() -> None:
    verdict = answered(" It forgets the sunset.\nThat costs a point. ")
    assert verdict.status is Status.SCORED
    assert verdict.explanation == "It forgets the sunset.\nThat costs a point."
    assert (verdict.winner, verdict.tie, verdict.scores) == ("", False, ())


def test_an_empty_answer_is_unscored() -> None:
    verdict = answered(" \n")
    assert verdict.status is Status.UNSCORED
    assert verdict.reason == "unparsable: the judge gave no answer"


REFUSED = {
    "no discussion": (
        replace(discussed(*WHY), discussion=()),
        "mode follow_up needs a discussion: the judge's reply, then a question",
    ),
    "a discussion in another mode": (
        replace(discussed(*WHY), mode="pairwise"),
        "mode pairwise takes no discussion: remove them, or use mode follow_up",
    ),
}


@pytest.mark.parametrize(("refused", "problem"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_discussed_is_refused(refused: Request, problem: str) -> None:
    with pytest.raises(InvalidRequest) as raised:
        check(refused)
    assert problem in str(raised.value)


def test_a_template_without_the_form_is_refused_by_name() -> None:
    bare = Template(id="bare-v1", forms={"pair": CHAT.forms["pair"]}, markers=())
    with pytest.raises(
        UnsupportedMode, match="bare-v1 does not support mode follow_up: .*follow_up"
    ):
        plan(discussed(*WHY), FOLLOW_UP, bare)
    talks = Template(id="talks-v1", forms={"follow_up": CHAT.forms["follow_up"]}, markers=())
    with pytest.raises(UnsupportedMode, match="talks-v1 does not support mode pairwise"):
        plan(discussed(*WHY), FOLLOW_UP, talks)
