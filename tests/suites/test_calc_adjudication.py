"""From Calculation to Adjudication: the published solutions, and hand-made verdicts."""

from pathlib import Path

import pytest

from judgestream.apps.suites.loading import load_files
from judgestream.suites.base import Item
from judgestream.suites.calc_adjudication import SUITE, exchanged, final_answer, masked
from judgestream.suites.report import Figure
from tests.suites.folders import published, written
from tests.suites.verdicts import judged


def test_published_solutions_have_their_accuracies_and_mixed_pairs() -> None:
    report = SUITE.published and SUITE.published(
        published("calc-adjudication", "gsm8k_pairs").tables
    )
    assert report
    shares = [row[2] for row in report.table("solvers").rows]
    values = [one.value for one in shares if isinstance(one, Figure)]
    assert values == pytest.approx([0.2168, 0.3904, 0.3472, 0.5625], abs=5e-5)
    mixed = [row[-1] for row in report.table("cases").rows]
    assert mixed == [357, 348, 542, 361, 385, 436]
    assert sum(one for one in mixed if isinstance(one, int)) == 2429


def test_published_pairs_become_items_whose_right_solution_has_another_answer() -> None:
    tables = published("calc-adjudication", "gsm8k_pairs").tables
    items = list(SUITE.items({"solutions": tables["solutions"][:200]}))
    plain = [item for item in items if item.facts["variant"] == "plain"]
    assert len(plain) == 200 * 6
    mixed = [item for item in plain if item.gold is not None]
    assert len(mixed) > 300 and {item.facts["differ"] for item in mixed} == {"1"}


def solutions(folder: Path) -> list[Item]:
    row = {
        "question": "Ann has 3 apples and buys 4. How many?",
        "ground_truth": "A: 7",
        "small": {"solution": "3 + 4 = 12. It is 12.\n#### 12", "is_correct": False},
        "large": {"solution": "3 + 4 = 7.\n#### 7", "is_correct": True},
    }
    path = written(folder, {"example_model_solutions.jsonl": [row, {**row, "question": "Again?"}]})
    return list(SUITE.items(load_files(SUITE, path).tables))


def test_ablations_exchange_the_final_answers_and_hide_the_numbers(tmp_path: Path) -> None:
    plain, swapped, hidden = solutions(tmp_path)[:3]
    texts = [[one.text for one in item.request.candidates] for item in (plain, swapped, hidden)]
    assert texts[1] == ["3 + 4 = 7. It is 7.\n#### 7", "3 + 4 = 12.\n#### 12"]
    assert texts[2] == ["X + X = X. It is X.\n#### X", "X + X = X.\n#### X"]
    assert "Ann has X apples" in hidden.request.question
    assert plain.unit == swapped.unit == hidden.unit and plain.gold == -1


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("3 * 4 = 12\n#### 1,200", "1200"),
        ("so it is 5.\nA: $5.0 each", "5"),
        ("A: 3 then\nA: -4", "-4"),
        ("no answer", None),
    ],
)
def test_the_final_answer_is_the_first_number_behind_its_mark(
    text: str, answer: str | None
) -> None:
    assert final_answer(text) == answer


def test_parts_of_other_numbers_are_not_exchanged() -> None:
    assert exchanged(("12 + 1 = 13, 1.0", "2"), "1", "2") == ("12 + 2 = 13, 2", "1")
    assert masked("1,200.50 and 3.") == "X and X."


def test_a_judge_that_reads_follows_the_answers(tmp_path: Path) -> None:
    def reads(item: Item, k: int) -> str:
        """Chooses the solution that says 7, wherever it stands; without numbers the first."""
        first, second = (one.text for one in item.request.candidates)
        shown = (first, second) if k == 0 else (second, first)
        return "B" if "7" in shown[1] and "7" not in shown[0] else "A"

    report = SUITE.report(judged(solutions(tmp_path), reads), SUITE.choices)
    assert report.figure("J_full").value == report.figure("J_differ").value == 1.0
    assert report.figure("J_FT").value == 1.0
    assert report.figure("same_writer_after_swap").value == 0.0
    assert report.figure("J_differ_masked").value == 0.5  # always the first shown
    assert report.table("cases").rows == ((0, 0, 4, 0),)


def test_an_order_that_was_not_read_is_wrong_or_left_out(tmp_path: Path) -> None:
    found = judged(solutions(tmp_path), lambda item, k: "B" if k == 0 else "hm")
    assert SUITE.report(found, SUITE.choices).figure("J_full").value == 0.5
    kept = [item for item in found if item.item.facts["variant"] == "plain"]
    assert SUITE.values(kept, SUITE.choices) == {one.item.key: 0.5 for one in kept}
