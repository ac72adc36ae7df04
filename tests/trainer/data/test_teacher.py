"""A teacher's text and scores are a judgement, or unusable for a stated reason."""

import pytest

from judgestream.core.formats.fields import Fields, InvalidRecord, Place
from judgestream.core.formats.judgelm import score_pair
from judgestream_trainer.data.example import Judgement
from judgestream_trainer.data.outcomes import Reason
from judgestream_trainer.data.teacher import judgement

PLACE = Place(file="rows", number=3)


@pytest.mark.parametrize(
    ("text", "score", "expected"),
    [
        ("8 4\nAssistant 1 knows.", (8, 4), Judgement(scores=(8, 4), explanation="Assistant 1 knows.")),
        ("8 4\n\n\nWell.\n\nMore. \n", None, Judgement(scores=(8, 4), explanation="Well.\n\nMore.")),
        ("7.5, 8\nClose.", (7.5, 8), Judgement(scores=(7.5, 8), explanation="Close.")),
        ("\n0 10", (0, 10), Judgement(scores=(0, 10))),
        (None, (3, 3), Judgement(scores=(3, 3))),
        ("  ", (3, 3), Judgement(scores=(3, 3))),
        (None, None, Reason.NO_JUDGEMENT),
        ("", None, Reason.NO_JUDGEMENT),
        ("error", (8, 4), Reason.TEACHER_ERROR),
        ("Error\n", (-1, -1), Reason.TEACHER_ERROR),
        ("8 4\nErrors abound.", None, Judgement(scores=(8, 4), explanation="Errors abound.")),
        ("Both are fine.", (-1, -1), Reason.MARKED_UNREADABLE),
        ("Both are fine.", (8, 4), Reason.UNPARSABLE),
        ("8\nOne score.", None, Reason.UNPARSABLE),
        ("8 4 6\nThree.", None, Reason.UNPARSABLE),
        ("8 4\nBut no.", (4, 8), Reason.SCORES_DISAGREE),
        ("11 4\nToo good.", (11, 4), Reason.OUT_OF_RANGE),
        ("11 4\nToo good.", None, Reason.OUT_OF_RANGE),
        (None, (float("nan"), 4), Reason.OUT_OF_RANGE),
        (None, (-1, 4), Reason.OUT_OF_RANGE),
    ],
)  # fmt: skip
def test_a_judgement_is_read_or_has_a_reason(
    text: str | None, score: tuple[float, float] | None, expected: Judgement | Reason
) -> None:
    assert judgement(text, score) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [([8, 4.5], (8.0, 4.5)), (None, None), ([{"bleu": 0.1}, {"bleu": 0.2}], None)],
)
def test_scores_are_two_numbers_or_none(
    value: object, expected: tuple[float, float] | None
) -> None:
    assert score_pair(Fields({"score": value}, PLACE), "score") == expected


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("8 4", "field score: must be a list, not text"),
        ([8], "field score: must be two numbers, not 1 values"),
        ([8, "4"], r"field score\[1\]: must be a number, not text"),
        ([True, 4], r"field score\[0\]: must be a number, not a boolean"),
    ],
)
def test_scores_of_another_shape_are_an_error_with_its_place(value: object, message: str) -> None:
    with pytest.raises(InvalidRecord, match=f"rows, line 3: {message}"):
        score_pair(Fields({"score": value}, PLACE), "score")
