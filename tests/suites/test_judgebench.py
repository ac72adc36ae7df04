"""JudgeBench: its counter rule on hand-made cases."""

from pathlib import Path

import pytest

from judgestream.apps.suites.loading import load_files
from judgestream.core.errors import InvalidRequest
from judgestream.suites.base import Item
from judgestream.suites.judgebench import SUITE
from judgestream.suites.report import Figure
from tests.suites.folders import written
from tests.suites.verdicts import judged

SOURCES = ("mmlu-pro-physics", "livebench-reasoning", "livebench-math", "livecodebench")


def row(number: int, label: str = "A>B", **more: object) -> dict[str, object]:
    return {
        "pair_id": f"p{number}",
        "original_id": f"o{number}",
        "source": SOURCES[number % 4],
        "question": f"question {number}?",
        "response_model": "gpt-4o",
        "response_A": f"right {number}",
        "response_B": f"wrong {number}",
        "label": label,
        **more,
    }


def items(folder: Path, *rows: dict[str, object]) -> list[Item]:
    return list(SUITE.items(load_files(SUITE, written(folder, {"data/gpt.jsonl": rows})).tables))


CASES: dict[str, tuple[str, str, bool]] = {
    # verdict in the given order and in the swapped one as shown -> correct?
    "p0": ("A", "B", True),  # right and right
    "p1": ("A", "C", True),  # right and a tie
    "p2": ("A", "hm", True),  # right and unread
    "p3": ("A", "A", False),  # right and wrong: a tie
    "p4": ("C", "C", False),  # two ties
    "p5": ("B", "A", False),  # wrong and wrong
    "p6": ("hm", "hm", False),  # nothing read
    "p7": ("B", "C", False),  # wrong and a tie
}


def test_the_counter_decides(tmp_path: Path) -> None:
    found = items(tmp_path, *(row(k) for k in range(8)))
    verdicts = judged(found, lambda item, k: CASES[item.key][:2][k])
    report = SUITE.report(verdicts, SUITE.choices)
    assert report.figure("agreement").value == pytest.approx(3 / 8)
    assert SUITE.values(verdicts, SUITE.choices) == {
        key: float(right) for key, (*_, right) in CASES.items()
    }
    areas = {row[0]: row[1:] for row in report.table("agreement by area").rows}
    assert set(areas) == {"knowledge", "reasoning", "math", "coding"}
    share = areas["knowledge"][1]
    assert isinstance(share, Figure) and share.value == 0.5  # p0 right, p4 a tie


def test_baselines_are_the_papers(tmp_path: Path) -> None:
    found = items(tmp_path, *(row(k, "A>B" if k % 2 else "B>A") for k in range(8)))
    always_first = SUITE.report(judged(found, lambda item, k: "A"), SUITE.choices)
    assert always_first.figure("agreement").value == 0.0
    assert always_first.figure("bias_toward_first").value == 1.0
    blind = SUITE.report(judged(found, lambda item, k: "AB"[k]), SUITE.choices)
    assert blind.figure("agreement").value == 0.5


def test_published_judgements_are_read_as_they_were_shown(tmp_path: Path) -> None:
    def said(first: str | None, second: str | None) -> list[object]:
        return [None if one is None else {"decision": one} for one in (first, second)]

    rows = [
        row(0, judge_name="j", judgments=said("A>B", "B>A")),
        row(1, judge_name="j", judgments=said("A>B", "A>B")),
        row(2, judge_name="j", judgments=said("A>B", None)),
    ]
    folder = written(tmp_path, {"data/gpt.jsonl": rows, "outputs/j.jsonl": rows})
    report = SUITE.published and SUITE.published(load_files(SUITE, folder).tables)
    assert report and report.figure("agreement").value == pytest.approx(2 / 3)


def test_a_label_that_names_no_side_is_refused_with_its_place(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="gpt.jsonl, line 1: field label"):
        items(tmp_path, row(0, "A=B"))
