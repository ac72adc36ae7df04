"""Mode multimodal: the alternatives of a reference, the passes, what is refused, and how readings settle."""

from dataclasses import replace

import pytest

from judgestream.core.errors import InvalidRequest, UnsupportedMode
from judgestream.core.modes import MULTIMODAL, check, plan
from judgestream.core.modes.multimodal import alternatives
from judgestream.core.settling.multimodal import settle_multimodal
from judgestream.core.templates import CHAT, CHAT_CHOICE, JUDGELM, REWARD
from judgestream.core.templates.vision import LLAVA
from judgestream.core.transforms import Transform
from judgestream.core.types import (
    Image,
    Options,
    Orders,
    PassResult,
    Reading,
    ReferenceUse,
    Reply,
    Request,
    Status,
)
from tests.core.build import FIRST, SECOND, UNREAD, request, result

A, B, C = (Image(data=b"\x89PNG\r\n\x1a\n" + name) for name in (b"a", b"b", b"c"))


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("red", ("red",)),
        ("-1<OR>minus one", ("-1", "minus one")),
        ("oven<AND>dishwasher", ("oven and dishwasher",)),
        ("x=1<AND>y=2<OR>(1, 2)", ("x=1 and y=2", "(1, 2)")),
        (" red <OR> <OR>red ", ("red",)),
        ("<OR><AND>", ()),
        ("<or>", ("<or>",)),
        ("", ()),
    ],
)
def test_alternatives_are_separated_by_or_and_joined_by_and(
    reference: str, expected: tuple[str, ...]
) -> None:
    assert alternatives(reference) == expected


def about_a_text(reference: str | None = "-1<OR>minus one", **options: object) -> Request:
    return request(
        mode="multimodal",
        question="What is x?",
        answers=("It is -1.",),
        reference=reference,
        options=Options(**options),  # type: ignore[arg-type]
    )


def test_every_alternative_is_a_pass() -> None:
    asked = about_a_text()
    assert check(asked) is MULTIMODAL
    passes = plan(asked, MULTIMODAL, JUDGELM)
    assert [one.transform.name for one in passes] == [
        "straight+reference/alternative-1",
        "straight+reference/alternative-2",
    ]
    form = JUDGELM.forms["multimodal"]
    assert [one.prompt for one in passes] == [
        form.render("What is x?", (alternative, "It is -1."), "-1<OR>minus one")
        for alternative in ("-1", "minus one")
    ]
    assert all(one.grammar == form.grammar and not one.images for one in passes)
    assert [Transform.from_name(one.transform.name, 1) for one in passes] == [
        one.transform for one in passes
    ]


def test_one_reference_is_one_pass_whatever_the_options() -> None:
    for orders in Orders:
        for use in ReferenceUse:
            asked = about_a_text("red", orders=orders, reference_use=use)
            passes = plan(asked, MULTIMODAL, CHAT_CHOICE)
            assert [one.transform.name for one in passes] == ["straight+reference"]


def test_every_alternative_writes_its_explanation() -> None:
    passes = plan(about_a_text(explain=True, max_explanation_tokens=9), MULTIMODAL, CHAT)
    assert [one.max_tokens for one in passes] == [9, 9]


def about_images(
    *,
    answers: tuple[str, ...] = ("mine", "yours"),
    question: tuple[Image, ...] = (C,),
    images: tuple[tuple[Image, ...], ...] = ((A,), (B, B)),
    reference: str | None = None,
    options: Options | None = None,
) -> Request:
    plain = request(
        mode="multimodal", question="A cat.", answers=answers, reference=reference, options=options
    )
    candidates = tuple(
        replace(candidate, images=own)
        for candidate, own in zip(plain.candidates, images, strict=True)
    )
    return replace(plain, images=question, candidates=candidates)


def test_two_candidates_are_shown_in_both_orders_with_their_images() -> None:
    asked = about_images()
    assert check(asked) is MULTIMODAL
    straight, swapped = plan(asked, MULTIMODAL, LLAVA)
    assert (straight.transform.name, swapped.transform.name) == ("straight", "swapped")
    assert straight.images == (C, A, B, B)
    assert swapped.images == (C, B, B, A)
    for one in (straight, swapped):
        assert one.prompt.count("<image>") == 4
        assert one.grammar.count == 2
    assert straight.prompt.index("<image>\nmine") < straight.prompt.index("<image>\nyours")
    assert swapped.prompt.index("<image>\nyours") < swapped.prompt.index("<image>\nmine")


