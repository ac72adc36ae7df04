"""Image scorers: the passes of a request, what is refused by name, and how values settle."""

from dataclasses import replace
from math import exp

import pytest

from judgestream.core.errors import InvalidRequest, UnsupportedMode
from judgestream.core.modes import MULTIMODAL, check, for_template, plan, served_by
from judgestream.core.probe import known_good
from judgestream.core.reconcile import Settlement
from judgestream.core.templates import REWARD
from judgestream.core.templates.image_scorer import SCORER
from judgestream.core.templates.vision import LLAVA
from judgestream.core.types import (
    Candidate,
    Image,
    Options,
    Orders,
    PassResult,
    ReferenceUse,
    Reply,
    Request,
    Status,
)
from tests.core.build import request

PICTURES = tuple(Image(data=b"\x89PNG\r\n\x1a\n" + bytes([k])) for k in range(8))


def pictures(count: int, **options: object) -> Request:
    plain = request(
        mode="multimodal",
        question="A cat.",
        answers=("",) * count,
        options=Options(**options),  # type: ignore[arg-type]
    )
    return replace(
        plain,
        candidates=tuple(Candidate(id="abcdefgh"[k], images=(PICTURES[k],)) for k in range(count)),
    )


def settled(asked: Request, *values: float, margin: float = 0.0) -> Settlement:
    passes = plan(asked, MULTIMODAL, SCORER)
    results: list[PassResult] = [
        one.result(Reply(text="", score_probs=(value, margin)))
        for one, value in zip(passes, values, strict=True)
    ]
    return for_template(MULTIMODAL, SCORER).settle(asked, results)


def test_an_image_scorer_serves_mode_multimodal_alone() -> None:
    assert served_by(SCORER) == ("multimodal",)
    assert "multimodal" not in served_by(REWARD)


@pytest.mark.parametrize("orders", list(Orders))
@pytest.mark.parametrize("count", [1, 2, 8])
def test_every_image_is_one_pass_beside_the_question_whatever_the_orders(
    count: int, orders: Orders
) -> None:
    asked = pictures(count, orders=orders, explain=True)
    assert check(asked) is MULTIMODAL
    passes = plan(asked, MULTIMODAL, SCORER)
    assert [one.transform.order for one in passes] == [(k,) for k in range(count)]
    assert [one.images for one in passes] == [(PICTURES[k],) for k in range(count)]
    assert {one.prompt for one in passes} == {"A cat."}
    assert all(one.grammar.reward and one.max_tokens == 0 for one in passes)
    answered = [one.result(Reply(text="", score_probs=(0.0, 0.0))) for one in passes]
    assert plan(asked, MULTIMODAL, SCORER, answered) == ()


def test_two_images_compare_by_the_difference_of_their_values() -> None:
    """PickScore's rule: P = e^a / (e^a + e^b), for 21 and 20 that is 1 / (1 + 1/e) = 0.7311."""
    found = settled(pictures(2), 21.0, 20.0)
    assert (found.status, found.winner, found.method) == (Status.SCORED, "a", "reward")
    assert found.p_win == pytest.approx(0.731059, abs=1e-6)
    assert found.flipped is None
    near = settled(pictures(2), 20.1, 20.0, margin=1.0)
    assert near.tie and not near.winner


def test_one_image_is_scored_and_more_are_ranked() -> None:
    one = settled(pictures(1), 0.0)
    assert [score.score for score in one.scores] == [5.5]
    three = settled(pictures(3), 1.0, 3.0, 2.0)
    assert three.winner == "b"
    assert [score.rank for score in three.scores] == [3, 1, 2]
    assert three.confidence == pytest.approx(1 / (1 + exp(-1) + exp(-2)))


def about(asked: Request, **changes: object) -> Request:
    return replace(asked, **changes)  # type: ignore[arg-type]


REFUSED = [
    (about(pictures(1), images=(PICTURES[7],)), "put each image into its candidate"),
    (
        about(
            pictures(2),
            candidates=(
                Candidate(id="a", images=PICTURES[:2]),
                Candidate(id="b", images=PICTURES[2:3]),
            ),
        ),
        r"candidates\[1\] has 2 images",
    ),
    (
        about(
            pictures(2),
            candidates=(Candidate(id="a", images=PICTURES[:1]), Candidate(id="b", text="a cat")),
        ),
        r"candidates\[2\] has 0 images",
    ),
    (
        about(pictures(1), candidates=(Candidate(id="a", text="x", images=PICTURES[:1]),)),
        r"candidates\[1\] has a text, too",
    ),
    (about(pictures(1), reference="A dog."), "takes no reference answer"),
    (
        request(mode="multimodal", question="q", answers=("a",), reference="b"),
        r"candidates\[1\] has 0 images",
    ),
]


@pytest.mark.parametrize(("asked", "message"), REFUSED, ids=range(len(REFUSED)))
def test_what_a_scorer_cannot_see_is_refused_by_name(asked: Request, message: str) -> None:
    check(asked)
    with pytest.raises(UnsupportedMode, match=message) as caught:
        plan(asked, MULTIMODAL, SCORER)
    assert "image-scorer-v1" in str(caught.value)


def test_a_reference_that_is_never_shown_does_not_matter() -> None:
    asked = about(pictures(1, reference_use=ReferenceUse.NEVER), reference="A dog.")
    assert len(plan(asked, MULTIMODAL, SCORER)) == 1


def test_texts_alone_and_rankings_by_other_judges_are_refused() -> None:
    texts = request(mode="pairwise", question="q", answers=("a", "b"))
    with pytest.raises(UnsupportedMode, match="image-scorer-v1 does not support mode pairwise"):
        plan(texts, check(texts), SCORER)
    with pytest.raises(UnsupportedMode, match="llava-v1 compares two answers with images"):
        plan(pictures(3), MULTIMODAL, LLAVA)
    bare = request(mode="multimodal", question="q", answers=("a", "b", "c"))
    with pytest.raises(InvalidRequest, match="compares answers by images"):
        check(bare)


def test_the_known_good_prompt_of_an_image_scorer_shows_an_image() -> None:
    (one,) = known_good(SCORER)
    assert len(one.images) == 1 and one.grammar.reward
