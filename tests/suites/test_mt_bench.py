"""MT-Bench: the published figures, and hand-made verdicts."""

from pathlib import Path

import pytest

from judgestream.apps.suites.loading import load_files
from judgestream.core.preference import Preference
from judgestream.evaluation.order_rules import OrderRule
from judgestream.evaluation.unreadable import UnreadableRule
from judgestream.suites.base import Choices, Item
from judgestream.suites.mt_bench import SUITE
from tests.suites.folders import mt_bench, published
from tests.suites.verdicts import judged


def items(folder: Path) -> list[Item]:
    return list(SUITE.items(load_files(SUITE, mt_bench(folder)).tables))


def test_published_judgements_have_the_published_figures() -> None:
    report = SUITE.published and SUITE.published(published("mt-bench", "mt_bench").tables)
    assert report
    assert report.table("positions").rows == ((73, 46, 16, 2, 9),)
    assert report.figure("flip_consistency").value == pytest.approx(46 / 73)
    wins = {row[0]: row[1:4] for row in report.table("win rates").rows}
    assert wins == {"phi-3": (18, 20, 35), "phi-3-dpo": (20, 18, 35)}
    assert report.table("counts").rows[0][2] == 2, "two rows have an error"
    scores = {row[0]: row[2:5] for row in report.table("scores").rows}
    assert scores["phi-3-dpo"] == pytest.approx((8.3625, 8.0375, 8.2))
    assert scores["vicuna-7b-v1.3"] == pytest.approx((6.731, 5.475, 6.103), abs=1e-3)


def test_every_pair_of_models_meets_on_every_question_and_turn(tmp_path: Path) -> None:
    found = items(tmp_path)
    assert len(found) == 3 * 3 * 2 == len({item.key for item in found})
    first = next(item for item in found if item.key == "111-1-ann-bob")
    assert (first.request.mode, first.request.reference) == ("pairwise", "5")
    assert (first.cluster, first.facts["category"]) == ("111", "math")
    second = next(item for item in found if item.key == "111-2-ann-bob")
    assert second.request.mode == "multi_turn" and second.request.options.focus == "last_turn"
    assert [turn.text for turn in second.request.candidates[0].turns][0] == "What is 2 + 3?"


def test_a_win_needs_both_orders_and_an_unreadable_one_drops_the_pair(tmp_path: Path) -> None:
    replies = {
        "81-1-ann-bob": ("B", "A"),  # bob in both orders
        "81-1-ann-cleo": ("A", "A"),  # the first shown in both: a tie
        "81-1-bob-cleo": ("A", "who knows"),  # dropped
        "82-1-ann-bob": ("A", "B"),  # ann in both
    }
    chosen = [item for item in items(tmp_path) if item.key in replies]
    report = SUITE.report(judged(chosen, lambda item, k: replies[item.key][k]), SUITE.choices)
    rows = {row[0]: row[1:4] for row in report.table("win rates").rows}
    assert rows == {"ann": (1, 1, 1), "bob": (1, 1, 0), "cleo": (0, 0, 1)}
    assert report.table("positions").rows == ((3, 2, 1, 0, 0),)
    counts = dict(zip(report.table("counts").head, report.table("counts").rows[0], strict=True))
    assert (counts["pairs"], counts["judged"], counts["dropped"]) == (4, 4, 1)
    # people: bob, bob, tie; the judge says bob: S1 2 of 3, S2 2 of 2. One question: no interval.
    s1, s2 = report.figure("human_agreement_s1"), report.figure("human_agreement_s2")
    assert s1.value == pytest.approx(2 / 3)
    assert (s1.n, s2.value, s2.n) == (3, 1.0, 2)


@pytest.mark.parametrize(
    ("unreadable", "wins", "ties"),
    [(UnreadableRule.TIE, 0, 1), (UnreadableRule.DROPPED, 0, 0), (UnreadableRule.WRONG, 0, 0)],
)
def test_what_an_unreadable_order_counts_as_is_chosen(
    tmp_path: Path, unreadable: UnreadableRule, wins: int, ties: int
) -> None:
    chosen = [item for item in items(tmp_path) if item.key == "81-1-ann-bob"]
    choices = Choices(rule=OrderRule.MT_BENCH, unreadable=unreadable)
    report = SUITE.report(judged(chosen, lambda item, k: ("A", "?")[k]), choices)
    rows = {row[0]: row for row in report.table("win rates").rows}
    assert (rows.get("ann", ("", 0, 0, 0))[1], rows.get("ann", ("", 0, 0, 0))[3]) == (wins, ties)


def test_the_values_to_compare_are_agreement_with_the_majority_of_votes(tmp_path: Path) -> None:
    found = judged(items(tmp_path), lambda item, k: "BA"[k])
    assert SUITE.values(found, SUITE.choices) == {"81-1-ann-bob": 1.0}


def test_votes_follow_the_order_of_the_models_in_the_item(tmp_path: Path) -> None:
    (voted,) = (item for item in items(tmp_path) if item.facts["votes"])
    assert voted.key == "81-1-ann-bob"
    assert [Preference(int(word)).name for word in voted.facts["votes"].split()] == [
        "SECOND",
        "SECOND",
        "TIE",
    ]
