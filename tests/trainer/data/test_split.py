"""No question is on two sides, however it is written, and no comparison occurs twice."""

import pytest

from judgestream.core.errors import ConfigurationError
from judgestream_trainer.data.example import Example, Judgement
from judgestream_trainer.data.split import (
    Shares,
    Side,
    deduplicated,
    normalised,
    prompt_key,
    side,
    split,
    without_prompts,
)

THIRDS = Shares(validation=0.3, test=0.3)


def example(
    name: str,
    question: str,
    answers: tuple[str, str] = ("yes", "no"),
    scores: tuple[float, float] = (8, 4),
) -> Example:
    return Example(id=name, question=question, answers=answers, blind=Judgement(scores=scores))


LEAKS = [
    ("What is the capital of France?", "what is  the capital\nof FRANCE"),
    ("List three primes.", "List three primes!!"),
    ("Caf\u00e9?", "cafe\u0301"),
    ("\uff26ull width", "full width"),
    ("Stra\u00dfe", "STRASSE"),
    ("\n\nEdit this:\n- one", "Edit this: one"),
    ("Please list the primes", "List primes, please: the primes!"),
    ("Could you name a river in Spain?", "In Spain, name a river."),
    ("????", " ???? "),
]


@pytest.mark.parametrize(("one", "other"), LEAKS)
def test_a_rewritten_question_has_the_same_key(one: str, other: str) -> None:
    assert prompt_key(one) == prompt_key(other)
    for salt in "abcdefgh":
        shares = Shares(validation=0.3, test=0.3, salt=salt)
        assert side(one, shares) is side(other, shares)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("What is 2 + 3?", "What is 2 + 4?"),
        ("Who are you?", "Who is she?"),
        ("????", "!!!!"),
        ("\u4e00\u4e8c", "\u4e00\u4e09"),
    ],
)
def test_other_questions_have_other_keys(one: str, other: str) -> None:
    assert prompt_key(one) != prompt_key(other)


def test_questions_of_only_empty_words_keep_them() -> None:
    assert prompt_key("Can you?") == "can you" != prompt_key("Would you?")
    assert normalised("  A_b,  C! ") == "a b c"


def test_no_key_is_on_two_sides_and_shares_are_kept() -> None:
    questions = [f"Question number {k}?" for k in range(3000)]
    written = [*questions, *(text.upper().replace(" ", "  ") for text in questions)]
    sides = split([example(str(k), text) for k, text in enumerate(written)], THIRDS)
    keys = {one: {normalised(e.question) for e in found} for one, found in sides.items()}
    assert sum(map(len, sides.values())) == 6000
    assert sum(map(len, keys.values())) == 3000, "no question on two sides"
    for one, share in ((Side.TEST, 0.3), (Side.VALIDATION, 0.3), (Side.TRAIN, 0.4)):
        # 3000 draws of 0.3 have a standard deviation of 0.0084
        assert len(keys[one]) / 3000 == pytest.approx(share, abs=0.034)


def test_a_question_keeps_its_side_in_any_data_set_and_as_the_held_out_share_grows() -> None:
    small, large = Shares(validation=0.1, test=0.1), Shares(validation=0.1, test=0.3)
    for k in range(200):
        if side(f"question {k}", small) is Side.TEST:
            assert side(f"question {k}", large) is Side.TEST
    assert side("What is 2 + 3?", THIRDS) is side("What is 2 + 3?", THIRDS)
    salted = [side(f"question {k}", Shares(test=0.5, salt="x")) for k in range(50)]
    assert salted != [side(f"question {k}", Shares(test=0.5)) for k in range(50)]


@pytest.mark.parametrize(("validation", "test"), [(-0.1, 0.1), (0.5, 0.5), (0.9, 0.2)])
def test_shares_that_leave_nothing_to_train_on_are_refused(validation: float, test: float) -> None:
    with pytest.raises(ConfigurationError, match="nothing to train on"):
        Shares(validation=validation, test=test)


def test_the_same_comparison_is_kept_once_in_either_order() -> None:
    found = deduplicated(
        [
            example("first", "Is it?", ("yes", "no")),
            example("again", "is  IT?", (" yes", "no\n")),
            example("swapped", "Is it?", ("no", "yes"), scores=(4, 8)),
            example("contradicts", "Is it?", ("no", "yes"), scores=(8, 4)),
            example("tie", "Is it?", scores=(6, 6)),
            example("other answer", "Is it?", ("Yes", "no")),
            example("other signs", "Is it!", ("yes", "no")),
        ]
    )
    assert [one.id for one in found.examples] == ["first", "other answer", "other signs"]
    assert (found.duplicates, found.contradictory) == (4, 2)


def test_punctuation_makes_another_question_and_another_answer() -> None:
    rows = [
        example("plus", "What is 2 + 2?", ("4", "0")),
        example("minus", "What is 2 - 2?", ("4", "0")),
        example("negative", "What is 2 - 2?", ("-4", "0")),
    ]
    assert deduplicated(rows).duplicates == 0
    assert len({side(one.question, THIRDS) for one in rows}) == 1


def test_prompts_of_a_benchmark_are_left_out() -> None:
    rows = [example("a", "Name the capital of Peru."), example("b", "Name a river.")]
    kept = without_prompts(rows, ["please name the capital of PERU"])
    assert [one.id for one in kept] == ["b"]
