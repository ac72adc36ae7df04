"""The parser of score lines: it rejects a line rather than misread it."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from judgestream.core.parsing import UNPARSED, parse_strict, parse_tolerant

PAIRS = [
    # JudgeLM's own form, and what strict reads
    ("7 8", (7, 8)),
    ("7.5 8", (7.5, 8)),
    ("7,8", (7, 8)),
    ("8 7.", (8, 7)),
    ("8. 7.", (8, 7)),
    ("8 .5", (8, 0.5)),
    ("+8 7", (8, 7)),
    ("10 0", (10, 0)),
    # other separators and marks
    ("7, 8", (7, 8)),
    ("7  8 ", (7, 8)),
    ("7\t8", (7, 8)),
    ("8, 7.", (8, 7)),
    ("8; 7", (8, 7)),
    ("8 - 7", (8, 7)),
    ("8 | 7", (8, 7)),
    ("8:7", (8, 7)),
    ("8 & 7", (8, 7)),
    ("8 and 7", (8, 7)),
    ("[8, 7]", (8, 7)),
    ("(8, 7)", (8, 7)),
    ("[[8]] [[7]]", (8, 7)),
    ("**8** **7**", (8, 7)),
    ("`8 7`", (8, 7)),
    ('"8" "7"', (8, 7)),
    ("\uff18 \uff17", (8, 7)),  # full-width digits
    ("8\uff0c7", (8, 7)),
    ("\n  \n7 8\nBoth are fine.", (7, 8)),
    ("7 8\r\nBoth are fine.", (7, 8)),
    # scales
    ("7/10 8/10", (7, 8)),
    ("7 / 10, 8 / 10", (7, 8)),
    ("10/10 0/10", (10, 0)),
    ("8.5/10, 7.5/10.", (8.5, 7.5)),
    ("**8**/10 **7**/10", (8, 7)),
    ("8 7 (out of 10)", (8, 7)),
    ("8 7 (both out of 10)", (8, 7)),
    ("8 7 out of 10", (8, 7)),
    ("8 out of 10, 7 out of 10", (8, 7)),
    ("8 of 10, 7 of 10", (8, 7)),
    ("8 points, 7 points", (8, 7)),
    # names: they, not the order, say whose score it is
    ("Assistant 1: 7 Assistant 2: 8.5", (7, 8.5)),
    ("Assistant 2: 8, Assistant 1: 7", (7, 8)),
    ("Assistant #1: 8, Assistant #2: 7", (8, 7)),
    ("Assistant No. 2: 8, Assistant No. 1: 7", (7, 8)),
    ("Assistant 1: 8, Assistant 2: 7.", (8, 7)),
    ("Assistant 1's score: 7, Assistant 2\u2019s score: 8", (7, 8)),
    ("**Assistant 1**'s score: 7, **Assistant 2**'s score: 8", (7, 8)),
    ("**Assistant 1:** 8/10 **Assistant 2:** 7/10", (8, 7)),
    ("ASSISTANT 2 - 8; assistant 1 - 7", (7, 8)),
    ("Answer 1 = 3; Answer 2 = 4", (3, 4)),
    ("Answer 1 score: 8/10; Answer 2 score: 7/10", (8, 7)),
    ("Answer 1 score 2, Answer 2 score 1", (2, 1)),
    ("Response 1: 7.5. Response 2: 6.", (7.5, 6)),
    ("Score 1: 8 Score 2: 7", (8, 7)),
    ("Score 2: 8 Score 1: 7", (7, 8)),
    ("Model 1: 8 | Model 2: 7", (8, 7)),
    ("Answer A: 8, Answer B: 7", (8, 7)),
    ("Response B: 8, Response A: 7", (7, 8)),
    ("8 (Assistant 1), 7 (Assistant 2)", (8, 7)),
    ("8 (Assistant 2), 7 (Assistant 1)", (7, 8)),
    ("Score for Assistant 2: 8, score for Assistant 1: 7", (7, 8)),
    ("8 for Assistant 2, 7 for Assistant 1", (7, 8)),
    ("Assistants 1 and 2: 8 7", (8, 7)),
    ("Assistants 2 and 1: 8, 7", (7, 8)),
    ("Scores: 8 7", (8, 7)),
    ("Final scores: 8, 7", (8, 7)),
    ("Score: 8/10, Score: 7/10", (8, 7)),
    ("Assistant 1: 10, Assistant 2: 1", (10, 1)),
    # not two scores
    ("8", None),
    ("8 7 6", None),
    ("7 8 10", None),
    ("7 8/10/2", None),
    ("8/10", None),
    ("8/9", None),  # two scores, or a scale of nine?
    ("8/100 7/100", None),
    ("4/5 3/5", None),
    ("80% 70%", None),
    ("11 8", None),
    ("12/10 3/10", None),
    ("-1 -1", None),  # JudgeLM's mark of failure
    ("7 -8", None),
    ("\u22121 5", None),
    ("nan 3", None),
    ("inf 3", None),
    ("1e1 3", None),
    ("1_0 3", None),
    ("8*7", (8, 7)),
    ("v2.5.1 3 4.", None),
    ("1.2.3 4", None),
    ("seven eight", None),
    ("N/A N/A", None),
    ("", None),
    (" \n ", None),
    # names that do not say whose score it is
    ("Assistant 1: 8, 7", None),
    ("Assistant 1: 8, Assistant 1: 7", None),
    ("Assistant 1: 8, Assistant B: 7", None),
    ("Assistant 3: 8, Assistant 4: 7", None),
    ("Assistant 1: 8 Assistant 2: 7 Assistant 3: 9", None),
    ("Assistant 1: Assistant 2: 8", None),
    # prose with numbers in it
    ("Both are fine.\n7 8", None),  # the first line that is not blank decides
    ("On a scale of 1 to 10 both are fine", None),
    ("Answer 1 makes 2 mistakes and answer 2 makes 5 mistakes.", None),
    ("Assistant 1 is better than Assistant 2", None),
    ("Assistant 1 gave 3 reasons, Assistant 2 gave 4", None),
    ("I would say 8 and 7", None),
    ("8 (good) 7 (bad)", None),
    ("$8 $7", None),
    ("8 7 because the first one is right", None),
    ("2 + 2 = 4", None),
    ("step 1, step 2", None),
    ("1 of 2", None),
    ("1 to 10", None),
    ("between 7 and 8", None),
    ("8 7 " + " " * 500, (8, 7)),
    ("8, " * 500, None),
]


@pytest.mark.parametrize(("text", "scores"), PAIRS)
def test_two_scores(text: str, scores: tuple[float, float] | None) -> None:
    assert parse_tolerant(text, 2) == scores


SINGLES = [
    (" 8\nFine.", 8),
    ("8.", 8),
    ("8/10", 8),
    ("8 out of 10", 8),
    ("10/10.", 10),
    ("1 of 10", 1),
    ("Score: 8", 8),
    ("Score 8", 8),
    ("Score 1", 1),
    ("Rating: [[8]]", 8),
    ("Answer 1: 8", 8),
    ("Answer 2: 8/10", 8),
    ("Answer: 8", 8),
    ("8 7", None),
    ("8/100", None),
    ("8%", None),
    ("Answer 1", None),  # its name, or its score?
    ("Answer 1, Answer 2: 8", None),
    ("1 to 10", None),
    ("11", None),
]


@pytest.mark.parametrize(("text", "score"), SINGLES)
def test_one_score(text: str, score: float | None) -> None:
    assert parse_tolerant(text, 1) == (None if score is None else (score,))


def test_three_scores() -> None:
    assert parse_tolerant("8 7 6", 3) == (8, 7, 6)
    assert parse_tolerant("Assistant 3: 1, Assistant 1: 2, Assistant 2: 3", 3) == (2, 3, 1)
    assert parse_tolerant("Assistant 1: 1, Assistant 2: 2", 3) is None


number = st.decimals(min_value=0, max_value=10, places=2).map(
    lambda d: f"{d:f}".rstrip("0").rstrip(".")
)
stop = st.sampled_from(["", "."])


@settings(deadline=None, max_examples=200)
@given(number, number, st.sampled_from([" ", ","]), stop, stop)
def test_a_plain_line_that_strict_reads_is_read_alike(
    first: str, second: str, separator: str, one: str, other: str
) -> None:
    line = (
        f"{first}{'' if '.' in first else one}{separator}{second}{'' if '.' in second else other}"
    )
    assert parse_strict(line) != UNPARSED
    assert parse_tolerant(line, 2) == parse_strict(line)


def test_sixteen_named_scores_in_any_order() -> None:
    scores = {k: float((7 * k) % 11) for k in range(1, 17)}
    expected = tuple(scores.values())
    for order in (list(scores), list(scores)[::-1]):
        line = ", ".join(f"Assistant {k}'s score: {scores[k]:g} out of 10" for k in order)
        assert parse_tolerant(line, 16) == expected
    assert parse_tolerant("Assistant 1: 7, Assistant 12: 8", 2) is None
    assert parse_tolerant("Assistant 12: 7, Assistant 1: 8", 12) is None


@settings(deadline=None, max_examples=200)
@given(
    st.sampled_from(
        ["Assistant {}", "assistant #{}", "Answer {}'s score", "Response {}", "Score {}"]
    ),
    st.sampled_from([("1", "2"), ("A", "B"), ("b", "a"), ("2", "1")]),
    st.sampled_from([": {}", " = {}/10", ": {} out of 10", " - {}", " **{}**"]),
    st.sampled_from([", ", "; ", " ", " | "]),
    number,
    number,
)
def test_swapping_the_names_swaps_the_scores(
    noun: str, names: tuple[str, str], score: str, separator: str, one: str, other: str
) -> None:
    def line(*of: str) -> str:
        pairs = zip(of, (one, other), strict=True)
        return separator.join(noun.format(name) + score.format(value) for name, value in pairs)

    found, swapped = parse_tolerant(line(*names), 2), parse_tolerant(line(*names[::-1]), 2)
    assert found is not None
    assert swapped == found[::-1]
    assert sorted(found) == sorted((float(one), float(other)))


@settings(deadline=None, max_examples=200)
@given(st.text(max_size=60), st.integers(1, 3))
def test_any_text_has_scores_in_range_or_none(text: str, count: int) -> None:
    found = parse_tolerant(text, count)
    assert found is None or (len(found) == count and all(0 <= score <= 10 for score in found))


words = st.lists(
    st.sampled_from("the a better answer is 1 2 7 of 10 mistakes both".split()), max_size=9
)


@settings(deadline=None, max_examples=200)
@given(words)
def test_a_line_with_another_word_is_prose(of: list[str]) -> None:
    line = " ".join(of)
    if re.search(r"\b(the|a|better|is|mistakes|both)\b", re.sub(r"answer a\b", "", line)):
        assert parse_tolerant(line, 2) is None
