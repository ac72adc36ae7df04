"""MT-Bench's single grading and Arena's battles, on hand-made verdicts."""

from pathlib import Path

import pytest

from judgestream.apps.suites.loading import load_files
from judgestream.suites import arena, mt_bench, mt_bench_single
from judgestream.suites.report import Figure
from judgestream.suites.sampling import selected
from tests.suites.folders import mt_bench as mt_bench_folder
from tests.suites.folders import written
from tests.suites.verdicts import judged


def test_single_scores_are_averaged_by_model_and_turn(tmp_path: Path) -> None:
    suite = mt_bench_single.SUITE
    items = list(suite.items(load_files(suite, mt_bench_folder(tmp_path)).tables))
    assert len(items) == 3 * 3 * 2
    modes = {(item.facts["turn"], item.request.mode) for item in items}
    assert modes == {("1", "single"), ("2", "multi_turn")}
    guided = next(item for item in items if item.key == "111-2-ann")
    assert guided.request.reference == "5\n\n10"
    level = {"ann": 3, "bob": 8, "cleo": 5}
    found = judged(
        items,
        lambda item, k: (
            "hm"
            if item.key == "81-1-cleo"
            else str(level[item.facts["model"]] + int(item.facts["turn"]))
        ),
        template="chat-v1",
    )
    report = suite.report(found, suite.choices)
    rows = {
        row[0]: (row[1], *(one.value for one in row[2:] if isinstance(one, Figure)))
        for row in report.table("scores").rows
    }
    assert rows["ann"] == (6, 4.0, 5.0, 4.5)
    assert rows["cleo"][:3] == (5, 6.0, 7.0), "the unread one is dropped"
    assert rows["cleo"][3] == pytest.approx(6.6)
    assert [row[0] for row in report.table("scores").rows] == ["bob", "cleo", "ann"]
    assert suite.values(found, suite.choices)["81-1-bob"] == 9.0


def test_single_scores_within_a_tenth_are_a_tie_beside_peoples_votes(tmp_path: Path) -> None:
    suite = mt_bench_single.SUITE
    items = list(suite.items(load_files(suite, mt_bench_folder(tmp_path)).tables))

    def agreement(ann: str, bob: str) -> list[float | None]:
        said = {"81-1-ann": ann, "81-1-bob": bob}
        found = judged(items, lambda item, k: said.get(item.key, "5"), template="chat-v1")
        report = suite.report(found, suite.choices)
        return [report.figure(f"human_agreement_{name}").value for name in ("s1", "s2")]

    # people: bob, bob, a tie
    assert agreement("3", "8") == pytest.approx([2 / 3, 1.0])
    assert agreement("8", "3") == [0.0, 0.0]
    equal = agreement("8", "8")
    assert equal[0] == pytest.approx(1 / 3) and equal[1] is None


def test_one_model_can_be_the_baseline_of_all_others(tmp_path: Path) -> None:
    items = list(mt_bench.SUITE.items(load_files(mt_bench.SUITE, mt_bench_folder(tmp_path)).tables))
    chosen = selected(items, {"model": "bob"})
    assert {(one.facts["first"], one.facts["second"]) for one in chosen} == {
        ("ann", "bob"),
        ("bob", "cleo"),
    }
    report = mt_bench.SUITE.report(judged(chosen, lambda item, k: "AB"[k]), mt_bench.SUITE.choices)
    wins = {row[0]: row[1:4] for row in report.table("win rates").rows}
    assert wins["bob"] == (6, 6, 0) and wins["ann"] == (6, 0, 0)


def battle(number: int, first: str, second: str, winner: str) -> dict[str, object]:
    def said(model: str) -> list[dict[str, str]]:
        return [
            {"role": "user", "content": f"q{number}"},
            {"role": "assistant", "content": f"{model} answers {number}"},
        ]

    return {
        "question_id": str(number),
        "model_a": first,
        "model_b": second,
        "winner": winner,
        "judge": "u",
        "conversation_a": said(first),
        "conversation_b": said(second),
        "turn": 1,
    }


def test_battles_rate_the_models_by_the_judge_and_by_people(tmp_path: Path) -> None:
    suite = arena.SUITE
    rows = [
        battle(1, "x", "y", "model_a"),
        battle(2, "x", "y", "model_a"),
        battle(3, "y", "x", "tie (bothbad)"),
        battle(4, "y", "x", "model_a"),
    ]
    folder = written(tmp_path, {"battles.jsonl": rows})
    found = judged(
        suite.items(load_files(suite, folder).tables),
        lambda item, k: "AB"[k] if item.facts["first"] == "x" else "BA"[k],  # always x
    )
    report = suite.report(found, suite.choices)
    assert report.figure("agreement").value == 0.5
    wins = {row[0]: row[1:4] for row in report.table("win rates").rows}
    assert wins == {"x": (4, 0, 0), "y": (0, 4, 0)}
    ratings = [
        {
            row[0]: row[2].value or 0.0
            for row in report.table(title).rows
            if isinstance(row[2], Figure)
        }
        for title in ("ratings by people", "ratings")
    ]
    assert 1000 < ratings[0]["x"] < ratings[1]["x"]
    assert ratings[1]["x"] + ratings[1]["y"] == pytest.approx(2000)
