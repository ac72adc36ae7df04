"""Pairs whose verdicts have no two orders: one was not asked, a reward model, a jury."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from judgestream.apps.suites.loading import load_files
from judgestream.core.settling.reward import METHOD
from judgestream.core.types import MemberReading, Status, Verdict
from judgestream.evaluation.order_rules import OrderRule
from judgestream.evaluation.unreadable import UnreadableRule
from judgestream.suites.base import Choices, Judged
from judgestream.suites.judgebench import SUITE
from tests.suites.folders import written
from tests.suites.test_judgebench import row
from tests.suites.verdicts import failed, judged

Change = Callable[[Verdict], Verdict]


def one_order(verdict: Verdict) -> Verdict:
    return replace(verdict, passes=verdict.passes[:1])


def of_a_reward_model(verdict: Verdict) -> Verdict:
    return replace(verdict, passes=(), method=METHOD)


def of_a_jury(verdict: Verdict) -> Verdict:
    return replace(verdict, members=(MemberReading(release="m", status=Status.SCORED),))


def changed(folder: Path, change: Change, *replies: str) -> list[Judged]:
    """Two pairs, judged alike; the second verdict is changed."""
    path = written(folder, {"data/gpt.jsonl": [row(0), row(1)]})
    first, second = judged(
        SUITE.items(load_files(SUITE, path).tables), lambda item, k: replies[k % len(replies)]
    )
    assert second.verdict
    return [first, replace(second, verdict=change(second.verdict))]


@pytest.mark.parametrize("change", [one_order, of_a_jury], ids=["one-order", "jury"])
def test_a_pair_without_two_orders_is_left_out_and_told_of(tmp_path: Path, change: Change) -> None:
    found = changed(tmp_path, change, "A", "B")
    for unreadable in UnreadableRule:
        choices = Choices(rule=OrderRule.JUDGEBENCH, unreadable=unreadable)
        report = SUITE.report(found, choices)
        assert (report.figure("agreement").value, report.figure("agreement").n) == (1.0, 1)
        counts = report.table("counts")
        assert dict(zip(counts.head, counts.rows[0], strict=True))["one_order"] == 1
        (note,) = report.notes
        assert "1 of 2 pairs have no two orders to compare" in note
    averaged = Choices(rule=OrderRule.AVERAGED, unreadable=UnreadableRule.TIE)
    report = SUITE.report(found, averaged)
    assert report.figure("agreement").n == 2 and report.notes == ()


def test_a_reward_model_has_an_outcome_by_every_rule_and_no_position_bias(tmp_path: Path) -> None:
    found = changed(tmp_path, of_a_reward_model, "A", "B")
    for rule in OrderRule:
        report = SUITE.report(found, Choices(rule=rule, unreadable=UnreadableRule.UNSCORED))
        assert (report.figure("agreement").value, report.figure("agreement").n) == (1.0, 2)
        assert report.figure("flip_consistency").n == 1, "only the pair with two orders counts"
        assert report.notes == ()


def test_a_failed_request_is_in_no_figure_but_counted(tmp_path: Path) -> None:
    judgements = changed(tmp_path, one_order, "A", "B")
    found = [judgements[0], failed(judgements[1].item)]
    for unreadable in UnreadableRule:
        report = SUITE.report(found, Choices(rule=OrderRule.JUDGEBENCH, unreadable=unreadable))
        assert report.figure("agreement").n == 1
        counts = dict(zip(report.table("counts").head, report.table("counts").rows[0], strict=True))
        assert (counts["pairs"], counts["judged"], counts["failed"]) == (2, 1, 1)
