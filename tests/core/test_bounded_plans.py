"""Requests whose passes repeat long texts, and options that belong to another mode."""

from dataclasses import replace

import pytest

from judgestream.core import limits
from judgestream.core.conversation import Focus, Turn
from judgestream.core.errors import InvalidRequest
from judgestream.core.modes import check, plan
from judgestream.core.rubric import Criterion, Rubric
from judgestream.core.templates import CHAT, JUDGELM
from judgestream.core.types import Candidate, Options, Request
from tests.core.build import request


def many(mode: str, count: int, question: str, answer: str) -> Request:
    return replace(
        request(mode=mode, question=question),
        candidates=tuple(Candidate(id=str(k), text=answer) for k in range(count)),
    )


@pytest.mark.parametrize(("mode", "count"), [("tournament", 16), ("rerank", 100)])
def test_a_long_question_in_many_passes_is_refused_by_name(mode: str, count: int) -> None:
    asked = many(mode, count, "x" * 900_000, "a")
    with pytest.raises(InvalidRequest, match=f"prompts of mode {mode} have more than .* shorten"):
        plan(asked, check(asked), CHAT)


def test_answers_that_fill_a_request_fit_a_tournament_of_sixteen() -> None:
    asked = many("tournament", 16, "Which is best?", "a" * (limits.REQUEST // 16))
    passes = plan(asked, check(asked), JUDGELM)
    assert len(passes) == 240
    assert sum(len(one.prompt) for one in passes) < limits.PROMPTS


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (Options(pairs=3), "options.pairs is for mode tournament only: leave it out"),
        (Options(focus=Focus.LAST_TURN), "options.focus is last_turn, and no candidate has turns"),
        (Options(hybrid_weight=1.0), "options.hybrid_weight is for mode rerank only"),
    ],
)
def test_an_option_of_another_mode_is_refused_by_name(options: Options, problem: str) -> None:
    with pytest.raises(InvalidRequest, match=problem):
        check(request(options=options))


def test_a_discussed_rubric_takes_no_conversation() -> None:
    turns = (Turn(role="user", text="Hi"), Turn(role="assistant", text="Hello"))
    asked = replace(
        request(mode="follow_up"),
        candidates=(Candidate(id="a", turns=turns),),
        rubric=Rubric(criteria=(Criterion(id="tone", description="Is it polite?"),)),
        discussion=(Turn(role="judge", text="9"), Turn(role="user", text="Why?")),
    )
    with pytest.raises(InvalidRequest, match="mode rubric takes no turns: give the answer as text"):
        check(asked)
