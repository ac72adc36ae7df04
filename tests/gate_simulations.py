"""Operating characteristics of the evidence gate: `python -m tests.gate_simulations [ROUNDS]`.

Writes the tables of docs/design/evidence-gate.md. A test asserts the key cells with fewer rounds.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from judgestream.evaluation.gate import GUARDS, Policy
from judgestream.evaluation.sequential import units_needed
from judgestream.evaluation.sequential_magnitude import lean_units_needed
from tests.evaluation.simulate_gate import (
    BETTER,
    NOT_WORSE,
    WORSE,
    Judge,
    Outcomes,
    World,
    clustered,
    drawn,
    ever,
    first,
    judged,
    labelled,
    leaning,
    only,
    outcomes,
    overall,
)
from tests.simulations import say, seeded

Hits = NDArray[np.bool_]

POLICY = Policy()
CHANGES = (-0.05, -0.03, -0.02, -0.01, 0.0, 0.01, 0.02, 0.03, 0.05)
SIZES = (50, 100, 200, 500, 1000, 2000, 5000)
LOOKS = range(50, 5001, 50)
MARGINS = (0.01, 0.02, 0.03, 0.05)
DISCORDANCES = (0.02, 0.06, 0.15, 0.30)
UP_TO_SIX = range(1, 7)
TWO_DRAW = 0.5
"""Share of the items that the two judges of `all_guards` judge independently."""


def main(rounds: int) -> None:
    say(f"{datetime.now(UTC).date()}, {rounds} rounds a cell, a look every 50 prompts, in %.")
    for simulate in (equal_judges, worse_by_the_margin, by_change, all_guards, planted, leans):
        simulate(rounds)


def unreadable(change: float, _: float = 0.15) -> World:
    """A fifth of the labels are ties; 3 % of the new judge's replies are unreadable, 1 % of the old one's."""
    old = Judge(unread=0.01)
    right = (change / TWO_DRAW + old.right * (1 - old.unread)) / 0.97
    world = judged(Judge(unread=0.03, right=right), old, alike=1 - TWO_DRAW)
    return only(world, "labels")


def by_prompt(change: float, discordant: float) -> World:
    """Prompts of 1 to 6 items that correlate by a half."""
    return clustered(change, discordant, sizes=UP_TO_SIX, correlation=0.5)


WORLDS: Mapping[str, tuple[Callable[[float, float], World], float]] = {
    "6 % discordant": (labelled, 0.06),
    "15 % discordant": (labelled, 0.15),
    "30 % discordant": (labelled, 0.30),
    "16 % discordant, ties, 3 % of the new judge's replies unreadable, 1 % of the old one's": (
        unreadable,
        0.15,
    ),
    "15 % discordant, prompts of 1 to 6 items, ICC 0.5": (by_prompt, 0.15),
}


def found_in(world: World, rounds: int, looks: Sequence[int], margin: float, seed: int) -> Outcomes:
    """The outcomes of the guard `labels`, with its share of the default policy's error budget."""
    rule = replace(POLICY.guards["labels"], margin=margin)
    policy = replace(POLICY, guards={**POLICY.guards, "labels": rule})
    return outcomes(drawn(seeded(seed), world, rounds=rounds, looks=looks)["labels"], policy)


