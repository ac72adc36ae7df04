"""Every input format: small literal rows, their requests, and the reasons for bad rows."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from judgestream.core.formats import FORMATS, detect
from judgestream.core.formats.base import Converted, Draft, finish
from judgestream.core.formats.fields import Fields, InvalidRecord, Place, SetAside
from judgestream.core.formats.reasons import Aside
from judgestream.core.formats.trl import chosen_second
from tests.core.format_rows import ROWS, SET_ASIDE

NOON = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)
PLACE = Place(file="rows.jsonl", number=3)

JUDGELM, PANDALM, TRL, OPENAI = (ROWS[name] for name in ("judgelm", "pandalm", "trl", "openai"))
ALONE = [name for name, form in FORMATS.items() if form.alone]
GIVING = [name for name in ALONE if name not in SET_ASIDE]


def convert(name: str, row: Mapping[str, object], prefix: str = "") -> Converted:
    return finish(draft(name, dict(row)), at=NOON, prefix=prefix)


def draft(name: str, row: dict[str, object]) -> Draft:
    """The first thing that a row gives."""
    found = next(FORMATS[name].found(Fields(row, PLACE)))
    assert isinstance(found, Draft)
    return found


def set_aside(name: str, row: dict[str, object]) -> Aside:
    with pytest.raises(SetAside) as caught:
        convert(name, row)
    return caught.value.reason


def without(row: dict[str, object], name: str) -> dict[str, object]:
    return {key: value for key, value in row.items() if key != name}


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_recognises_its_own_row_and_no_other(name: str) -> None:
    assert detect(ROWS[name], FORMATS) is FORMATS[name]


def test_the_format_of_an_unknown_row_is_not_guessed() -> None:
    assert detect({"text": "a completion"}, FORMATS) is None


@pytest.mark.parametrize("name", ["judgelm", "pandalm", "trl", "openai", "autoj", "alpaca-eval"])
def test_a_missing_field_is_named_with_file_and_line(name: str) -> None:
    needed = FORMATS[name].needs[-1][0]
    with pytest.raises(InvalidRecord, match=rf"^rows\.jsonl, line 3: field {needed}: is missing$"):
        convert(name, without(ROWS[name], needed))


@pytest.mark.parametrize("name", GIVING)
def test_the_same_row_always_gets_the_same_ids_and_a_prefix_applies_to_its_labels(
    name: str,
) -> None:
    first, again, moved = (convert(name, ROWS[name], prefix) for prefix in ("", "", "run2-"))
    assert first == again
    assert moved.request.request_id == f"run2-{first.request.request_id}"
    assert {label.request_id for label in moved.labels} <= {moved.request.request_id}
    assert not {x.label_id for x in first.labels} & {x.label_id for x in moved.labels}


class TestJudgelm:
    def test_further_answers_are_judged_together(self) -> None:
        more = {"answer3_body": "four", "answer3_model_id": "third", "answer4_body": "IV"}
        done = convert("judgelm", JUDGELM | more | {"score": [{}, {}, {}, {}]})
        assert done.request.mode == "multi"
        found = [(one.id, one.text, one.system) for one in done.request.candidates]
        assert found[2:] == [("3", "four", "third"), ("4", "IV", "")]
        assert done.labels == ()

    def test_scores_become_the_teacher_label(self) -> None:
        done = convert("judgelm", JUDGELM)
        assert done.request.question == "2 + 2?"
        assert [(c.id, c.text, c.system) for c in done.request.candidates] == [
            ("1", "4", "alpaca-native"),
            ("2", "5", "mpt-7b"),
        ]
        assert [(x.annotator, x.winner, x.tie) for x in done.labels] == [("teacher", "1", False)]
        assert done.request.request_id.startswith("judgelm-17-")
        assert done.request.requested_at == NOON

    @pytest.mark.parametrize(("score", "winner"), [([3, 8], "2"), ([7, 7.0], ""), ([0, 1], "2")])
    def test_the_higher_score_wins_and_equal_scores_tie(
        self, score: list[float], winner: str
    ) -> None:
        (label,) = convert("judgelm", JUDGELM | {"score": score}).labels
        assert (label.winner, label.tie) == (winner, winner == "")

    @pytest.mark.parametrize(
        "score", [[{"bleu": 1.0}, {"bleu": 2.0}], [-1, -1], [float("nan"), 2], None]
    )
    def test_generation_statistics_and_unreadable_teachers_give_no_labels(
        self, score: object
    ) -> None:
        assert convert("judgelm", JUDGELM | {"score": score}).labels == ()

    @pytest.mark.parametrize(
        ("reference", "found"), [({"text": "four"}, "four"), ("four", "four"), (None, None)]
    )
    def test_a_reference_is_text_or_an_object_with_text(
        self, reference: object, found: str | None
    ) -> None:
        assert convert("judgelm", JUDGELM | {"reference": reference}).request.reference == found

    def test_two_files_with_the_same_numbers_do_not_share_ids(self) -> None:
        other = convert("judgelm", JUDGELM | {"answer2_body": "6"})
        assert other.request.request_id != convert("judgelm", JUDGELM).request.request_id

    def test_half_a_surrogate_pair_is_refused_before_protobuf_meets_it(self) -> None:
        row = json.loads('{"x": "\\ud800"}')
        with pytest.raises(InvalidRecord, match="answer1_body: contains a lone surrogate"):
            convert("judgelm", JUDGELM | {"answer1_body": row["x"]})


class TestPandalm:
    def test_the_input_follows_the_instruction_and_booleans_become_their_text(self) -> None:
        done = convert("pandalm", PANDALM)
        assert done.request.question == "Verify the statement.\n\njk is odd."
        assert [(c.text, c.system) for c in done.request.candidates] == [
            ("True", "bloom-7b"),
            ("True.", "cerebras-gpt-6.7B"),
        ]
        assert [(x.annotator, x.winner, x.tie) for x in done.labels] == [
            ("human-1", "1", False),
            ("human-2", "1", False),
            ("human-3", "", True),
        ]

    def test_without_input_the_question_is_the_instruction(self) -> None:
        question = convert("pandalm", PANDALM | {"input": ""}).request.question
        assert question == "Verify the statement."

    def test_a_label_outside_the_scale_is_refused(self) -> None:
        with pytest.raises(InvalidRecord, match=r"annotator2: must be 0 \(tie\), 1 or 2, not 3"):
            convert("pandalm", PANDALM | {"annotator2": 3})

    def test_the_published_file_converts_whole(self, shared_data: Path) -> None:
        rows = json.loads((shared_data / "pandalm/testset-v1.json").read_text())
        done = [convert("pandalm", row) for row in rows]
        assert len({one.request.request_id for one in done}) == 999
        assert sum(len(one.labels) for one in done) == 2997
        assert all(isinstance(c.text, str) for one in done for c in one.request.candidates)


class TestTrl:
    def test_chosen_wins_in_either_position(self) -> None:
        request, (label,) = (done := convert("trl", TRL)).request, done.labels
        texts = {c.id: c.text for c in request.candidates}
        assert texts == {"chosen": "Good day.", "rejected": "What."}
        assert (label.annotator, label.winner) == ("gold", "chosen")

    def test_half_of_the_rows_have_the_chosen_answer_second_whatever_the_prefix(self) -> None:
        names = [f"row-{k}" for k in range(2000)]
        second = [chosen_second(name) for name in names]
        assert 900 < sum(second) < 1100
        for name, swapped in zip(names[:50], second, strict=False):
            request = convert("trl", TRL | {"request_id": name}, prefix="p-").request
            assert (request.candidates[0].id == "rejected") is swapped

    def test_conversations_and_a_missing_prompt_are_understood(self) -> None:
        ask = {"role": "user", "content": "Hello?"}
        good, bad = ({"role": "assistant", "content": text} for text in ("Good day.", "What."))
        explicit = TRL | {"prompt": [ask], "chosen": [good], "rejected": [bad]}
        implicit = {"id": "p1", "chosen": [ask, good], "rejected": [ask, bad]}
        repeated = {"id": "p1", "prompt": [ask], "chosen": [ask, good], "rejected": [ask, bad]}
        assert (
            convert("trl", TRL)
            == convert("trl", explicit)
            == convert("trl", implicit)
            == convert("trl", repeated)
        )

    def test_several_turns_keep_their_roles(self) -> None:
        turns = [("system", "Be brief."), ("user", "Hello?")]
        prompt = [{"role": role, "content": content} for role, content in turns]
        question = convert("trl", TRL | {"prompt": prompt}).request.question
        assert question == "System:\nBe brief.\n\nUser:\nHello?"

    def test_plain_texts_without_a_prompt_are_refused(self) -> None:
        with pytest.raises(InvalidRecord, match="field prompt: is missing"):
            convert("trl", without(TRL, "prompt"))

    def test_conversations_with_nothing_in_common_are_refused(self) -> None:
        a, b = ([{"role": "user", "content": text}] for text in "ab")
        assert set_aside("trl", {"chosen": a, "rejected": b}) is Aside.NO_PROMPT


class TestOpenai:
    def test_replies_are_taken_in_every_shape(self) -> None:
        shapes: list[object] = ["Hi.", {"message": {"content": "Hi."}}, {"text": "Hi."}]
        shapes.append({"content": [{"type": "text", "text": "H"}, {"type": "text", "text": "i."}]})
        for shape in shapes:
            request = convert("openai", OPENAI | {"choices": [shape, "Yes?"]}).request
            assert [c.text for c in request.candidates] == ["Hi.", "Yes?"]
        assert convert("openai", OPENAI).request.candidates[0].system == "m1"

    def test_one_reply_with_a_reference_is_judged_alone(self) -> None:
        request = convert("openai", OPENAI | {"choices": ["Hi."], "reference": "Hello."}).request
        assert (request.mode, request.reference) == ("single", "Hello.")

    @pytest.mark.parametrize("replies", [[], ["a", "b", "c"]])
    def test_other_numbers_of_replies_are_refused(self, replies: list[str]) -> None:
        with pytest.raises(InvalidRecord, match=rf"field choices: .* has {len(replies)}"):
            convert("openai", OPENAI | {"choices": replies})

    def test_an_image_is_refused_by_its_place(self) -> None:
        image = {"role": "user", "content": [{"type": "image_url"}]}
        with pytest.raises(InvalidRecord, match=r"field messages\[0\]\.content\[0\]\.type: "):
            convert("openai", OPENAI | {"messages": [image]})
