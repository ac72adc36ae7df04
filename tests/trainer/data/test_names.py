"""The answers' names in explanations are swapped, and nothing else."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from judgestream_trainer.data.names import swap_names
from tests.paths import SHARED

DATA = SHARED / "data" / "vicuna_bench" / "review"


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("Assistant 1 beats Assistant 2", "Assistant 2 beats Assistant 1"),
        ("Assistant 10 beats assistant 2", "Assistant 10 beats assistant 1"),
        ("Assistant1 and Answer 2", "Assistant2 and Answer 1"),
        ("Assistants 1 and 2 agree", "Assistants 2 and 1 agree"),
        ("Assistant 1/2 both", "Assistant 2/1 both"),
        ("Assistants 1 to 2", "Assistants 2 to 1"),
        ("Assistants #1, and #2", "Assistants #2, and #1"),
        ("assistant No. 1 wins", "assistant No. 2 wins"),
        ("Assistant\u00a01 wins", "Assistant\u00a02 wins"),
        ("assistant one beats assistant two", "assistant two beats assistant one"),
        ("Model 1 and Candidate 2", "Model 2 and Candidate 1"),
        ("Assistant A is right, answer B is not", "Assistant B is right, answer A is not"),
        ("Answers A and B are alike", "Answers B and A are alike"),
        (
            "while answer 2 is wrong, answer 1 is right",
            "while answer 1 is wrong, answer 2 is right",
        ),
        ("The first assistant; Second answer", "The second assistant; First answer"),
        ("the 1st answer, the 2nd AI assistant", "the 2nd answer, the 1st AI assistant"),
        ("the first and second responses", "the second and first responses"),
        ("FIRST ASSISTANT beats SECOND ASSISTANT", "SECOND ASSISTANT beats FIRST ASSISTANT"),
        ("The first answer beats the second.", "The second answer beats the first."),
        ("The former is better than the latter.", "The latter is better than the former."),
    ],
)
def test_names_are_swapped(text: str, other: str) -> None:
    assert swap_names(text) == other
    assert swap_names(other) == text


@pytest.mark.parametrize(
    "text",
    [
        "In 2 steps, first of all, the first step",
        "The response 1 hour later",
        "The second response time",
        "They answer one question.",
        "\u017fecond answer",  # a long s is another letter
        "Assistant 1.5 and assistant 12",
        "the latter half, the former president",
        "",
    ],
)
def test_words_that_name_no_answer_stay(text: str) -> None:
    assert swap_names(text) == text


def test_a_number_that_names_something_else_stays() -> None:
    of_content = swap_names("The correct answer 2 is given by Assistant 1")
    assert of_content == "The correct answer 2 is given by Assistant 2"
    assert swap_names("Assistant 1's answer 2 km") == "Assistant 2's answer 2 km"
    anaphoric = swap_names("Assistant 1 and Assistant 2 differ: the former is right.")
    assert anaphoric == "Assistant 2 and Assistant 1 differ: the former is right."


@pytest.mark.parametrize(
    "text",
    [
        "the answer 2 is right",
        "There are two errors. The first is small.",
        "The first one is right.",
        "A1 is better",
        "Assistant 1 is better than 2.",
        "fIRst answer",
        "Assistant 1 is good. The latter is better.",
    ],
)
def test_an_ambiguous_text_is_not_swapped(text: str) -> None:
    assert swap_names(text) is None


WORDS = st.sampled_from(
    "Assistant assistant assistants Answer answer ANSWERS response model 1 2 #1 2. 1, A B a one two first"
    " second First SECOND 1st 2nd former latter the The correct is than and / to 's km hours No. one's A1 B2"
    " \n ; : 12 2.5 step ones".split(" ")
)


@settings(max_examples=400, deadline=None)
@given(st.lists(st.tuples(WORDS, st.sampled_from([" ", "", "\u00a0", "  "])), max_size=14))
def test_swapping_twice_restores_the_text(words: list[tuple[str, str]]) -> None:
    text = "".join(word + gap for word, gap in words)
    other = swap_names(text)
    if other is not None:
        assert swap_names(other) == text


@given(st.text(max_size=60))
def test_any_text_is_restored_or_not_swapped(text: str) -> None:
    other = swap_names(text)
    assert other is None or swap_names(other) == text


def test_every_published_review_changes_and_can_be_changed_back() -> None:
    if not DATA.exists():
        pytest.skip(f"the Vicuna benchmark's reviews are missing from {DATA}")
    texts = [
        json.loads(line)["text"].partition("\n")[2]
        for path in sorted(DATA.rglob("*.jsonl"))
        for line in path.read_text(encoding="utf-8").splitlines()
    ]
    changed = [(text, swap_names(text)) for text in texts if text.strip()]
    assert len(changed) > 900
    assert all(other is not None and other != text for text, other in changed)
    assert all(other is not None and swap_names(other) == text for text, other in changed)
