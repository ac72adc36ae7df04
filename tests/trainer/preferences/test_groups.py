"""Groups of graded answers: their file, the grades of published sets, the balance of lengths."""

import gzip
import json
from pathlib import Path

import pytest

from judgestream.core.errors import ConfigurationError
from judgestream_trainer.preferences.balance import (
    LengthBalance,
    balanced,
    better,
    preference_by_length,
)
from judgestream_trainer.preferences.computed import computed_groups
from judgestream_trainer.preferences.groups import Graded, Group, read_groups, write_groups
from judgestream_trainer.preferences.published import alpaca_eval, logit, published_groups
from judgestream_trainer.preferences.ratings import grade_of_rating, rating_of_grade
from judgestream_trainer.preferences.score_lines import judged_pairs

COLOURS = Group(
    id="colours",
    source="test",
    question="Name a colour.",
    answers=(Graded(text="Blue.", grade=2.0), Graded(text="Seven of them.", grade=-2.0)),
    reference="Red.",
)


def test_a_file_gives_back_its_groups(tmp_path: Path) -> None:
    path = tmp_path / "groups.jsonl.gz"
    assert write_groups(path, [COLOURS]) == 1
    assert read_groups([path]) == [COLOURS]


def test_equal_groups_give_equal_bytes(tmp_path: Path) -> None:
    for name in ("a.jsonl.gz", "b.jsonl.gz"):
        write_groups(tmp_path / name, [COLOURS])
    assert (tmp_path / "a.jsonl.gz").read_bytes() == (tmp_path / "b.jsonl.gz").read_bytes()


@pytest.mark.parametrize(
    "line",
    ["{}", "[1]", '{"id": "x", "answers": [{"text": "a", "grade": 1, "shade": 2}]}', "no JSON"],
)
def test_a_line_that_is_not_a_group_is_named(line: str, tmp_path: Path) -> None:
    path = tmp_path / "groups.jsonl"
    path.write_text(line + "\n")
    with pytest.raises(ConfigurationError, match=r"groups\.jsonl, line 1"):
        read_groups([path])


def test_grades_must_be_finite(tmp_path: Path) -> None:
    path = tmp_path / "groups.jsonl"
    row = {"id": "x", "source": "s", "question": "q", "answers": [{"text": "a", "grade": 1e999}]}
    path.write_text(json.dumps(row).replace("Infinity", "1e999") + "\n")
    with pytest.raises(ConfigurationError, match="finite"):
        read_groups([path])


def test_grades_are_log_odds() -> None:
    assert better(*COLOURS.answers) == pytest.approx(0.982, abs=1e-3)
    assert better(Graded(text="", grade=0.0), Graded(text="", grade=0.0)) == 0.5
    assert logit(0.5) == 0.0


def test_ratings_and_grades_are_inverses() -> None:
    for rating in range(1, 11):
        assert rating_of_grade(grade_of_rating(rating)) == pytest.approx(rating)
    assert rating_of_grade(100.0) == 10.0


def test_a_balance_gives_length_the_wanted_share() -> None:
    """One pair prefers the longer answer strongly and one the shorter answer weakly."""
    groups = [
        Group(
            id=name,
            source="test",
            question=name,
            answers=(Graded(text="long answer", grade=grade), Graded(text="short", grade=0.0)),
        )
        for name, grade in (("one", 3.0), ("two", -1.0))
    ]
    longer, shorter = preference_by_length(groups)
    weight = balanced(groups, 0.55).longer
    assert weight * longer / (weight * longer + shorter) == pytest.approx(0.55)


def test_a_preference_for_shorter_answers_is_left_as_it_is() -> None:
    assert balanced([COLOURS], 0.55).longer == 1.0


def test_the_weight_applies_where_the_longer_answer_is_better() -> None:
    balance = LengthBalance(longer=0.25)
    answers = (
        Graded(text="xxx", grade=1.0),
        Graded(text="x", grade=0.0),
        Graded(text="xx", grade=2.0),
    )
    weights = {(pair.first, pair.second): pair.weight for pair in balance.pairs(answers)}
    assert weights == {(0, 1): 0.25, (0, 2): 1.0, (1, 2): 0.25}


def test_computed_groups_prefer_the_right_answer() -> None:
    groups = list(computed_groups(30, seed=1))
    assert len({group.id for group in groups}) == 30
    assert all(group.reference for group in groups)
    assert sum(len({a.grade for a in group.answers}) > 1 for group in groups) > 15


def test_attacks_on_a_teacher_are_graded_as_useless(tmp_path: Path) -> None:
    _alpaca(tmp_path)
    (group,) = alpaca_eval(tmp_path / "alpaca_eval")
    grades = {answer.system: answer.grade for answer in group.answers}
    assert grades["NullModel"] < grades["weak"] < 0 < grades["strong"]
    assert grades["strong"] == pytest.approx(logit(0.9) / 2.5, abs=1e-3)


def test_questions_of_measured_sets_are_left_out(tmp_path: Path) -> None:
    _alpaca(tmp_path)
    assert list(published_groups(tmp_path, without=["Name  a COLOUR"])) == []
    assert len(list(published_groups(tmp_path, without=["Name a city."]))) == 1


def test_a_folder_without_a_known_set_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="has none of the sets"):
        list(published_groups(tmp_path, without=[]))


def test_pairs_keep_the_better_answer_ahead() -> None:
    """Far from the ends of the scale the noise of the scores never turns a clear pair around."""
    pairs = list(judged_pairs([COLOURS], per_group=9, seed=3, balance=LengthBalance()))
    assert pairs
    for pair in pairs:
        assert pair.blind is not None
        first, second = pair.blind.scores
        assert (first > second) == (pair.answers[0] == "Blue.")


def _alpaca(folder: Path) -> None:
    place = folder / "alpaca_eval"
    place.mkdir()
    rows = [("strong", 1.9), ("weak", 1.1), ("NullModel", 2.0)]
    outputs = [
        {"prompt_id": 0, "model": model, "output": f"{model} says blue", "preference": preference}
        for model, preference in rows
    ]
    prompts = [{"prompt_id": 0, "instruction": "Name a colour.", "baseline_output": "Red."}]
    for name, lines in (("outputs", outputs), ("prompts", prompts)):
        with gzip.open(place / f"{name}.jsonl.gz", "wt") as file:
            file.writelines(json.dumps(line) + "\n" for line in lines)
