"""The identity of a request's content, and of a verdict."""

from dataclasses import replace
from datetime import timedelta
from itertools import product

import pytest

from judgestream.core.conversation import Focus, Turn
from judgestream.core.identity import content_digest, prompt_digest, verdict_id
from judgestream.core.rubric import Criterion, Rubric
from judgestream.core.types import Candidate, Image, Options, Orders, ReferenceUse, Request
from tests.core.build import NOON

PAIR = Request(
    request_id="r1",
    mode="pairwise",
    question="q",
    candidates=(Candidate(id="1", text="x"), Candidate(id="2", text="y")),
    requested_at=NOON,
)
FIRST, SECOND = PAIR.candidates


def test_verdict_ids_are_stable() -> None:
    """Stored in topics and in Redis: a changed digest would publish every redelivery twice.

    printf '\\0\\0\\0\\2r1\\0\\0\\0\\x10judgelm-0a1b2c3d\\0\\0\\0\\x08pairwise\\0\\0\\0\\1c' | sha256sum
    """
    assert (
        verdict_id("r1", "judgelm-0a1b2c3d", "pairwise", "c") == "b33848fce7f3d0aac0a137259df4d43a"
    )


def test_content_digests_are_stable() -> None:
    """SHA-256 of "pairwise", "q", "", "both", "auto", "0", "256", "1", "x", "", "2", "y", "", each after its
    length in four bytes."""
    assert content_digest(PAIR) == (
        "36f897232fe743043fc4d3573555d670abdf2c5ba848efb78a69901f21165769"
    )


def test_a_prompt_is_what_was_asked_whatever_was_answered() -> None:
    other_answers = replace(PAIR, candidates=(FIRST, replace(SECOND, text="another")))
    assert prompt_digest(other_answers) == prompt_digest(replace(PAIR, reference="r"))
    assert prompt_digest(PAIR) != prompt_digest(replace(PAIR, question="Q"))
    assert prompt_digest(PAIR) != prompt_digest(replace(PAIR, images=(Image(url="https://x.org"),)))


def test_the_prompt_of_a_conversation_is_its_users_turns() -> None:
    def talk(asked: str, said: str) -> Request:
        turns = (Turn(role="user", text=asked), Turn(role="assistant", text=said))
        return replace(PAIR, question="", candidates=(Candidate(id="1", turns=turns),))

    assert prompt_digest(talk("hi", "hello")) == prompt_digest(talk("hi", "hey"))
    assert prompt_digest(talk("hi", "hello")) != prompt_digest(talk("bye", "hello"))


def test_verdict_ids_do_not_run_parts_together() -> None:
    parts = ["", "a", "ab", "a\0", "\0\0\0\1", "\0\0\0\1a", "é"]
    quadruples = list(product(parts, repeat=4))
    assert len({verdict_id(*parts) for parts in quadruples}) == len(quadruples)


TURN = Turn(role="user", text="hi")
CRITERION = Criterion(id="tone", description="polite")
RUBRIC = Rubric(criteria=(CRITERION,))


def with_rubric(**changes: object) -> Request:
    return replace(PAIR, rubric=Rubric(criteria=(replace(CRITERION, **changes),)))  # type: ignore[arg-type]


OTHERS = {
    "question": replace(PAIR, question="Q"),
    "mode": replace(PAIR, mode="single"),
    "reference": replace(PAIR, reference="z"),
    "order of the candidates": replace(PAIR, candidates=(SECOND, FIRST)),
    "a candidate's id": replace(PAIR, candidates=(replace(FIRST, id="3"), SECOND)),
    "a candidate's text": replace(PAIR, candidates=(FIRST, replace(SECOND, text="y "))),
    "a candidate's system": replace(PAIR, candidates=(FIRST, replace(SECOND, system="m"))),
    "an image": replace(PAIR, images=(Image(url="https://a.example/1"),)),
    "an image's URL": replace(PAIR, images=(Image(url="https://a.example/2"),)),
    "an image's bytes": replace(PAIR, images=(Image(data=b"x"),)),
    "an image's media type": replace(PAIR, images=(Image(data=b"x", media_type="image/png"),)),
    "a candidate's image": replace(
        PAIR, candidates=(replace(FIRST, images=(Image(data=b"x"),)), SECOND)
    ),
    "orders": replace(PAIR, options=Options(orders=Orders.STRAIGHT)),
    "reference use": replace(PAIR, options=Options(reference_use=ReferenceUse.NEVER)),
    "explain": replace(PAIR, options=Options(explain=True)),
    "explanation tokens": replace(PAIR, options=Options(max_explanation_tokens=9)),
    "focus": replace(PAIR, options=Options(focus=Focus.LAST_TURN)),
    "turns": replace(PAIR, candidates=(replace(FIRST, turns=(TURN,)), SECOND)),
    "turns of the other": replace(PAIR, candidates=(FIRST, replace(SECOND, turns=(TURN,)))),
    "two turns": replace(PAIR, candidates=(replace(FIRST, turns=(TURN, TURN)), SECOND)),
    "a first-stage score": replace(
        PAIR, candidates=(replace(FIRST, first_stage_score=0.0), SECOND)
    ),
    "a first-stage score of the other": replace(
        PAIR, candidates=(FIRST, replace(SECOND, first_stage_score=0.0))
    ),
    "hybrid weight": replace(PAIR, options=Options(hybrid_weight=100.0)),
    "discussion": replace(PAIR, discussion=(TURN,)),
    "rubric": replace(PAIR, rubric=RUBRIC),
    "threshold of the total": replace(PAIR, rubric=replace(RUBRIC, pass_threshold=0.5)),
    "a criterion's id": with_rubric(id="manner"),
    "a criterion's description": with_rubric(description="rude"),
    "a criterion's scale": with_rubric(high=5.0),
    "a criterion's weight": with_rubric(weight=2.0),
    "a criterion's threshold": with_rubric(pass_threshold=2.0),
    "rotations": replace(PAIR, options=Options(orders=Orders.ROTATIONS)),
    "pairs": replace(PAIR, options=Options(pairs=3)),
    "other pairs": replace(PAIR, options=Options(pairs=4)),
}


@pytest.mark.parametrize("what", OTHERS)
def test_other_content_has_another_digest(what: str) -> None:
    assert content_digest(OTHERS[what]) != content_digest(PAIR)


def test_no_two_of_them_share_a_digest() -> None:
    assert len({content_digest(request) for request in OTHERS.values()}) == len(OTHERS)


@pytest.mark.parametrize(
    "same",
    [
        replace(PAIR, request_id="r2"),
        replace(PAIR, requested_at=NOON + timedelta(days=1)),
        replace(PAIR, metadata={"k": "v"}),
        replace(PAIR, reference=""),
    ],
    ids=["id", "time", "metadata", "empty reference"],
)
def test_ids_times_and_metadata_do_not_change_the_digest(same: Request) -> None:
    assert content_digest(same) == content_digest(PAIR)


def test_whole_numbers_are_the_same_content_as_the_numbers_on_the_wire() -> None:
    """A client may write 5 where protobuf gives 5.0."""
    assert content_digest(with_rubric(high=5)) == content_digest(with_rubric(high=5.0))
    whole, real = (replace(PAIR, options=Options(hybrid_weight=w)) for w in (100, 100.0))
    assert content_digest(whole) == content_digest(real)
