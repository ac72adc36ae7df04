"""Properties of the training-data readers over generated input."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from judgestream.core.formats.fields import Fields, Place
from judgestream_trainer.data import TrainingDataError, read_examples
from judgestream_trainer.data.augment import swapped
from judgestream_trainer.data.example import Example, Judgement
from judgestream_trainer.data.outcomes import Reason, Usable
from judgestream_trainer.data.split import Shares, content_key, prompt_key, side
from judgestream_trainer.data.teacher import judgement, judgement_text
from judgestream_trainer.data.topic import convert, json_line
from tests.trainer.data.test_odd_values import NOON, ROWS

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=8,
)
TEXT = st.text(st.characters(codec="utf-8"), max_size=40)
SCORES = st.tuples(*[st.integers(min_value=1, max_value=10).map(float)] * 2)
JUDGEMENTS = st.builds(Judgement, scores=SCORES, explanation=TEXT)


@st.composite
def examples(draw: st.DrawFn) -> Example:
    reference = draw(st.none() | TEXT)
    informed = draw(st.none() | JUDGEMENTS) if reference is not None else None
    return Example(
        id=draw(st.text("abc-0", min_size=1, max_size=8)),
        question=draw(TEXT),
        answers=(draw(TEXT), draw(TEXT)),
        blind=draw(JUDGEMENTS) if informed is None else draw(st.none() | JUDGEMENTS),
        informed=informed,
        reference=reference,
        systems=(draw(TEXT), draw(TEXT)),
        source=draw(TEXT),
        group=draw(TEXT),
    )


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("rows") / "rows"


@settings(max_examples=200, deadline=None)
@given(kind=st.sampled_from(sorted(ROWS)), data=st.data())
def test_any_json_value_in_any_field_is_used_counted_or_refused_with_its_place(
    path: Path, kind: str, data: st.DataObject
) -> None:
    row: dict[str, Any] = dict(ROWS[kind])
    for name in data.draw(st.sets(st.sampled_from(sorted(row)), min_size=1, max_size=3)):
        row[name] = data.draw(JSON)
    path.write_text(json.dumps(ROWS[kind]) + "\n" + json.dumps(row), encoding="utf-8")
    try:
        kept, counts = read_examples([path])
    except TrainingDataError as error:
        assert str(error).startswith(f"{path}, line 2")
    else:
        assert counts.read == len(kept) + sum(counts.by_reason.values())
        assert counts.kept == len(kept)


@settings(max_examples=150, deadline=None)
@given(records=st.lists(JSON, max_size=3))
def test_a_file_of_any_json_records_is_read_or_refused_with_its_name(
    path: Path, records: list[Any]
) -> None:
    path.write_text("\n".join(json.dumps(record) for record in records), encoding="utf-8")
    try:
        kept, counts = read_examples([path])
    except TrainingDataError as error:
        assert str(path) in str(error)
    else:
        assert counts.read == len(kept) + sum(counts.by_reason.values())


@given(example=examples())
def test_an_example_survives_the_training_topics_json(example: Example) -> None:
    line = json_line(example, labelled_at=_noon())
    fields = Fields(json.loads(line), Place(file="f", number=1))
    assert convert(fields) == Usable(example=example)


@given(scores=SCORES, explanation=TEXT)
def test_a_judgements_text_is_read_back(scores: tuple[float, float], explanation: str) -> None:
    written = Judgement(scores=scores, explanation=explanation.strip())
    assert judgement(judgement_text(written), scores) == written


@given(text=st.none() | st.text(max_size=60), score=st.none() | st.tuples(st.floats(), st.floats()))
def test_any_teacher_text_gives_a_judgement_or_a_reason(
    text: str | None, score: tuple[float, float] | None
) -> None:
    result = judgement(text, score)
    assert isinstance(result, Judgement | Reason)
    if isinstance(result, Judgement):
        assert all(0 <= value <= 10 for value in result.scores)


@given(example=examples())
def test_swapping_an_example_twice_gives_all_but_unswappable_explanations_back(
    example: Example,
) -> None:
    twice = swapped(swapped(example))
    assert (twice.answers, twice.systems) == (example.answers, example.systems)
    for before, after in ((example.blind, twice.blind), (example.informed, twice.informed)):
        assert (before is None) == (after is None)
        if before is not None and after is not None:
            assert after.scores == before.scores
            assert after.explanation in (before.explanation, "")


@given(question=TEXT, answers=st.tuples(TEXT, TEXT))
def test_a_comparison_has_one_key_in_either_order(question: str, answers: tuple[str, str]) -> None:
    assert content_key(question, answers) == content_key(question, answers[::-1])


@given(words=st.lists(st.text("abcdefgh", min_size=1, max_size=5), min_size=1), seed=st.randoms())
def test_word_order_case_and_punctuation_never_change_the_side_of_the_split(
    words: list[str], seed: Any
) -> None:
    shuffled = [*words]
    seed.shuffle(shuffled)
    question, variant = " ".join(words), ", ".join(shuffled).upper() + "!"
    assert prompt_key(question) == prompt_key(variant)
    assert side(question, Shares()) is side(variant, Shares())


def _noon() -> datetime:
    return datetime.fromisoformat(NOON)
