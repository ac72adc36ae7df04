"""Examples that need several files: requests with labels and verdicts, reviews with their texts."""

import base64
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from judgestream_trainer.data import Counts, Reason, TrainingDataError, read_examples
from judgestream_trainer.data.example import Example, Judgement
from tests.images.files import image_file

Row = Mapping[str, Any]

REQUEST: dict[str, Any] = {
    "requestId": "r1",
    "question": "2 + 2?",
    "candidates": [{"id": "a", "text": "4", "system": "s"}, {"id": "b", "text": "5"}],
}
LABEL: dict[str, Any] = {
    "labelId": "l1",
    "requestId": "r1",
    "annotator": "human-1",
    "winner": "a",
    "labelledAt": "2026-01-01T00:00:00Z",
}
VERDICT: dict[str, Any] = {
    "verdictId": "v1",
    "requestId": "r1",
    "mode": "pairwise",
    "status": "STATUS_SCORED",
    "winner": "a",
    "explanation": "Assistant 1 is right.",
    "passes": [{"name": "straight", "means": [8.0, 3.0], "greedy": [8.0, 3.0]}],
    "requestedAt": "2026-01-01T00:00:00Z",
    "judgedAt": "2026-01-01T00:00:01Z",
}
QUESTION = {"question_id": 1, "text": "Why?", "category": "generic"}
ANSWERS = [{"answer_id": k, "question_id": 1, "text": f"{k}.", "model_id": f"m{k}"} for k in "xy"]
REVIEW: dict[str, Any] = {
    "review_id": "w",
    "question_id": 1,
    "answer1_id": "x",
    "answer2_id": "y",
    "text": "9 7\nGood.",
    "score": [9.0, 7.0],
}


def read(folder: Path, *files: Sequence[Row]) -> tuple[list[Example], Counts]:
    paths = []
    for k, rows in enumerate(files):
        path = folder / f"rows{k}"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        paths.append(path)
    return read_examples(paths)


def one(folder: Path, *files: Sequence[Row]) -> Example:
    (example,), _ = read(folder, *files)
    return example


def test_scores_come_from_the_label_and_the_explanation_from_an_agreeing_verdict(
    tmp_path: Path,
) -> None:
    files: list[list[Row]] = [[REQUEST], [LABEL], [VERDICT]]
    example = one(tmp_path, *files)
    assert example == one(tmp_path, *reversed(files))
    assert example == Example(
        id="request-r1",
        question="2 + 2?",
        answers=("4", "5"),
        systems=("s", ""),
        blind=Judgement(scores=(8, 4), explanation="Assistant 1 is right."),
        source="request r1, labelled by human-1",
        group="agrees",
    )


@pytest.mark.parametrize(
    ("change", "group"),
    [
        ({"winner": "b"}, "differs"),
        ({"winner": "", "tie": True}, "differs"),
        ({"winner": "", "status": "STATUS_UNSCORED", "reason": "unparsable"}, "unscored"),
        ({"winner": "", "status": "STATUS_FAILED", "passes": []}, "unscored"),
    ],
)
def test_a_disagreeing_verdict_gives_no_explanation(
    tmp_path: Path, change: Row, group: str
) -> None:
    example = one(tmp_path, [REQUEST], [LABEL], [{**VERDICT, **change}])
    assert example.blind == Judgement(scores=(8, 4)) and example.group == group


def test_a_truth_holds_with_and_without_the_reference(tmp_path: Path) -> None:
    asked = REQUEST | {"reference": "4"}
    bare, worded = (Judgement(scores=(8, 4), explanation=w) for w in ("", "Assistant 1 is right."))
    seen = VERDICT | {"passes": [{"name": "straight+reference", "means": [8.0, 3.0]}]}
    example = one(tmp_path, [asked], [LABEL], [seen])
    assert (example.blind, example.informed, example.reference) == (bare, worded, "4")
    example = one(tmp_path, [asked], [LABEL], [VERDICT])
    assert (example.blind, example.informed) == (worded, bare)


def test_requests_and_labels_are_enough_and_the_majority_decides(tmp_path: Path) -> None:
    votes = [LABEL | {"annotator": f"human-{k}", "winner": w} for k, w in enumerate("abb")]
    assert one(tmp_path, [REQUEST], votes).blind == Judgement(scores=(4, 8))
    corrected = [*votes, LABEL | {"annotator": "human-2", "winner": "a"}]
    assert one(tmp_path, [REQUEST], corrected).blind == Judgement(scores=(8, 4))
    tie = {k: v for k, v in LABEL.items() if k != "winner"} | {"tie": True}
    assert one(tmp_path, [REQUEST], [tie]).blind == Judgement(scores=(6, 6))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"winner": ""}, Reason.INVALID_LABEL),
        ({"tie": True}, Reason.INVALID_LABEL),
        ({"annotator": " "}, Reason.INVALID_LABEL),
        ({"winner": "c"}, Reason.UNKNOWN_WINNER),
    ],
)
def test_an_empty_or_contradictory_label_gives_no_example(
    tmp_path: Path, change: Row, reason: Reason
) -> None:
    examples, counts = read(tmp_path, [REQUEST], [{**LABEL, **change}])
    assert examples == []
    assert counts.by_reason == {reason: 1}


