"""The requests that `judgestream.client` builds, and those that it refuses."""

from collections.abc import Callable
from importlib.resources import files

import pytest

from judgestream.client import (
    Candidate,
    Image,
    InvalidRequest,
    Options,
    multi,
    multimodal,
    pair,
    rerank,
    single,
    tournament,
)
from judgestream.core.modes import check
from judgestream.core.types import Request


def test_plain_texts_become_numbered_candidates() -> None:
    request = pair("2 + 2?", "4", Candidate(id="b", text="5", system="ours"), request_id="sum")
    assert [(c.id, c.text, c.system) for c in request.candidates] == [
        ("1", "4", ""),
        ("b", "5", "ours"),
    ]
    assert (request.request_id, request.mode, request.reference) == ("sum", "pairwise", None)
    assert pair("q", "a", "b").request_id != pair("q", "a", "b").request_id


def test_a_single_answer_has_its_reference() -> None:
    request = single("2 + 2?", "4", reference="four")
    assert (request.mode, request.reference, len(request.candidates)) == ("single", "four", 1)


def test_documents_keep_their_first_stage_scores() -> None:
    scored = Candidate(id="d", text="Air.", first_stage_score=2.5)
    request = rerank("Why?", ["Bread.", scored], options=Options(hybrid_weight=100))
    assert (request.mode, request.question, request.reference) == ("rerank", "Why?", None)
    assert [(c.id, c.first_stage_score) for c in request.candidates] == [("1", None), ("d", 2.5)]


def test_images_belong_to_the_question_or_to_a_candidate() -> None:
    cat, dog = (Image(url=f"https://a.example/{name}.png") for name in ("cat", "dog"))
    request = multimodal("Which?", ["one", Candidate(id="b", text="", images=(dog,))], images=[cat])
    assert check(request).name == "multimodal"
    assert request.images == (cat,)
    assert [candidate.images for candidate in request.candidates] == [(), (dog,)]


def test_a_single_answer_may_lack_a_reference() -> None:
    assert check(single("2 + 2?", "4")).name == "single"


@pytest.mark.parametrize("build", [multi, tournament])
def test_several_answers_are_ranked(build: Callable[..., Request]) -> None:
    request = build("2 + 2?", ["4", "5", Candidate(id="c", text="3")], request_id="sum")
    assert check(request).name == build.__name__
    assert [candidate.id for candidate in request.candidates] == ["1", "2", "c"]


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"metadata": {"n": 1}}, r"metadata\['n'\] must be text, not int: write str\(1\)"),
        ({"metadata": {1: "n"}}, "metadata key 1 must be text, not int"),
        ({"metadata": {"n": None}}, r"metadata\['n'\] must be text, not NoneType"),
        ({"question": None}, "question must be text, not NoneType"),
        ({"first": Candidate(id="a", text=4)}, "text of candidate 'a' must be text, not int"),  # type: ignore[arg-type]
        ({"first": 4}, "text of candidate '1' must be text, not int"),
        ({"reference": 4.5}, "reference must be text, not float"),
        ({"request_id": 7}, "request_id must be text, not int"),
    ],
)
def test_values_that_are_not_text_are_named(arguments: dict[str, object], named: str) -> None:
    given: dict[str, object] = {"question": "q", "first": "a", "second": "b", **arguments}
    with pytest.raises(InvalidRequest, match=named):
        pair(**given)  # type: ignore[arg-type]


def test_a_long_wrong_value_is_quoted_short() -> None:
    with pytest.raises(InvalidRequest) as refused:
        pair("q", "a", "b", metadata={"rows": ["x" * 5000]})  # type: ignore[dict-item]
    assert len(str(refused.value)) < 200


def test_the_package_is_typed() -> None:
    assert files("judgestream").joinpath("py.typed").is_file()
