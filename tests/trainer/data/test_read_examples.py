"""Files of every kind as examples: malformed records are refused with their place, unusable ones counted."""

import gzip
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from judgestream.core.errors import ConfigurationError
from judgestream.core.formats.trl import chosen_second
from judgestream_trainer.data import KINDS, Counts, Reason, TrainingDataError, read_examples
from judgestream_trainer.data.example import Example, Judgement

Row = Mapping[str, Any]

JUDGELM: dict[str, Any] = {
    "review_id": "x" * 22,
    "question_id": 17,
    "answer1_id": "",
    "answer2_id": "",
    "reviewer_id": 1,
    "metadata": {},
    "text": "2 8\nAssistant 2 counts right.",
    "score": [2.0, 8.0],
    "question_body": "\nHow many legs has a spider?\n",
    "answer1_body": "Six.",
    "answer2_body": "Eight.",
    "answer1_model_id": "mpt-7b",
    "answer2_model_id": "koala",
    "answer1_metadata": {"decoding_method": "top_p_sampling"},
    "answer2_metadata": {"decoding_method": "top_p_sampling"},
    "reference": {"decoding_method": "None", "model": "seed", "text": "8"},
    "score_w_reference": [1, 10],
    "text_w_reference": "1 10\n\nThe reference says 8.",
}
TRL: dict[str, Any] = {"id": "p0", "prompt": "Hi?", "chosen": "Hello.", "rejected": "Go away."}
TRAINING: dict[str, Any] = {
    "exampleId": "e1",
    "question": "q",
    "answers": [{"text": "a", "system": "s"}, {"text": "b"}],
    "blind": {"scores": [8, 4], "explanation": "w"},
    "labelledAt": "2026-01-01T00:00:00Z",
}


def read(folder: Path, *files: Sequence[Row]) -> tuple[list[Example], Counts]:
    paths = []
    for k, rows in enumerate(files):
        path = folder / f"rows{k}"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        paths.append(path)
    return read_examples(paths)


def one(folder: Path, row: Row) -> Example:
    (example,), counts = read(folder, [row])
    assert (counts.read, counts.kept) == (1, 1)
    return example


def reason(folder: Path, *files: Sequence[Row]) -> Mapping[Any, int]:
    return read(folder, *files)[1].by_reason


def test_a_judgelm_record_gives_both_judgements(tmp_path: Path) -> None:
    example = one(tmp_path, JUDGELM)
    assert example == Example(
        id=example.id,
        question="\nHow many legs has a spider?\n",
        answers=("Six.", "Eight."),
        systems=("mpt-7b", "koala"),
        reference="8",
        blind=Judgement(scores=(2, 8), explanation="Assistant 2 counts right."),
        informed=Judgement(scores=(1, 10), explanation="The reference says 8."),
        source=f"{tmp_path / 'rows0'}, line 1",
    )
    assert example.id.startswith("judgelm-17-")


def test_a_judgelm_record_without_reference_or_with_text_for_one(tmp_path: Path) -> None:
    row = {k: v for k, v in JUDGELM.items() if "reference" not in k}
    example = one(tmp_path, row)
    assert example.informed is None and example.reference is None
    assert one(tmp_path, JUDGELM | {"reference": "8"}).reference == "8"
    only = {k: v for k, v in JUDGELM.items() if k not in ("text", "score")}
    assert one(tmp_path, only).blind is None


@pytest.mark.parametrize(
    ("change", "lost"),
    [
        ({"text": "error", "score": [-1, -1]}, Reason.TEACHER_ERROR),
        ({"score": [-1, -1]}, Reason.MARKED_UNREADABLE),
        ({"score_w_reference": [2, 3]}, Reason.SCORES_DISAGREE),
        ({"reference": {"text": " "}}, Reason.NO_REFERENCE),
    ],
)
def test_a_record_with_one_unusable_judgement_is_kept_for_the_other_and_counted(
    tmp_path: Path, change: Row, lost: Reason
) -> None:
    (example,), counts = read(tmp_path, [{**JUDGELM, **change}])
    assert (example.blind is None) != (example.informed is None)
    assert counts == Counts(read=1, kept=1, by_reason={}, lost={lost: 1})