def equal_judges(rounds: int) -> None:
    """Prompts at which 80 % of equal judges are accepted: at that look, and at that or an earlier one."""
    rows = []
    for margin in MARGINS:
        for discordant in DISCORDANCES:
            half = round(500 * discordant)
            units = {1.0: half, -1.0: half, 0.0: 1000 - 2 * half}
            told = units_needed(units, margin, alpha=POLICY.alpha)
            step = max(50, told // 50 // 50 * 50)
            looks = range(step, 2 * told + step, step)
            world = labelled(0.0, discordant)
            accepted = found_in(world, rounds, looks, margin, 1) >= NOT_WORSE
            latest = _reaches(accepted, looks)
            rows.append(
                (
                    f"{points(margin)}, {100 * discordant:.0f} %",
                    [latest, _reaches(ever(accepted), looks), told],
                )
            )
    table(
        "Prompts at which an equal judge is accepted in 80 % of cases",
        "margin, discordant",
        ("latest", "first crossing", "as the gate says"),
        [(label, [f"{value}" for value in values]) for label, values in rows],
    )


def _reaches(accepted: Hits, looks: Sequence[int], share: float = 0.8) -> int:
    reached = accepted.mean(axis=0) >= share
    return int(looks[int(reached.argmax())]) if reached.any() else -1


def worse_by_the_margin(rounds: int) -> None:
    """Ever accepted within 5,000 prompts, though worse by exactly the margin."""
    rows = []
    for label, (world, discordant) in WORLDS.items():
        found = []
        for margin in MARGINS:
            accepted = found_in(world(-margin, discordant), rounds, LOOKS, margin, 2) >= NOT_WORSE
            found.append(f"{100 * ever(accepted)[:, -1].mean():.1f}")
        rows.append((label, found))
    head = [points(margin) for margin in MARGINS]
    table("Ever accepted though worse by the margin, up to 5,000 prompts", "judges", head, rows)


def by_change(rounds: int) -> None:
    """Every decision by the true change, margin 3 points."""
    at = [LOOKS.index(n) for n in SIZES]
    head = [f"{100 * change:+.0f}" for change in CHANGES]
    for label, (world, discordant) in WORLDS.items():
        latest, crossing = [], []
        for change in CHANGES:
            found = found_in(world(change, discordant), rounds, LOOKS, 0.03, 3)
            latest.append([_shares(found[:, k], (BETTER, NOT_WORSE, WORSE)) for k in at])
            once = first(found)
            crossing.append(
                [f"{_percent(once[:, k] >= NOT_WORSE)}/{_percent(once[:, k] == WORSE)}" for k in at]
            )
        for title, cells in (
            ("latest decision, better / not worse / worse", latest),
            ("first decision, accepted / worse", crossing),
        ):
            rows = [(f"{n}", [column[k] for column in cells]) for k, n in enumerate(SIZES)]
            table(f"{label}: {title}", "prompts", head, rows)


def _shares(found: Outcomes, kinds: Sequence[int]) -> str:
    return "/".join(_percent(found == kind) for kind in kinds)


def _percent(hit: Hits) -> str:
    return f"{100 * hit.mean():.0f}"


def all_guards(rounds: int) -> None:
    """The default policy on equal judges: claims that are false, and how soon the judge is accepted."""
    rounds = min(rounds, 1000)
    head = [f"accepted at {n}" for n in SIZES[3:]]
    rows = []
    for label, baselines in (("one baseline", 1), ("stable and best", 2)):
        for alike in (0.5, 0.8):
            draw = seeded(4, baselines, int(10 * alike))
            world = judged(Judge(), Judge(), alike=alike)
            claims = {WORSE: np.zeros(rounds, bool), BETTER: np.zeros(rounds, bool)}
            accepted = np.ones((rounds, len(LOOKS)), bool)
            for _ in range(baselines):
                runs = drawn(draw, world, rounds=rounds, looks=LOOKS)
                found = {
                    name: outcomes(runs[name], POLICY, comparisons=baselines) for name in GUARDS
                }
                for kind, hit in claims.items():
                    for one in found.values():
                        hit |= (one == kind).any(axis=1)
                accepted &= overall(found, POLICY) >= NOT_WORSE
            values = [claims[WORSE].mean(), claims[BETTER].mean()]
            values += [accepted[:, LOOKS.index(n)].mean() for n in SIZES[3:]]
            differing = f"{100 * _differing(world):.0f} % discordant"
            rows.append((f"{label}, {differing}", [f"{100 * value:.1f}" for value in values]))
    table(
        "Equal judges, default policy, all guards, up to 5,000 prompts",
        "baselines",
        ("ever any guard worse", "ever any guard better", *head),
        rows,
    )


def _differing(world: World) -> float:
    pairs = zip(world.cells["labels"], world.shares, strict=True)
    return sum(share for pair, share in pairs if pair and pair[0] != pair[1])


PLANTED: Mapping[str, Callable[[float], Judge]] = {
    "labels": lambda loss: Judge(right=0.8 - 2 * loss / 0.99),
    "consistency": lambda loss: Judge(flips=0.1 + 2 * loss / 0.99),
    "scored": lambda loss: Judge(unread=0.01 + 2 * loss),
}
"""Guard -> a judge that loses this much of it; half of its verdicts are the other judge's."""


def planted(rounds: int) -> None:
    """A judge that is worse on one guard: by the margin, and by twice as much."""
    rounds = min(rounds, 1000)
    rows = []
    for guard, make in PLANTED.items():
        margin = POLICY.guards[guard].margin
        values = []
        for factor in (1, 2):
            world = judged(make(factor * margin), Judge(), alike=0.5)
            runs = drawn(seeded(5, factor), world, rounds=rounds, looks=LOOKS)
            found = overall({name: outcomes(runs[name], POLICY) for name in GUARDS}, POLICY)
            values.append(ever(found >= NOT_WORSE)[:, -1].mean())
            values += [ever(found == WORSE)[:, LOOKS.index(n)].mean() for n in (500, 1000, 2000)]
        rows.append((f"{guard}, {points(margin)}", [f"{100 * value:.1f}" for value in values]))
    head = [
        f"{what}, {loss}"
        for loss in ("margin", "twice")
        for what in ("ever accepted", "worse by 500", "by 1000", "by 2000")
    ]
    table("A judge that is worse on one guard, default policy, all guards", "guard", head, rows)


LEANS: Sequence[tuple[float, float]] = (
    *((0.0, 0.0), (0.1, 0.1), (0.1, -0.1)),
    *((0.05, 0.0), (-0.05, 0.0), (0.1, -0.05), (0.15, 0.1), (0.1, 0.0)),
    *((0.0, 0.05), (0.0, 0.1)),
)
"""Lean of the new and of the old judge: equal ones, worse ones, better ones."""


def leans(rounds: int) -> None:
    """Position bias, a magnitude: 20 % of the verdicts change with the order."""
    head = [*(f"accepted at {n}" for n in SIZES[3:]), "ever accepted", "ever worse", "ever better"]
    head += ["80 % accepted at", "as the gate says"]
    rows = []
    for new, old in LEANS:
        world = leaning(new, old, spread=0.2, shared=0.5)
        found = outcomes(drawn(seeded(6), world, rounds=rounds, looks=LOOKS)["position"], POLICY)
        units = {
            pair: round(1e4 * share)
            for pair, share in zip(world.cells["position"], world.shares, strict=True)
            if pair is not None
        }
        told = lean_units_needed(units, POLICY.guards["position"].margin, alpha=POLICY.alpha)
        values = [(found[:, LOOKS.index(n)] >= NOT_WORSE).mean() for n in SIZES[3:]]
        for hit in (found >= NOT_WORSE, found == WORSE, found == BETTER):
            values.append(ever(hit)[:, -1].mean())
        label = f"{100 * new:+.0f} against {100 * old:+.0f}: {100 * world.truth('position'):+.0f}"
        told_ = f"{told}" if world.truth("position") == 0 else ""
        latest = _reaches(found >= NOT_WORSE, LOOKS)
        reached = "" if latest < 0 else f"{latest}"
        rows.append((label, [*(f"{100 * value:.1f}" for value in values), reached, told_]))
    table("Position bias, margin 5 points", "lean of the new and the old judge", head, rows)


def points(margin: float) -> str:
    """A margin for people."""
    return "1 point" if margin == 0.01 else f"{100 * margin:g} points"


def table(
    title: str, corner: str, head: Sequence[str], rows: Sequence[tuple[str, Sequence[str]]]
) -> None:
    say(f"\n### {title}\n")
    say(f"| {corner} | {' | '.join(head)} |")
    say(f"|{'---|' * (len(head) + 1)}")
    for label, values in rows:
        say(f"| {label} | {' | '.join(values)} |")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 2000)
