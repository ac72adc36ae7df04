"""Error rates of the gate, by simulation; `python -m tests.gate_simulations` makes the full tables."""

from collections.abc import Sequence

import numpy as np
import pytest

from judgestream.evaluation.gate import GUARDS, Comparison, Evidence, Policy, Tally, decide
from judgestream.evaluation.sequential import units_needed
from tests.evaluation.simulate_gate import (
    NOT_WORSE,
    OUTCOMES,
    WORSE,
    Judge,
    Outcomes,
    World,
    clustered,
    drawn,
    ever,
    judged,
    labelled,
    leaning,
    outcomes,
    overall,
)

POLICY = Policy()
LOOKS = range(50, 2001, 50)
ROUNDS = 400
MOST = 0.05 + 1.65 * (0.05 * 0.95 / ROUNDS) ** 0.5
"""5 % and chance: an error rate of 5 % exceeds this in one of 20 seeds."""


def found(
    world: World, guard: str, *, looks: Sequence[int] = LOOKS, rounds: int = ROUNDS
) -> Outcomes:
    runs = drawn(np.random.default_rng(8), world, rounds=rounds, looks=looks)
    return outcomes(runs[guard], POLICY)


@pytest.mark.no_cover
def test_the_simulated_decisions_are_the_gates() -> None:
    world = judged(Judge(right=0.75, flips=0.2, unread=0.04, slow=0.8), Judge(), alike=0.4)
    runs = drawn(np.random.default_rng(3), world, rounds=4, looks=range(400, 2001, 400))
    simulated = {name: outcomes(runs[name], POLICY) for name in GUARDS}
    everything = overall(simulated, POLICY)
    for one, at in np.ndindex(everything.shape):
        tallies = {
            name: Tally(
                units=dict(zip(r.pairs, r.counts[one, at].astype(int).tolist(), strict=True))
            )
            for name, r in runs.items()
        }
        comparison = Comparison(baseline="stable", evidence=Evidence(tallies=tallies))
        decision = decide([comparison], POLICY)
        for finding in decision.findings:
            assert finding.outcome is OUTCOMES[simulated[finding.guard][one, at]], finding.guard
        assert decision.outcome is OUTCOMES[everything[one, at]]
    assert len(np.unique(np.stack(list(simulated.values())))) >= 3


@pytest.mark.parametrize(
    "world",
    [
        pytest.param(labelled(-0.03, 0.03), id="losses only"),
        pytest.param(labelled(-0.03, 0.06), id="6 % discordant"),
        pytest.param(labelled(-0.03, 0.3), id="30 % discordant"),
        pytest.param(clustered(-0.03, 0.15, sizes=(1, 6), correlation=0.5), id="clusters"),
    ],
)
def test_a_judge_that_is_worse_by_the_margin_is_hardly_ever_accepted(world: World) -> None:
    assert world.truth("labels") == pytest.approx(-0.03)
    assert ever(found(world, "labels") >= NOT_WORSE)[:, -1].mean() <= MOST


@pytest.mark.parametrize(("new", "old"), [(0.05, 0.0), (-0.05, 0.0), (0.1, -0.05), (-0.15, -0.1)])
def test_a_judge_that_leans_more_by_the_margin_is_hardly_ever_accepted(
    new: float, old: float
) -> None:
    world = leaning(new, old, spread=0.2, shared=0.5)
    assert world.truth("position") == pytest.approx(-0.05)
    assert ever(found(world, "position") >= NOT_WORSE)[:, -1].mean() <= MOST


@pytest.mark.parametrize("discordant", [0.06, 0.15])
def test_an_equal_judge_is_accepted_at_the_number_of_prompts_that_the_gate_says(
    discordant: float,
) -> None:
    half = round(1000 * discordant / 2)
    units = {1.0: half, -1.0: half, 0.0: 1000 - 2 * half}
    needed = units_needed(units, 0.03, alpha=POLICY.alpha)
    accepted = found(labelled(0.0, discordant), "labels", looks=[needed]) >= NOT_WORSE
    assert 0.77 <= accepted.mean() <= 0.9


def test_no_guard_calls_an_equal_judge_worse_or_better_more_often_than_alpha() -> None:
    world = judged(Judge(), Judge(), alike=0.6)
    assert all(world.truth(name) == pytest.approx(0) for name in GUARDS)
    runs = drawn(np.random.default_rng(8), world, rounds=100, looks=LOOKS)
    hits = [outcomes(runs[name], POLICY) for name in GUARDS]
    claimed = np.stack([(one == WORSE) | (one > NOT_WORSE) for one in hits])
    assert claimed.any(axis=(0, 2)).mean() <= 0.05


def test_a_judge_that_is_much_worse_is_found_out() -> None:
    assert ever(found(labelled(-0.06, 0.15), "labels") == WORSE)[:, -1].mean() > 0.95
    assert (found(labelled(0.06, 0.15), "labels")[:, -1] > NOT_WORSE).mean() > 0.95