def test_images_with_a_reference_and_an_explanation() -> None:
    options = Options(reference_use=ReferenceUse.BOTH, explain=True, max_explanation_tokens=7)
    passes = plan(about_images(reference="A cat.", options=options), MULTIMODAL, LLAVA)
    assert [(one.transform.name, one.max_tokens) for one in passes] == [
        ("straight+reference", 7),
        ("swapped+reference", 0),
        ("straight", 0),
        ("swapped", 0),
    ]


@pytest.mark.parametrize("reference", [None, "A cat."])
def test_one_candidate_is_scored_with_and_without_a_reference(reference: str | None) -> None:
    asked = about_images(answers=("mine",), images=((A,),), reference=reference)
    (one,) = plan(asked, MULTIMODAL, LLAVA)
    assert one.images == (C, A)
    assert one.grammar.count == 1
    assert ("correct answer above" in one.prompt) is (reference is not None)


@pytest.mark.parametrize("template", [JUDGELM, CHAT, CHAT_CHOICE], ids=lambda one: str(one.id))
def test_a_template_of_texts_refuses_images_by_name(template: object) -> None:
    with pytest.raises(
        UnsupportedMode, match="shows no images, and the request has some"
    ) as caught:
        plan(about_images(), MULTIMODAL, template)  # type: ignore[arg-type]
    assert template.id in str(caught.value)  # type: ignore[attr-defined]


def test_a_reward_model_refuses_the_mode_by_name() -> None:
    with pytest.raises(UnsupportedMode, match="reward-v1 does not support mode multimodal"):
        plan(about_a_text(), MULTIMODAL, REWARD)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (about_a_text(None), "needs images, or a reference answer"),
        (about_a_text("<OR>"), "needs images, or a reference answer"),
        (
            about_a_text("<OR>".join("abcdefghijklmnopq")),
            "reference has 17 alternatives; at most 16",
        ),
        (request(mode="multimodal"), "compares answers by images, and the request has none"),
        (request(mode="multimodal", answers=()), "takes 1 to 8 candidates, not 0"),
    ],
)
def test_a_request_without_anything_to_judge_by_is_refused(asked: Request, message: str) -> None:
    with pytest.raises(InvalidRequest, match=message):
        check(asked)


def scored(mean: float, name: str, text: str = "") -> PassResult:
    reading = Reading(means=(mean,), greedy=(round(mean),))
    grammar = CHAT.forms["multimodal"].grammar
    return replace(result(name, reading), reply=Reply(text=text), grammar=grammar)


def test_the_best_alternative_counts() -> None:
    passes = [
        scored(3.0, "straight+reference/alternative-1", "3\nnot this"),
        scored(8.5, "straight+reference/alternative-2", "9\nthis one\nindeed"),
        scored(1.0, "straight+reference/alternative-3", "1\nno"),
    ]
    settled = settle_multimodal(about_a_text(explain=True), passes)
    assert [score.score for score in settled.scores] == [8.5]
    assert settled.explanation == "this one\nindeed"
    assert (settled.winner, settled.tie, settled.p_win) == ("", False, None)
    assert settle_multimodal(about_a_text(), passes).explanation is None


def test_alternatives_in_another_order_settle_alike() -> None:
    one, other = scored(3.0, "straight+reference"), scored(8.5, "straight+reference")
    asked = about_a_text()
    assert settle_multimodal(asked, [one, other]) == settle_multimodal(asked, [other, one])


def test_an_alternative_that_cannot_be_read_leaves_the_request_unscored() -> None:
    name = "straight+reference/alternative-1"
    passes = [result(name, UNREAD), scored(9.0, "straight+reference/alternative-2")]
    settled = settle_multimodal(about_a_text(), passes)
    assert settled.status is Status.UNSCORED
    assert settled.scores[0].score is None


def test_two_candidates_settle_as_a_pair() -> None:
    settled = settle_multimodal(
        about_images(), [result("straight", FIRST), result("swapped", SECOND)]
    )
    # P(win) = (.7 + .1) / 2, P(tie) = .2, P(lose) = (.1 + .7) / 2
    assert (settled.p_win, settled.p_tie, settled.p_lose) == pytest.approx((0.4, 0.2, 0.4))
    assert settled.flipped is True


def test_one_image_settles_as_a_single_answer() -> None:
    asked = about_images(answers=("mine",), images=((A,),))
    settled = settle_multimodal(asked, [scored(4.0, "straight+reference"), scored(6.0, "straight")])
    assert [score.score for score in settled.scores] == [5.0]
