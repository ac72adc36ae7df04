"""JudgeLM's validation set: its evaluator's figures on hand-made judgements."""

from pathlib import Path

import pytest

from judgestream.apps.suites.loading import load_files
from judgestream.core.errors import InvalidRequest
from judgestream.core.types import ReferenceUse
from judgestream.suites.base import Item
from judgestream.suites.judgelm import NAMES, SUITE
from judgestream.suites.report import Figure
from tests.suites.folders import written
from tests.suites.verdicts import judged

TEACHER = ("9 3", "2 8", "5 5", "7, 8", "1 2")  # the fourth is not JudgeLM's form: no label


def folder(path: Path, *, references: bool = False, ids: bool = True) -> Path:
    pairs = [
        {
            **({"question_id": k} if ids else {}),
            "question_body": f"q{k}",
            "answer1_body": f"first {k}",
            "answer2_body": f"second {k}",
            "score": [{"logprobs": -1}, {"logprobs": -2}],
        }
        for k in range(len(TEACHER))
    ]
    teacher = [{"question_id": k, "text": f"{text}\nBecause."} for k, text in enumerate(TEACHER)]
    files: dict[str, list[dict[str, object]]] = {
        "judgelm_val_5k.jsonl": pairs,
        "judgelm_val_5k_gpt4.jsonl": teacher,
    }
    if references:
        files["judgelm_val_5k_references.jsonl"] = [
            {"reference": {"text": f"ref {k}"}} for k in range(len(TEACHER))
        ]
        files["judgelm_val_5k_gpt4_with_reference.jsonl"] = [
            {"question_id": k, "text": "1 9\nNow I know."} for k in range(len(TEACHER))
        ]
    return written(path, files)


def items(path: Path) -> list[Item]:
    return list(SUITE.items(load_files(SUITE, path).tables))


def test_the_label_is_the_teachers_by_position(tmp_path: Path) -> None:
    found = items(folder(tmp_path))
    assert [item.gold for item in found] == [1, -1, 0, None, -1]
    assert {item.request.reference for item in found} == {None}


def test_with_references_every_pair_is_judged_twice_each_with_its_own_label(tmp_path: Path) -> None:
    found = items(folder(tmp_path, references=True))
    assert len(found) == 10 and [item.gold for item in found[:2]] == [1, -1]
    assert found[1].request.reference == "ref 0"
    assert found[0].request.options.reference_use is ReferenceUse.NEVER


def test_figures_have_judgelms_names_and_rules(tmp_path: Path) -> None:
    # as shown, in both orders. Straight: 1, 0 (unread), 0, -, -1. Restored swapped: 1, -1, 1, -, -1
    replies = {"1": ("8 2", "2 8"), "2": ("hm", "9 1"), "3": ("4 4", "3 6"), "5": ("2 3", "3 2")}
    found = judged(
        items(folder(tmp_path)),
        lambda item, k: replies.get(item.key.partition("-")[0], ("1 1", "1 1"))[k],
        template="judgelm-v1",
    )
    report = SUITE.report(found, SUITE.choices)
    ((name, *cells),) = report.table("by JudgeLM's evaluator").rows
    values = [cell.value if isinstance(cell, Figure) else cell for cell in cells]
    row = dict(zip(NAMES, values, strict=True))
    assert (name, row["total_num"], row["unread"]) == ("without", 4, 1)
    # gold 1 -1 0 -1 against 1 0 0 -1: three of four. Classes: 1: P 1 R 1; 0: P 1/2 R 1; -1: P 1 R 1/2
    assert row["accuracy"] == 0.75
    assert row["precision"] == pytest.approx((1 + 0.5 + 1) / 3)
    assert row["recall"] == pytest.approx((1 + 1 + 0.5) / 3)
    assert row["f1"] == pytest.approx((1 + 2 / 3 + 2 / 3) / 3)
    # orders: 1 1 consistent; 0 -1 toward the first; 0 1 toward the second; -1 -1 consistent
    assert row["consistency"] == 0.5
    assert row["perfer_before_rate"] == row["perfer_after_rate"] == 0.25
    assert row["delta_bias"] == 0.0


def test_files_that_do_not_belong_together_are_refused(tmp_path: Path) -> None:
    path = folder(tmp_path)
    teacher = path / "judgelm_val_5k_gpt4.jsonl"
    lines = teacher.read_text().splitlines(keepends=True)
    teacher.write_text("".join(lines[::-1]))
    with pytest.raises(InvalidRequest, match="question_id: is 4, and that of the pair"):
        items(path)
    teacher.write_text("".join(lines[:-1]))
    with pytest.raises(InvalidRequest, match="has 4 rows, not 5"):
        items(path)


def test_references_without_the_judgements_with_them_are_refused(tmp_path: Path) -> None:
    path = folder(tmp_path, references=True)
    (path / "judgelm_val_5k_gpt4_with_reference.jsonl").unlink()
    with pytest.raises(InvalidRequest, match="needs both"):
        items(path)
