"""Judging the Judges: the published figures, and hand-made verdicts on the controlled answers."""

from pathlib import Path

import pytest

from judgestream.apps.suites.loading import load_files
from judgestream.core.errors import InvalidRequest
from judgestream.evaluation.order_rules import OrderRule
from judgestream.evaluation.unreadable import UnreadableRule
from judgestream.suites.base import Choices, Item
from judgestream.suites.judging_the_judges import CONTROLLED, PROMPTS, SHUFFLES, SUITE
from judgestream.suites.report import Figure, Report
from tests.suites.folders import published, written
from tests.suites.verdicts import judged

PUBLISHED = {
    # agreement, kappa, pi (all x 100), Pc, P+, Spearman
    ("v1", "Llama3-70B"): (92.66, 81.79, 81.74, None, None, 0.933),
    ("v1", "GPT-4"): (91.15, 78.76, 78.75, None, None, 1.0),
    ("v1", "Llama-13B"): (77.50, 54.42, 52.85, None, None, None),
    ("v1", "EM"): (70.88, 45.78, 41.13, None, None, 0.783),
    ("v1", "Gemma-2B"): (78.03, 42.20, 41.32, 0.38, 0.87, 0.117),
    ("v1", "Llama3-8B"): (None, None, None, 0.63, 0.74, None),
    ("v1", "JudgeLM"): (None, None, None, 0.68, 0.19, 0.983),
    ("v1", "Mistral-7B"): (None, None, None, 0.70, 0.87, None),
    ("v1", "Contains"): (None, None, None, None, None, 0.983),
    ("v2", "GPT-4"): (95.00, 89.24, 89.24, None, None, None),
    ("v2", "Llama3-70B"): (94.41, 87.65, 87.63, None, None, None),
    ("v2", "JudgeLM"): (52.06, 17.45, 1.71, None, None, None),
    ("v2", "Gemma-2B"): (62.69, 4.99, -3.49, None, None, None),
}
COLUMNS = (
    ("agreement", 100, 0.006),
    ("kappa", 100, 0.006),
    ("scott_pi", 100, 0.006),
    ("follows_criteria", 1, 0.005),
    ("lenient_otherwise", 1, 0.005),
    ("rank_correlation", 1, 0.0006),
)


@pytest.mark.no_cover
def test_published_judgements_have_the_published_figures() -> None:
    report = SUITE.published and SUITE.published(
        published("judging-the-judges", "triviaqa_judges").tables
    )
    assert report
    for (run, judge), expected in PUBLISHED.items():
        table = report.table(run)
        (row,) = (row for row in table.rows if row[0] == judge)
        for value, (name, scale, near) in zip(expected, COLUMNS, strict=True):
            cell = row[table.head.index(name)]
            assert isinstance(cell, Figure) and cell.value is not None
            if value is not None:
                assert cell.value * scale == pytest.approx(value, abs=near), (run, judge, name)


def folder(path: Path, *, answers: bool = False) -> Path:
    rows: dict[str, list[dict[str, object]]] = {
        "questions.jsonl": [
            {"qid": 1, "question": "Who wrote Emma?", "references": ["Jane Austen", "Austen"]},
            {"qid": 2, "question": "Capital of Peru?", "references": ["Lima"]},
        ]
    }
    if answers:
        rows["answers.jsonl"] = [
            {
                "qid": qid,
                "exam_taker": taker,
                "answer": f"{taker} {qid}",
                "human": human,
                "error_type": "" if human else "incorrect entity",
            }
            for qid, taker, human in ((1, "t", 1), (2, "t", 0), (1, "u", 1), (2, "u", 1))
        ]
    return written(path, rows)


def items(path: Path, **wanted: bool) -> list[Item]:
    return list(SUITE.items(load_files(SUITE, folder(path, **wanted)).tables))


def cell(report: Report, prompt: str, answer: str) -> float | None:
    (found,) = (
        row[3] for row in report.table("controlled answers").rows if row[:2] == (prompt, answer)
    )
    assert isinstance(found, Figure)
    return found.value


def test_each_question_has_its_controlled_answers_prompts_and_orders(tmp_path: Path) -> None:
    found = items(tmp_path)
    assert len(found) == 2 * (len(CONTROLLED) * len(PROMPTS) + SHUFFLES - 1)
    assert len({item.key for item in found}) == len(found)
    assert {item.unit for item in found} == {"1", "2"}
    truths = {(item.facts["kind"], item.facts["truth"]) for item in found}
    assert truths == {("reference", "1"), ("yes", "0"), ("sure", "0"), ("question", "0")}
    bare = next(item for item in found if item.facts["prompt"] == "bare")
    assert bare.request.reference == "Jane Austen\nAusten"
    assert bare.request.question == "Who wrote Emma?"


def test_a_judge_that_says_yes_to_everything_is_right_about_references_only(tmp_path: Path) -> None:
    report = SUITE.report(judged(items(tmp_path), lambda item, k: "yes"), SUITE.choices)
    assert cell(report, "bare", "reference") == 1.0 and cell(report, "examples", "sure") == 0.0
    assert report.figure("controlled_accuracy").value == pytest.approx(0.25)
    assert report.figure("reference_order_consistency").value == 1.0


def test_an_unread_judgement_counts_as_incorrect_or_not_at_all(tmp_path: Path) -> None:
    found = judged(items(tmp_path), lambda item, k: "hm")
    wrong = SUITE.report(found, SUITE.choices)
    assert cell(wrong, "bare", "reference") == 0.0 and cell(wrong, "bare", "yes") == 1.0
    unscored = Choices(rule=OrderRule.AVERAGED, unreadable=UnreadableRule.UNSCORED)
    report = SUITE.report(found, unscored)
    assert report.figure("controlled_accuracy").value is None
    assert report.table("counts").rows == ((len(found), 0, len(found)),)


def test_labelled_answers_give_the_papers_alignment_figures(tmp_path: Path) -> None:
    # truth: t 1 0, u 1 1; the judge says yes to u's only: right on 3 of 4, precision 1, recall 2 of 3
    found = judged(
        items(tmp_path, answers=True),
        lambda item, k: "yes" if item.facts.get("taker") == "u" else "no",
    )
    report = SUITE.report(found, SUITE.choices)
    assert report.figure("agreement").value == 0.75
    assert report.figure("precision").value == 1.0
    assert report.figure("recall").value == pytest.approx(2 / 3)
    # p_o = 3/4; kappa: p_e = (3*2 + 1*2) / 16 = 1/2; pi: p_e = (5*5 + 3*3) / 64 = 17/32
    assert report.figure("kappa").value == pytest.approx(0.5)
    assert report.figure("scott_pi").value == pytest.approx((3 / 4 - 17 / 32) / (15 / 32))
    assert report.figure("rank_correlation").value == pytest.approx(1.0)
    # two exam takers have no subsets of six
    assert report.figure("rank_correlation_of_subsets").value is None
    assert [row[:2] for row in report.table("errors recognised").rows] == [("incorrect entity", 1)]
    assert report.table("errors recognised").rows[0][2].value == 1.0  # type: ignore[union-attr]
    assert report.table("exam takers").rows == (("u", 2, 1.0, 1.0, 0.0), ("t", 2, 0.5, 0.0, -0.5))


def test_a_label_that_is_neither_correct_nor_incorrect_is_refused(tmp_path: Path) -> None:
    path = folder(tmp_path)
    bad = {"qid": 1, "exam_taker": "t", "answer": "x", "human": 2}
    written(path, {"answers.jsonl": [bad]})
    with pytest.raises(InvalidRequest, match="human"):
        list(SUITE.items(load_files(SUITE, path).tables))
