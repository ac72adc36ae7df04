"""JudgeLM's records, answers and MM-Vet's files as suites."""

import json
from pathlib import Path

import pytest

from judgestream.apps.suites.loading import load_files
from judgestream.core.errors import InvalidRequest
from judgestream.core.modes import check
from judgestream.core.types import ReferenceUse
from judgestream.suites import judgelm_files, mm_vet
from judgestream.suites.base import Item, as_sent
from judgestream.suites.report import Figure
from tests.paths import SHARED
from tests.suites.folders import written
from tests.suites.verdicts import AT, judged

RECORD: dict[str, object] = {
    "question_id": 1,
    "question_body": "What is 2 + 3?",
    "answer1_body": "5",
    "answer2_body": "6",
    "score": [3.0, 8.0],
    "reference": {"text": "five"},
    "score_w_reference": [9.0, 2.0],
}
FOUR: dict[str, object] = {
    "question_id": 2,
    "question_body": "Name a colour.",
    **{f"answer{k}_body": word for k, word in enumerate(("red", "blue", "green", "wood"), start=1)},
    **{f"answer{k}_model_id": f"m{k}" for k in range(1, 5)},
}


def items(path: Path, *, answers: bool = False) -> dict[str, Item]:
    suite = judgelm_files.SUITE
    files: dict[str, list[dict[str, object]]] = {"records.jsonl": [RECORD, FOUR]}
    if answers:
        for model in ("x", "y", "z"):
            row = {"question_id": 7, "question_body": "Why?", "model": model, "text": f"{model}!"}
            files[f"answers/{model}.jsonl"] = [row]
    return {
        item.key.removeprefix("judgelm-"): item
        for item in suite.items(load_files(suite, written(path, files)).tables)
    }


def named(found: dict[str, Item], text: str) -> Item:
    (one,) = (item for key, item in found.items() if text in key)
    return one


def test_a_record_is_judged_in_every_mode_and_labelled_by_the_judgement_that_saw_as_much(
    tmp_path: Path,
) -> None:
    found = items(tmp_path, answers=True)
    for item in found.values():
        check(as_sent(item, suite="s", data="d", seed=0, at=AT, rule=judgelm_files.SUITE.rule))
    modes = sorted(item.request.mode for item in found.values())
    assert modes == ["multi"] * 2 + ["multi_turn"] * 2 + ["pairwise"] * 2 + ["single"] * 2
    bare, informed = (
        named(found, "pairwise-without"),
        next(item for key, item in found.items() if key.endswith("pairwise-with")),
    )
    assert (bare.gold, informed.gold) == (-1, 1)
    assert bare.request.options.reference_use is ReferenceUse.NEVER
    assert informed.request.reference == "five"
    assert named(found, "single-with-1").facts["teacher"] == "2.0"
    assert [one.system for one in named(found, "answers-7").request.candidates] == ["x", "y", "z"]


def test_figures_are_those_of_each_mode(tmp_path: Path) -> None:
    found = items(tmp_path)
    suite = judgelm_files.SUITE
    said = {"pairwise": ("9 1", "1 9"), "multi_turn": ("1 9", "9 1"), "single": ("8", "8")}

    def says(item: Item, k: int) -> str:
        if item.facts["mode"] == "multi":
            return "2 4 4 1" if k == 0 else "1 4 4 2"
        return said[item.facts["mode"]][k]

    report = suite.report(judged(found.values(), says, template="judgelm-v1"), suite.choices)
    # the first wins both orders as a pair: against the label without the reference, with the one with it
    assert report.figure("agreement").value == 0.5
    rows = {row[:2]: row[2:] for row in report.table("by JudgeLM's evaluator").rows}
    accuracy = {key: one[1].value for key, one in rows.items() if isinstance(one[1], Figure)}
    assert accuracy == {
        ("pairwise", "without"): 0.0,
        ("pairwise", "with"): 1.0,
        ("multi_turn", "without"): 1.0,
        ("multi_turn", "with"): 0.0,
    }
    # 8 and 8 beside the teacher's 9 and 2
    assert report.figure("single_distance_to_teacher").value == pytest.approx(3.5)
    together = {row[0]: row[3] for row in report.table("answers in one prompt").rows}
    assert set(together) == {"m1", "m2", "m3", "m4"}
    assert sum(share for share in together.values() if isinstance(share, float)) == 1.0


def test_answers_to_different_questions_are_not_joined(tmp_path: Path) -> None:
    path = written(tmp_path, {"records.jsonl": [RECORD]})
    rows = [{"question_id": 7, "question_body": q, "model": q, "text": "t"} for q in ("a", "b")]
    written(path, {f"answers/{k}.jsonl": [row] for k, row in enumerate(rows)})
    with pytest.raises(InvalidRequest, match="question_body: is not that of the other files"):
        list(judgelm_files.SUITE.items(load_files(judgelm_files.SUITE, path).tables))


def test_mm_vets_predictions_are_graded_by_their_references(tmp_path: Path) -> None:
    samples = {
        f"v1_{k}": {"imagename": f"{k}.png", "question": f"What is x{k}?", "answer": answer}
        for k, answer in enumerate(("17<OR>minus <AND> one", "4"))
    }
    (tmp_path / "predictions").mkdir()
    (tmp_path / "mm-vet.json").write_text(json.dumps(samples))
    for model in ("good", "bad"):
        predictions = {"v1_0": f"{model} 17", "v1_1": f"{model} 4"}
        (tmp_path / "predictions" / f"{model}.json").write_text(json.dumps(predictions))
    suite = mm_vet.SUITE
    found = list(suite.items(load_files(suite, tmp_path).tables))
    assert {item.request.mode for item in found} == {"multimodal"} and len(found) == 4
    level = {"good": "9", "bad": "2"}
    report = suite.report(
        judged(found, lambda item, k: level[item.facts["model"]], template="judgelm-v1"),
        suite.choices,
    )
    means = {row[0]: row[2] for row in report.table("models").rows}
    assert [cell.value for cell in means.values() if isinstance(cell, Figure)] == [2.0, 9.0]
    assert report.figure("mean_score").n == 4

    (tmp_path / "predictions" / "good.json").write_text(json.dumps({"v1_9": "?"}))
    with pytest.raises(InvalidRequest, match="no sample has this id"):
        list(suite.items(load_files(suite, tmp_path).tables))


def test_published_examples_are_records(tmp_path: Path) -> None:
    path = SHARED / "data" / "judgelm" / "judgelm_gui_examples.jsonl"
    if not path.exists():
        pytest.skip(f"{path} is not there: the published data is not part of the project")
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    data = written(tmp_path, {"records.jsonl": [row for row in rows if "answer2_body" in row]})
    suite = judgelm_files.SUITE
    found = list(suite.items(load_files(suite, data).tables))
    modes = {item.request.mode for item in found}
    assert modes == {"pairwise", "single", "multi_turn"}
    for item in found:
        check(as_sent(item, suite="s", data="d", seed=0, at=AT, rule=suite.rule))
