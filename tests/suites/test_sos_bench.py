"""Style Outweighs Substance: the published correlations, and factor scores worked by hand."""

from pathlib import Path

import pytest

from judgestream.apps.suites.loading import load_files
from judgestream.suites.base import Item
from judgestream.suites.sos_bench import CRITERIA, SUITE
from judgestream.suites.sos_edits import EDITS, edited
from tests.suites.folders import published, written
from tests.suites.verdicts import judged


def test_published_scores_have_the_published_correlations() -> None:
    report = SUITE.published and SUITE.published(published("sos-bench", "sos_bench").tables)
    assert report
    rows = {row[0]: row[1:] for row in report.table("judge's score against benchmarks").rows}
    for name, value in (("MMLU-Pro", 0.25), ("IFEval (prompt, strict)", 0.48), ("BBQ", 0.23)):
        assert rows[name][0] == 32 and rows[name][1] == pytest.approx(value, abs=0.006)
    factors = {row[0]: row[1] for row in report.table("factors").rows}
    assert factors["llama-3-8b-ultrachat (princeton)"] == 9.18
    assert factors["llama-3-8b-magpie-align-v0.2"] == 40.81


def items(path: Path) -> list[Item]:
    rows = [
        {"question_id": q, "question": f"{q}?", "model": model, "answer": f"{model} {q}"}
        for q in ("a", "b")
        for model in ("plain", "nice", "best")
    ]
    rows += [{**rows[0], "edit": "sarcastic"}, {**rows[0], "edit": "false_facts"}]
    return list(SUITE.items(load_files(SUITE, written(path, {"answers.jsonl": rows})).tables))


def test_weights_and_losses_of_edits(tmp_path: Path) -> None:
    style = {"plain": 4, "nice": 7, "best": 10}

    def says(item: Item, k: int) -> str:
        """Overall follows style; correctness runs against it; the rest is the same for all."""
        name = list(CRITERIA)[k]
        level = style[item.facts["model"]]
        if item.facts["edit"]:
            level = 1 if item.facts["edit"] == "sarcastic" else 4
        known = {"style": level, "overall": level, "correctness": 11 - level}
        return str(known.get(name, 5))

    found = judged(items(tmp_path), says, template="chat-v1")
    report = SUITE.report(found, SUITE.choices)
    assert report.figure("weight_of_style").value == pytest.approx(1.0)
    assert report.figure("weight_of_correctness").value == pytest.approx(-1.0)
    assert report.figure("weight_of_safety").value is None
    models = {row[0]: row[-1] for row in report.table("models").rows}
    assert models == {"plain": pytest.approx(1 / 3), "nice": pytest.approx(2 / 3), "best": 1.0}
    edits = {row[0]: row[-1] for row in report.table("edits").rows}
    # plain's answer to a: overall 4, that is 1/3; the sarcastic one 0, the false one 1/3 still
    assert edits["sarcastic"] == pytest.approx(1.0)
    assert edits["false_facts"] == pytest.approx(0.0)
    assert "style / substance" not in edits, "a loss of 0 has no ratio"
    assert len(SUITE.values(found, SUITE.choices)) == 6


PROSE = (
    "The bridge was opened in 1932 by the city of Sydney. It spans 503 metres and carries eight lanes."
    " Engineers from London designed the arch, and 16 workers died while it was built over the harbour."
)


def test_the_first_model_is_judged_on_edited_answers(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [
        {"question_id": "q", "question": "The bridge?", "model": model, "answer": PROSE}
        for model in ("strong", "other")
    ]
    rows.append({**rows[0], "answer": "My own sneer.", "edit": "sarcastic"})
    tables = load_files(SUITE, written(tmp_path, {"answers.jsonl": rows})).tables
    found = {item.key: item.request.candidates[0].text for item in SUITE.items(tables)}
    names = set(EDITS) - {"plain"}  # prose has no markup to lose
    assert set(found) == {"q-other-original", "q-strong-original"} | {
        f"q-strong-{n}" for n in names
    }
    assert found["q-strong-sarcastic"] == "My own sneer."
    assert found == {item.key: item.request.candidates[0].text for item in SUITE.items(tables)}
    changed = {
        name: sum(
            a != b for a, b in zip(PROSE.split(), found[f"q-strong-{name}"].split(), strict=True)
        )
        for name in ("false_fact", "false_facts")
    }
    assert changed["false_fact"] == 1 and 2 <= changed["false_facts"] <= 4
    assert PROSE in found["q-strong-undidactic"] and PROSE.endswith(found["q-strong-verbose"][-40:])
    assert dict(edited("# Title\n\n**Bold** text.", "s"))["plain"] == "Title\n\nBold text."


def test_the_ratio_compares_losses_of_style_and_of_substance(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [
        {"question_id": "q", "question": "?", "model": "m", "answer": PROSE}
    ]
    tables = load_files(SUITE, written(tmp_path, {"answers.jsonl": rows})).tables

    def says(item: Item, k: int) -> str:
        """10 of 10 as it is; every edit of style costs 6 points of 9, every other edit 3."""
        edit = item.facts["edit"]
        return "10" if not edit else "4" if EDITS[edit].style else "7"

    report = SUITE.report(judged(SUITE.items(tables), says, template="chat-v1"), SUITE.choices)
    edits = {row[0]: row[-1] for row in report.table("edits").rows}
    assert edits["verbose"] == pytest.approx(2 / 3) and edits["truncated"] == pytest.approx(1 / 3)
    assert edits["style / substance"] == pytest.approx(2.0)
