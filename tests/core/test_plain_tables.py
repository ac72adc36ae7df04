"""Tables of a question with one answer or two: labels of single answers, messages as texts, references."""

import pytest

from judgestream.core.formats.base import Draft, Grade
from judgestream.core.formats.fields import Fields, Place, SetAside
from judgestream.core.formats.pairs import convert, convert_single
from judgestream.core.formats.reasons import Aside

PLACE = Place(file="rows.jsonl", number=3)
ASKED = {"role": "user", "content": "2 + 2?"}
SAID = {"role": "assistant", "content": "4"}


def single(**more: object) -> Draft:
    return convert_single(Fields({"prompt": "2 + 2?", "completion": "4", **more}, PLACE))


def pair(**more: object) -> Draft:
    return convert(Fields({"question": "2 + 2?", "answer_a": "4", "answer_b": "5", **more}, PLACE))


@pytest.mark.parametrize(
    ("more", "annotator", "value"),
    [
        ({"label": True}, "gold", 1.0),
        ({"label": "False"}, "gold", 0.0),
        ({"score": 7}, "gold", 7.0),
        ({"score": 7.5, "annotator": "ann"}, "ann", 7.5),
    ],
)
def test_a_label_or_a_score_grades_one_answer(
    more: dict[str, object], annotator: str, value: float
) -> None:
    grade = single(**more).grade
    assert isinstance(grade, Grade)
    assert (grade.annotator, grade.value) == (annotator, value)


def test_a_word_that_is_not_a_truth_value_does_not_grade() -> None:
    assert single(label="perhaps").grade is None


def test_messages_of_the_assistant_are_the_answer() -> None:
    assert [one.text for one in pair(answer_a=[SAID]).candidates] == ["4", "5"]


def test_messages_of_the_user_inside_an_answer_set_the_row_aside() -> None:
    with pytest.raises(SetAside) as caught:
        pair(answer_a=[ASKED, SAID])
    assert caught.value.reason is Aside.USER_IN_ANSWER


def test_a_reference_is_a_text_or_an_object_with_a_text() -> None:
    assert pair(reference="Four.").reference == "Four."
    assert pair(reference={"text": "Four."}).reference == "Four."
    assert pair().reference is None
