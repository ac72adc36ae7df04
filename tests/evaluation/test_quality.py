"""Rates of systems from verdicts and labels, and the judge's figures on single answers."""

import csv
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from judgestream.core.types import PROBE_KEY, CandidateScore, Label, Status, Verdict
from judgestream.evaluation.binary_figures import binary_figures
from judgestream.evaluation.labels import Ballots
from judgestream.evaluation.quality import quality, quality_row

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)


def one_answer(name: str, score: float, passed: bool | None = None) -> Verdict:
    return Verdict(
        verdict_id=name,
        request_id=name,
        mode="single",
        status=Status.SCORED,
        requested_at=NOON,
        judged_at=NOON,
        passed=passed,
        scores=(CandidateScore(candidate_id="1", score=score, system="s"),),
        content_digest="c",
    )


def pair(name: str, winner: str, systems: tuple[str, str] = ("x", "y")) -> Verdict:
    return replace(
        one_answer(name, 0.0),
        mode="pairwise",
        winner=winner,
        tie=not winner,
        scores=tuple(
            CandidateScore(candidate_id=key, score=5.0, system=system)
            for key, system in zip("ab", systems, strict=True)
        ),
    )


def label(name: str, winner: str = "", passed: bool | None = None) -> Label:
    return Label(
        label_id=name,
        request_id=name,
        annotator="h",
        labelled_at=NOON,
        winner=winner,
        tie=not winner and passed is None,
        passed=passed,
        sampling_probability=0.5,
    )


def test_what_has_part_in_a_rate() -> None:
    single = one_answer("r", 7.0)
    assert quality_row(single) is None
    at_seven, at_eight = (quality_row(single, pass_score=score) for score in (7.0, 8.0))
    assert at_seven is not None and at_seven.outcome is True
    assert at_eight is not None and at_eight.outcome is False
    by_rubric = quality_row(replace(single, passed=False), pass_score=7.0)
    assert by_rubric is not None and by_rubric.outcome is False
    assert quality_row(replace(single, metadata={PROBE_KEY: "x"}), pass_score=1.0) is None
    assert quality_row(replace(single, status=Status.UNSCORED), pass_score=1.0) is None
    assert quality_row(pair("r", "a", ("x", "x"))) is None
    assert quality_row(pair("r", "")) is not None


def test_win_rates_from_both_sides() -> None:
    verdicts = [pair(f"r{k}", "a" if k % 4 else "b") for k in range(40)]
    verdicts += [pair(f"t{k}", "") for k in range(10)]
    ballots = Ballots([label(f"r{k}", "a" if k % 2 else "b") for k in range(20)])
    found = quality([row for row in map(quality_row, verdicts) if row], ballots)
    x, y = found.systems
    assert x.win_rate is not None and y.win_rate is not None
    assert (x.system, x.verdicts, x.win_rate.n, x.win_rate.labelled) == ("x", 50, 50, 20)
    assert x.win_rate.judged.value == pytest.approx((30 + 5) / 50)
    assert x.win_rate.weighted
    for left, right in (
        (x.win_rate.prediction_powered, y.win_rate.prediction_powered),
        (x.win_rate.rogan_gladen, y.win_rate.rogan_gladen),
    ):
        assert left is not None and right is not None
        assert left.value + right.value == pytest.approx(1.0)
    assert x.pass_rate is None and found.figures == {}


def test_pass_rates_and_the_judges_own_figures() -> None:
    verdicts = [one_answer(f"r{k}", float(k % 10)) for k in range(100)]
    ballots = Ballots([label(f"r{k}", passed=k % 10 >= 6) for k in range(0, 100, 3)])
    rows = [row for one in verdicts if (row := quality_row(one, pass_score=5.0))]
    found = quality(rows, ballots)
    (system,) = found.systems
    assert system.pass_rate is not None and system.win_rate is None
    assert system.pass_rate.judged.value == 0.5
    interval = system.pass_rate.prediction_powered.interval
    assert interval is not None and interval.low < 0.4 < interval.high
    assert found.figures["recall"].value == 1.0
    precision, positive = (found.figures[name].value for name in ("precision", "positive"))
    assert precision is not None and precision < 1.0
    assert positive is None or 0.0 <= positive <= 1.0


def test_requests_with_two_contents_are_set_aside_and_the_last_verdict_counts() -> None:
    rows = [
        quality_row(one)
        for one in (
            pair("r1", "a"),
            replace(pair("r1", "b"), content_digest="other"),
            pair("r2", "a"),
            pair("r2", "b"),
        )
    ]
    found = quality([row for row in rows if row], Ballots([label("r2", "a")]))
    assert found.ambiguous == 1
    assert [(one.system, one.verdicts) for one in found.systems] == [("x", 1), ("y", 1)]
    x = found.systems[0].win_rate
    assert x is not None and x.judged.value == 0.0


def test_binary_figures_by_hand() -> None:
    """9 of 10 correct answers and 4 of 10 incorrect ones are called correct."""
    pairs = [(True, True)] * 9 + [(True, False)] + [(False, True)] * 4 + [(False, False)] * 6
    found = binary_figures(pairs)
    expected = {"accuracy": 0.75, "precision": 9 / 13, "recall": 0.9, "f1": 18 / 23}
    expected |= {"kappa": 0.5, "criteria": 0.5, "positive": 0.8}
    for name, value in expected.items():
        assert found[name].value == pytest.approx(value), name
        interval = found[name].interval
        assert interval is not None and interval.low < value < interval.high
    assert binary_figures([])["accuracy"].value is None
    assert binary_figures([(False, False)] * 3)["precision"].value is None


def test_binary_figures_of_a_published_judge(shared_data: Path) -> None:
    with (shared_data / "triviaqa_judges" / "judgments_v1.csv").open() as lines:
        rows = [row for row in csv.DictReader(lines) if row["human"] and row["JudgeLM"]]
    found = binary_figures(
        [(row["human"] == "1", row["JudgeLM"] == "1") for row in rows], [r["qid"] for r in rows]
    )
    names = ("accuracy", "kappa", "scott_pi")
    assert [round(100 * (found[name].value or 0), 2) for name in names] == [80.17, 59.17, 58.05]
    accuracy = found["accuracy"]
    assert accuracy.interval is not None and accuracy.design_effect == pytest.approx(3.9, abs=0.2)
    assert accuracy.interval.low == pytest.approx(0.775, abs=0.005)
