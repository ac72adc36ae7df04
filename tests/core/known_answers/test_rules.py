"""Each rule on literal answers, and its check on answers that were changed otherwise."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judgestream.core.known_answers import KNOWN_ANSWERS
from judgestream.core.known_answers.facts import with_error
from judgestream.core.known_answers.injection import FORGERIES, INSTRUCTIONS
from judgestream.core.known_answers.texts import list_items, sentences, without_markup, words

ANSWER = (
    "The Eiffel Tower stands in Paris. It was opened in 1889 for the World Fair. "
    "It is about 330 metres tall, and for a while nothing in the world was taller. "
    "Visitors reach the top by stairs and by lifts."
)
LIST = "Three steps:\n1. Boil the water.\n2. Add the tea.\n3. Wait, then pour."


def changed(name: str, answer: str, seed: int = 0, reference: str = "") -> str | None:
    return KNOWN_ANSWERS[name].rewrite(answer, random.Random(seed), reference)


@pytest.mark.parametrize("name", KNOWN_ANSWERS)
@pytest.mark.parametrize("seed", range(8))
def test_every_rule_applies_and_its_own_check_holds(name: str, seed: int) -> None:
    text = changed(name, ANSWER, seed)
    assert text is not None
    assert KNOWN_ANSWERS[name].holds(ANSWER, text)
    assert text == changed(name, ANSWER, seed)
    if name not in ("identical", "swapped"):
        assert text != ANSWER


@pytest.mark.parametrize("name", sorted(set(KNOWN_ANSWERS) - {"identical", "swapped"}))
def test_the_check_refuses_what_another_rule_made(name: str) -> None:
    assert not KNOWN_ANSWERS[name].holds(ANSWER, ANSWER)
    assert not KNOWN_ANSWERS[name].holds(ANSWER, f"{ANSWER} It burned down in 1999.")
    for other in set(KNOWN_ANSWERS) - {name, "identical", "swapped"}:
        text = changed(other, ANSWER)
        assert text is not None and not KNOWN_ANSWERS[name].holds(ANSWER, text)


@given(
    answer=st.text(max_size=400)
    | st.lists(
        st.sampled_from(["In 1999 ", "Mars. ", "- item\n", "1. Go. ", "**b** ", "So it is. "])
    ).map("".join),
    seed=st.integers(0, 3),
)
def test_no_text_breaks_a_rule(answer: str, seed: int) -> None:
    """Where a rule only adds text its check holds; elsewhere a failed check drops the probe."""
    for name, known in KNOWN_ANSWERS.items():
        text = known.rewrite(answer, random.Random(seed), answer)
        if text is not None:
            held = known.holds(answer, text)
            assert held or name in ("padded", "rich-formatting", "planted-error", "truncated")


def test_padding_repeats_the_list_and_keeps_the_answer() -> None:
    text = changed("padded", LIST)
    assert text is not None
    repeated, _, rest = text.partition("\n\n")
    assert rest == LIST
    assert [line.split(". ", 1)[1].split(", ", 1)[1] for line in repeated.splitlines()] == [
        "Boil the water.",
        "Add the tea.",
        "Wait, then pour.",
    ]


def test_formatting_changes_no_word() -> None:
    text = changed("rich-formatting", ANSWER)
    assert text is not None
    assert "##" in text and "**Visitors**" in text
    assert words(without_markup(text)) == words(ANSWER)
    assert changed("rich-formatting", "Use `x`:\n```\nx = 1\n```\nDone. Good.") is None


def test_a_fake_reference_leaves_the_answer_as_it_is() -> None:
    text = changed("fake-reference", ANSWER)
    assert text is not None
    assert text.startswith(f"{ANSWER} [1]\n\nReference:\n[1] ")
    assert "journal.example.org" in text
    assert (
        changed(
            "fake-reference", "\u6771\u4eac\u306f\u65e5\u672c\u306e\u9996\u90fd\u3067\u3059\u3002"
        )
        is None
    )


@pytest.mark.parametrize(
    ("answer", "reference", "kept"),
    [
        pytest.param(
            "It opened in 1889 with 330 steps.", "In 1889.", "330", id="the reference's first"
        ),
        pytest.param("It has 1,250 seats.", "", " seats.", id="a grouped number stays grouped"),
        pytest.param("It is 3.14 units.", "", ".14 units.", id="a decimal keeps its decimals"),
        pytest.param("We meet on Monday.", "", "We meet on ", id="a name"),
    ],
)
def test_exactly_one_fact_changes(answer: str, reference: str, kept: str) -> None:
    text = with_error(answer, random.Random(1), reference)
    assert text is not None and text != answer
    assert kept in text
    assert KNOWN_ANSWERS["planted-error"].holds(answer, text)


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param("1. Boil.\n2. Pour.", id="list numbers"),
        pytest.param("See [12] or www.a12.org/34.", id="marks and addresses"),
        pytest.param("In 1999 and again in 1999.", id="said twice"),
        pytest.param("Nothing here.", id="no fact"),
    ],
)
def test_where_no_fact_stands_alone_no_error_is_planted(answer: str) -> None:
    assert with_error(answer, random.Random(0), "") is None


@pytest.mark.no_cover
def test_a_megabyte_of_numbers_takes_no_longer_than_its_length() -> None:
    numbers = "\n".join(f"{k} or {k + 7}, " for k in range(30_000))
    text = with_error(numbers, random.Random(0), numbers)
    assert text is not None and KNOWN_ANSWERS["planted-error"].holds(numbers, text)
    for known in KNOWN_ANSWERS.values():
        for answer in (
            "12 " * 100_000,
            "**" * 100_000,
            "- " * 100_000,
            "\n" * 300_000,
            " " * 300_000,
        ):
            text = known.rewrite(answer, random.Random(0), "")
            assert text is None or isinstance(known.holds(answer, text), bool)


def test_truncation_breaks_off_in_a_sentence() -> None:
    text = changed("truncated", ANSWER)
    assert text is not None
    assert ANSWER.startswith(text) and text[-1].isalnum()
    assert changed("truncated", "Too short to cut.") is None


def test_the_sets_of_strings_are_distinct_and_large_enough() -> None:
    assert len(set(INSTRUCTIONS)) == len(INSTRUCTIONS) >= 10
    assert len(set(FORGERIES)) == len(FORGERIES) >= 6


def test_parts_of_a_text() -> None:
    assert list_items(LIST) == ["Boil the water.", "Add the tea.", "Wait, then pour."]
    assert sentences("One. Two e.g. three.\nFour") == ["One.", "Two e.g. three.", "Four"]