BAD_BOTH = {"text": "error", "text_w_reference": "Both."}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (BAD_BOTH, Reason.TEACHER_ERROR),
        ({"question_body": " \n"}, Reason.EMPTY_QUESTION),
        ({"answer2_body": ""}, Reason.EMPTY_ANSWER),
        ({"answer2_body": "Six.\n"}, Reason.IDENTICAL_ANSWERS),
        (
            {"score": [{"bleu": 1}, {"bleu": 2}], "text": None, "text_w_reference": None}
            | {"score_w_reference": None},
            Reason.NO_JUDGEMENT,
        ),
    ],
)
def test_an_unusable_record_is_counted(tmp_path: Path, change: Row, expected: Reason) -> None:
    examples, counts = read(tmp_path, [JUDGELM, {**JUDGELM, **change}])
    assert len(examples) == 1
    assert counts == Counts(read=2, kept=1, by_reason={expected: 1}, lost={})


def test_counts_are_one_line_of_text(tmp_path: Path) -> None:
    rows = [JUDGELM, JUDGELM | {"answer1_body": ""}, JUDGELM | {"answer2_body": "Six."}]
    rows += [JUDGELM | {"answer1_body": ""}, JUDGELM | {"question_id": 18, "text": "error"}]
    assert str(read(tmp_path, rows)[1]) == (
        "5 read, 2 kept, 3 left out (2 empty_answer, 1 identical_answers);"
        " 1 kept with one judgement of two (1 teacher_error)"
    )
    assert str(read(tmp_path, [JUDGELM])[1]) == "1 read, 1 kept"


@pytest.mark.parametrize("name", ["p0", "p1", "p2", "p3"])
def test_a_preference_is_shown_in_an_uninformative_order(tmp_path: Path, name: str) -> None:
    example = one(tmp_path, TRL | {"request_id": name})
    chosen = 1 if chosen_second(name) else 0
    assert example.answers[chosen] == "Hello." and example.answers[1 - chosen] == "Go away."
    assert example.blind == Judgement(scores=(4, 8) if chosen else (8, 4))
    assert example.informed is None and example.question == "Hi?"


def test_both_orders_come_up_and_two_pairs_of_one_prompt_id_are_two_examples(
    tmp_path: Path,
) -> None:
    rows = [TRL | {"id": f"p{k}"} for k in range(40)]
    scores = {example.blind.scores for example in read(tmp_path, rows)[0] if example.blind}
    assert scores == {(8, 4), (4, 8)}
    same = [
        TRL | {"id": None, "prompt_id": "x"},
        TRL | {"id": None, "prompt_id": "x", "rejected": "."},
    ]
    assert len(read(tmp_path, same)[0]) == 2


def test_preferences_as_messages(tmp_path: Path) -> None:
    turns = {name: [{"role": "assistant", "content": TRL[name]}] for name in ("chosen", "rejected")}
    prompt = {"prompt": [{"role": "user", "content": "Hi?"}]}
    example, plain = one(tmp_path, TRL | turns | prompt), one(tmp_path, TRL)
    assert example == plain


def test_pandalms_annotators_decide_by_majority(tmp_path: Path) -> None:
    row = {"idx": 0, "cmp_key": "m_n", "instruction": "i", "input": "x"}
    row |= {"response1": "a", "response2": "b"}
    votes = [{f"annotator{k}": v for k, v in enumerate(one, start=1)} for one in ("220", "012", "")]
    rows = [row | {name: int(v) for name, v in found.items()} for found in votes]
    (example,), counts = read(tmp_path, rows)
    assert example.blind == Judgement(scores=(4, 8)) and example.systems == ("m", "n")
    assert example.question == "i\n\nx"
    assert counts.by_reason == {Reason.NO_MAJORITY: 1, Reason.NO_LABEL: 1}