def test_a_faulty_label_removes_no_vote_and_the_latest_counts(tmp_path: Path) -> None:
    later = {**LABEL, "labelId": "l2", "winner": "b", "labelledAt": "2026-01-02T00:00:00Z"}
    faulty = {**LABEL, "labelId": "l3", "tie": True, "labelledAt": "2026-01-03T00:00:00Z"}
    for rows in ([LABEL, later, faulty], [faulty, later, LABEL]):
        assert one(tmp_path, [REQUEST], rows).blind == Judgement(scores=(4.0, 8.0))


def test_two_contents_under_one_id_and_probes_are_set_aside(tmp_path: Path) -> None:
    other = {**REQUEST, "question": "3 + 3?"}
    assert read(tmp_path, [REQUEST, other], [LABEL])[1].by_reason == {Reason.AMBIGUOUS: 1}
    judged = {**VERDICT, "contentDigest": "f" * 64}
    assert read(tmp_path, [REQUEST], [LABEL], [judged])[1].by_reason == {Reason.AMBIGUOUS: 1}
    assert len(read(tmp_path, [REQUEST, REQUEST], [LABEL])[0]) == 1
    probe = {**REQUEST, "metadata": {"judgestream.probe": "1"}}
    assert read(tmp_path, [probe], [LABEL])[1].by_reason == {Reason.PROBE: 1}


def test_a_scored_verdict_takes_precedence(tmp_path: Path) -> None:
    failed = VERDICT | {"status": "STATUS_FAILED", "winner": "", "explanation": ""}
    assert one(tmp_path, [REQUEST], [LABEL], [VERDICT, failed]).group == "agrees"
    assert one(tmp_path, [REQUEST], [LABEL], [failed, VERDICT]).group == "agrees"


def test_unjoined_records_are_counted_once_per_request_id(tmp_path: Path) -> None:
    three = [*REQUEST["candidates"], {"id": "c", "text": "6"}]
    requests = [
        REQUEST,
        REQUEST | {"requestId": "unlabelled"},
        REQUEST | {"requestId": "split"},
        REQUEST | {"requestId": "other"},
        REQUEST | {"requestId": "three", "candidates": three},
    ]
    labels = [
        LABEL,
        LABEL | {"requestId": "split"},
        LABEL | {"requestId": "split", "annotator": "human-2", "winner": "b"},
        LABEL | {"requestId": "other", "winner": "z"},
        LABEL | {"requestId": "gone"},
        LABEL | {"requestId": "three"},
    ]
    verdicts = [VERDICT, VERDICT | {"requestId": "gone"}, VERDICT | {"requestId": "lost"}]
    _, counts = read(tmp_path, requests, labels, verdicts)
    assert (counts.read, counts.kept) == (7, 1)
    assert counts.by_reason == {
        Reason.NO_REQUEST: 2,
        Reason.NO_LABEL: 1,
        Reason.NO_MAJORITY: 1,
        Reason.UNKNOWN_WINNER: 1,
        Reason.NOT_A_PAIR: 1,
    }


def test_pairs_with_images_do_not_train_judges_of_texts(tmp_path: Path) -> None:
    image = {"data": base64.b64encode(image_file()).decode()}
    pictured = REQUEST | {"mode": "multimodal", "images": [image]}
    _, counts = read(tmp_path, [pictured], [LABEL], [VERDICT])
    assert counts.by_reason == {Reason.HAS_IMAGES: 1}
    pair = {
        "caption": "A cat.",
        "image0": image["data"],
        "image1": "https://a.example/b",
        "label": 1,
    }
    _, counts = read(tmp_path, [pair])
    assert counts.by_reason == {Reason.HAS_IMAGES: 1}


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ([[REQUEST | {"requestId": ""}]], "rows0, line 1: field requestId: is missing"),
        ([[REQUEST], [LABEL | {"winer": "a"}]], 'rows1, line 1: .*no field named "winer"'),
        ([[VERDICT | {"status": "STATUS_GOOD"}]], "rows0, line 1: .*STATUS_GOOD"),
        ([[REQUEST | {"options": {"maxExplanationTokens": 9999}}]], "rows0, line 1: .*at most"),
        ([[QUESTION | {"question_id": None}]], "rows0, line 1: field question_id: is missing"),
        ([ANSWERS, [REVIEW | {"answer1_id": ""}]], "rows1, line 1: field answer1_id: is missing"),
        ([ANSWERS, [REVIEW | {"score": [9]}]], "rows1, line 1: field score: must be two numbers"),
    ],
)
def test_a_malformed_part_is_refused_with_its_place(
    tmp_path: Path, files: list[list[Row]], message: str
) -> None:
    with pytest.raises(TrainingDataError, match=message):
        read(tmp_path, *files)


def test_reviews_are_joined_with_question_and_answers(tmp_path: Path) -> None:
    example = one(tmp_path, [REVIEW], ANSWERS, [QUESTION])
    assert example == Example(
        id=example.id,
        question="Why?",
        answers=("x.", "y."),
        systems=("mx", "my"),
        blind=Judgement(scores=(9, 7), explanation="Good."),
        source=f"{tmp_path / 'rows0'}, line 1",
    )


def test_reviews_without_their_texts_or_a_judgement_are_counted(tmp_path: Path) -> None:
    rows = [REVIEW, REVIEW | {"answer2_id": "z"}, REVIEW | {"text": "error"}]
    _, counts = read(tmp_path, rows, ANSWERS, [QUESTION])
    assert counts.by_reason == {Reason.NO_TEXTS: 1, Reason.TEACHER_ERROR: 1}
    _, counts = read(tmp_path, rows[:1], ANSWERS)
    assert counts.by_reason == {Reason.NO_TEXTS: 1}
