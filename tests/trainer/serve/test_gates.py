"""The table of gates: a judge passes with all of them, and each alone can stop it, saying why."""

import random
from dataclasses import replace

import pytest

from trainer.figures import Judged
from trainer.serve.gates import GATES, Decision, Limits, decide


def judged(n: int, *, right: float, consistent: float = 1.0, unread: float = 0.0) -> list[Judged]:
    """Items of a judge of these shares, the same truths for all of them."""
    truths, rng = random.Random(1), random.Random(2)
    rows = []
    for _ in range(n):
        truth = truths.choice((1, -1))
        verdict: int | None = truth if rng.random() < right else -truth
        swapped = verdict if rng.random() < consistent else -(verdict or 0)
        if rng.random() < unread:
            verdict = swapped = None
        rows.append(
            Judged(
                group="g",
                truth=truth,
                verdict=verdict,
                straight=verdict,
                swapped=swapped,
                confidence=0.9 if verdict is not None else 0.0,
            )
        )
    return rows


def decided(new: list[Judged], current: list[Judged], limits: Limits | None = None) -> Decision:
    return decide({"with_reference": new}, {"with_reference": current}, limits or Limits())


def failing(decision: Decision) -> set[str]:
    return {finding.gate for finding in decision.findings if not finding.holds}


def test_a_better_judge_passes_every_gate_and_the_evidence_says_so() -> None:
    decision = decided(judged(300, right=0.9), judged(300, right=0.7))
    assert decision.publish
    assert {finding.gate for finding in decision.findings} == set(GATES)
    assert decision.reasons == []
    apart = decision.evidence["with_reference"].apart
    assert apart is not None and apart["accuracy"].low > 0
    assert decision.data()["evidence"]["with_reference"]["n"] == 300


def test_an_equal_judge_passes() -> None:
    rows = judged(100, right=0.8)
    assert decided(rows, rows).publish


@pytest.mark.parametrize(
    ("new", "gates"),
    [
        (judged(300, right=0.6), {"accuracy"}),
        (judged(300, right=0.9, consistent=0.7), {"consistency"}),
        (judged(300, right=0.9, unread=0.1), {"unscored"}),
        (judged(300, right=0.9, unread=1.0), {"examples", "unscored", "accuracy", "consistency"}),
    ],
)
def test_each_gate_alone_stops_a_judge(new: list[Judged], gates: set[str]) -> None:
    decision = decided(new, judged(300, right=0.9))
    assert not decision.publish
    assert failing(decision) == gates
    assert len(decision.reasons) == len(gates)


def test_too_few_examples_stop_a_judge_however_good_it_looks() -> None:
    decision = decided(judged(20, right=1.0), judged(20, right=0.2))
    assert failing(decision) == {"examples"}
    assert "20 of 20 held-out examples could be read, 50 are needed" in decision.reasons[0]


def test_a_loss_within_chance_is_let_pass_up_to_the_limit_only() -> None:
    current = judged(100, right=1.0)
    new = [replace(j, verdict=-j.truth) if k < 3 else j for k, j in enumerate(current)]
    assert failing(decided(new, current)) == {"accuracy"}  # .03 less, .02 may be
    assert decided(new, current, Limits(most_loss=0.05)).publish  # and chance may explain three
    worse = [replace(j, verdict=-j.truth) if k < 20 else j for k, j in enumerate(current)]
    assert failing(decided(worse, current, Limits(most_loss=0.5))) == {"accuracy"}  # chance may not


def test_any_readable_judge_beats_a_base_that_cannot_judge_at_all() -> None:
    assert decided(judged(100, right=0.6), judged(100, right=0.9, unread=1.0)).publish


def test_without_a_held_out_example_nothing_is_published() -> None:
    decision = decide({}, {}, Limits())
    assert not decision.publish
    assert decision.reasons == ["held out: there is no held-out example"]


def test_one_format_that_got_worse_is_enough_to_stop() -> None:
    good, bad = judged(200, right=0.9), judged(200, right=0.5)
    decision = decide(
        {"with_reference": good, "without_reference": bad},
        {"with_reference": good, "without_reference": good},
        Limits(),
    )
    assert {f.shown for f in decision.findings if not f.holds} == {"without_reference"}