def test_our_own_records_are_read_in_both_spellings_and_the_later_one_of_an_id_counts(
    tmp_path: Path,
) -> None:
    snake = {("example_id" if k == "exampleId" else k): v for k, v in TRAINING.items()}
    (example,), counts = read(tmp_path, [snake, TRAINING | {"question": "later"}])
    assert example.question == "later" and example.systems == ("s", "")
    assert counts == Counts(read=2, kept=1, by_reason={Reason.REPLACED: 1}, lost={})


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (
            {k: v for k, v in JUDGELM.items() if k != "answer2_body"},
            "field answer2_body: is missing",
        ),
        (JUDGELM | {"question_body": 3}, "field question_body: must be text, not a number"),
        (JUDGELM | {"text": ["8 4"]}, "field text: must be text, not a list"),
        (JUDGELM | {"score": "8 4"}, "field score: must be a list, not text"),
        (JUDGELM | {"reference": 8}, "field reference: must be text, not a number"),
        (TRL | {"chosen": None}, "field chosen: is missing"),
        (TRAINING | {"exampleId": ""}, "example_id is empty"),
        (TRAINING | {"answers": []}, "answers has 0 entries: give two"),
        (TRAINING | {"blind": {"scores": [8]}}, "blind.scores has 1 entries: give two"),
        (TRAINING | {"blind": None}, "has no judgement: set blind, or informed and reference"),
        (TRAINING | {"qestion": "q"}, 'no field named "qestion"'),
    ],
)
def test_a_malformed_record_is_refused_with_file_line_and_field(
    tmp_path: Path, row: Row, message: str
) -> None:
    with pytest.raises(TrainingDataError) as refused:
        read(tmp_path, [row])
    assert f"{tmp_path / 'rows0'}, line 1: " in str(refused.value)
    assert message in str(refused.value)


def test_an_error_lists_the_fields_that_the_kind_needs(tmp_path: Path) -> None:
    with pytest.raises(TrainingDataError, match=r"line 2: field answer1_body.*\n  judgelm \(quest"):
        read(tmp_path, [JUDGELM, {k: v for k, v in JUDGELM.items() if k != "answer1_body"}])
    with pytest.raises(TrainingDataError, match=r"fields: hello.*\n(?s:.*)\n  trl: chosen, rej"):
        read(tmp_path, [{"hello": 1}])


def test_an_unreadable_file_or_one_without_json_is_a_configuration_error(tmp_path: Path) -> None:
    path = tmp_path / "rows"
    path.write_text(json.dumps(TRL) + "\n{oops\n")
    with pytest.raises(TrainingDataError, match=r"rows, line 2: not JSON"):
        read_examples([path])
    with pytest.raises(ConfigurationError, match="nothing cannot be read"):
        read_examples([tmp_path / "nothing"])


def test_arrays_and_packed_files_give_the_same_examples(tmp_path: Path) -> None:
    rows = [JUDGELM | {"question_id": k} for k in range(3)]
    lines, array, packed = (tmp_path / name for name in ("lines", "array", "packed"))
    lines.write_text("".join(json.dumps(row) + "\n" for row in rows))
    array.write_text(json.dumps(rows, indent=1))
    packed.write_bytes(gzip.compress(lines.read_bytes()))
    found = [
        [(e.id, e.answers, e.blind) for e in read_examples([path])[0]]
        for path in (lines, array, packed)
    ]
    assert found[0] == found[1] == found[2] and len(found[0]) == 3


def test_files_of_several_kinds_are_read_together(tmp_path: Path) -> None:
    examples, counts = read(tmp_path, [JUDGELM], [TRL], [TRAINING])
    assert [example.id.split("-")[0] for example in examples] == ["judgelm", "trl", "e1"]
    assert (counts.read, counts.kept) == (3, 3)


def test_every_kind_makes_examples_or_is_part_of_a_join() -> None:
    assert [kind.name for kind in KINDS.values() if not kind.alone and kind.join is None] == []
