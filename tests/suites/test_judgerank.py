"""JudgeRank: BRIGHT's files, and nDCG worked by hand."""

from math import log2
from pathlib import Path

import pytest

from judgestream.apps.suites.loading import load_files
from judgestream.core.errors import InvalidRequest
from judgestream.suites.base import Item, Judged
from judgestream.suites.judgerank import SUITE, runs
from tests.suites import bright
from tests.suites.folders import written
from tests.suites.verdicts import judged

RUN = {"q1": {"d1": 9.0, "d2": 8.0, "d3": 1.0, "x": 5.0}, "q2": {"d1": 2.0, "d2": 3.0}}


def folder(path: Path) -> Path:
    return written(
        path,
        {
            "examples.jsonl": [
                {"id": "q1", "query": "why?", "gold_ids": ["d3"], "excluded_ids": ["x"]},
                {"id": "q2", "query": "how?", "gold_ids": ["d1", "z"], "excluded_ids": ["N/A"]},
            ],
            "documents.jsonl": [
                {"id": name, "content": f"text of {name} {'long ' * 4000}"}
                for name in ("d1", "d2", "d3", "x")
            ],
            "run.jsonl": [
                {"query_id": query, "doc_id": name, "score": score}
                for query, scores in RUN.items()
                for name, score in scores.items()
            ],
        },
    )


def items(path: Path) -> list[Item]:
    return list(SUITE.items(load_files(SUITE, folder(path)).tables))


def test_a_querys_best_documents_are_judged_without_the_excluded_ones(tmp_path: Path) -> None:
    first, second = items(tmp_path)
    assert [one.id for one in first.request.candidates] == ["d1", "d2", "d3"]
    assert [one.first_stage_score for one in second.request.candidates] == [3.0, 2.0]
    assert max(len(one.text) for one in first.request.candidates) == 8000
    assert first.request.options.hybrid_weight == 100.0


def test_rankings_are_scored_as_bright_scores_them(tmp_path: Path) -> None:
    # the judge finds d3 helpful to q1, and nothing to q2
    def says(item: Item, k: int) -> str:
        return "yes" if item.request.candidates[k].id == "d3" else "no"

    found = judged(items(tmp_path), says)
    first = runs(found[0])
    assert first["judge"] == {"d1": 0.0, "d2": 0.0, "d3": pytest.approx(1.0)}
    assert first["hybrid"]["d3"] == pytest.approx(101.0)
    report = SUITE.report(found, SUITE.choices)
    # q1: d3 is third by the first stage and first after judging; q2: d1 is second of 2 relevant
    ideal = 1 + 1 / log2(3)
    q2 = (1 / log2(3)) / ideal
    assert report.figure("ndcg_10 first stage").value == pytest.approx((1 / log2(4) + q2) / 2)
    assert report.figure("ndcg_10 hybrid").value == pytest.approx((1.0 + q2) / 2)
    # by P(yes) alone q2's documents are equal: trec_eval puts d2 before d1
    assert report.figure("ndcg_10 judge").value == pytest.approx((1.0 + q2) / 2)
    assert SUITE.values(found, SUITE.choices) == {
        "q1": pytest.approx(1.0),
        "q2": pytest.approx(q2),
    }


def test_a_document_without_text_is_refused(tmp_path: Path) -> None:
    path = folder(tmp_path)
    written(path, {"documents.jsonl": [{"id": "d1", "content": "t"}]})
    with pytest.raises(InvalidRequest, match="no row of documents has id 'd2'"):
        list(SUITE.items(load_files(SUITE, path).tables))


def test_the_set_that_is_made_here_needs_more_than_shared_words(tmp_path: Path) -> None:
    found = list(SUITE.items(load_files(SUITE, bright.folder(tmp_path)).tables))
    assert len(found) == 20 and {len(item.request.candidates) for item in found} == {bright.DEPTH}
    assert all(item.request.options.explain for item in found), "the paper analyses before it asks"

    def says(item: Item, k: int) -> str:
        return "yes" if item.request.candidates[k].id == item.facts["gold"] else "no"

    report = SUITE.report(judged(found, says), SUITE.choices)
    assert report.figure("ndcg_10 judge").value == 1.0
    first = report.figure("ndcg_10 first stage").value
    assert first is not None and 0.3 < first < 0.7
    tasks = [row[0] for row in report.table("ndcg_10 by task").rows]
    assert len(tasks) == 6 and tasks[-1] == "mean of tasks"


def test_an_ensemble_ranks_by_the_mean_of_its_releases(tmp_path: Path) -> None:
    first = items(tmp_path)

    def told(levels: dict[str, str]) -> list[Judged]:
        return judged(
            first, lambda item, k: levels[item.request.candidates[k].id], template="judgelm-v1"
        )

    # P(yes) is the place on the scale of 1 to 10; d3 helps with q1, and d1 with q2
    runs_of = {
        "a": told({"d1": "9", "d2": "1", "d3": "8"}),
        "b": told({"d1": "2", "d2": "10", "d3": "7"}),
    }
    assert SUITE.ensemble is not None
    report = SUITE.ensemble(list(runs_of.items()))
    alone = [report.figure(f"ndcg_10 {name}").value for name in runs_of]
    # q1: the mean has d3 (7.5) before d1 and d2 (5.5): 1. q2: equal means, so d2 is before d1
    q2 = (1 / log2(3)) / (1 + 1 / log2(3))
    assert report.figure("ndcg_10 ensemble").value == pytest.approx((1 + q2) / 2)
    # a: d1 before d3, and d1 before d2; b: d2 before d3, and d2 before d1
    best = 1 / (1 + 1 / log2(3))
    assert alone == [pytest.approx((1 / log2(3) + best) / 2), pytest.approx((1 / log2(3) + q2) / 2)]
    lacking = SUITE.ensemble([("a", runs_of["a"]), ("b", runs_of["b"][:1])])
    assert lacking.figure("ndcg_10 ensemble").n == 1
    assert lacking.table("counts").rows == ((2, 1),)
