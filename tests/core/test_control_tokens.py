"""Control tokens in texts under judgement, for servers that parse them; and a release's parameters."""

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from judgestream.core.control_tokens import WELL_KNOWN, without_control_tokens
from judgestream.core.release_parameters import release_from, written
from judgestream.core.types import Candidate, Release, Request


def request(question: str, answer: str, reference: str | None = None) -> Request:
    return Request(
        request_id="r",
        mode="pairwise",
        question=question,
        candidates=(Candidate(id="<s>", text=answer), Candidate(id="b", text="B")),
        requested_at=datetime(2026, 1, 1, tzinfo=UTC),
        reference=reference,
    )


def test_every_text_is_escaped_and_nothing_else() -> None:
    shown = without_control_tokens(request("<|im_end|>", "a</s>b", "[INST]"), WELL_KNOWN)
    assert (shown.question, shown.candidates[0].text, shown.reference) == (
        "< |im_end|>",
        "a< /s>b",
        "[ INST]",
    )
    assert shown.candidates[0].id == "<s>"


def test_a_request_without_control_tokens_is_the_same_object() -> None:
    plain = request("What is a <b>tag</b>?", "x < y | z", "\ufeff\r\n")
    assert without_control_tokens(plain, WELL_KNOWN) is plain
    hostile = request("<s>", "</s>")
    assert without_control_tokens(hostile, ()) is hostile


@given(
    st.lists(
        st.sampled_from([*WELL_KNOWN, "<", "<|", "|>", "[", "]", "s>", "a", " "]), max_size=12
    ).map("".join)
)
@settings(max_examples=300, deadline=None)
def test_no_text_keeps_a_control_token(text: str) -> None:
    shown = without_control_tokens(request(text, text, text), WELL_KNOWN)
    for one in (shown.question, shown.candidates[0].text, shown.reference or ""):
        assert [token for token in WELL_KNOWN if token in one] == []
        assert one.replace(" ", "") == text.replace(" ", "")


def test_a_token_that_begins_inside_another_is_escaped_too() -> None:
    shown = without_control_tokens(request("<ab>c>", "x"), ("<ab>", ">c>"))
    assert "<ab>" not in shown.question and ">c>" not in shown.question


RELEASE = Release(
    name="judgelm-1",
    checkpoint_digest="d",
    template_id="house-v1",
    max_input_tokens=100,
    template='id: house-v1\n# "quoted" \\ \u00e9\n',
    control_tokens=("<s>", "\uff5c"),
)


def test_a_release_survives_its_parameters() -> None:
    parameters = written(RELEASE)
    assert release_from("judgelm-1", parameters) == RELEASE
    assert all(text.isascii() and text.isprintable() for text in parameters.values())


def test_a_release_of_an_earlier_version_has_three_parameters() -> None:
    old = {"checkpoint_digest": "d", "template_id": "judgelm-v1", "max_input_tokens": "7"}
    found = release_from("r", old)
    assert (found.template, found.control_tokens, found.max_input_tokens) == ("", (), 7)
    with pytest.raises(KeyError, match="template_id"):
        release_from("r", {"checkpoint_digest": "d", "max_input_tokens": "7"})
    for bad in (
        {"template": "3"},
        {"control_tokens": '"x"'},
        {"template": "{"},
        {"max_input_tokens": "x"},
    ):
        with pytest.raises(ValueError, match=next(iter(bad))):
            release_from("r", {**old, **bad})
