"""Streams of two judges through the join and the gate: the stated error rates, in seeded repeats."""

import random
from collections import Counter
from collections.abc import Iterator

import pytest

from judgestream.core.types import Label, Status, Verdict
from judgestream.evaluation.gate import Outcome, Policy, Rule, decide
from tests.evaluation.test_evidence_join import NEW, OLD, failed, join, label, verdict

REPEATS = 20
PROMPTS = 600
LOOK_EVERY = 400
"""Records between two looks."""

POLICY = Policy(
    guards={name: Rule(margin=0.05) for name in ("labels", "scored")}, least_shadow_units=50
)


def judged(release: str, name: str, truth: str, accuracy: float, draw: random.Random) -> Verdict:
    """A verdict that is right with this probability. One in 100 is unreadable, one in 200 failed, and one in
    ten wrong ones is a tie."""
    odd = draw.random()
    if odd < 0.005:
        return failed(release, name)
    if odd < 0.015:
        return verdict(release, name, "", tie=False, status=Status.UNSCORED, reason="unparsable")
    if draw.random() < accuracy:
        return verdict(release, name, truth)
    other = "y" if truth == "x" else "x"
    return verdict(release, name, "" if draw.random() < 0.1 else other)


def records(seed: int, *, loss: float) -> Iterator[Verdict | Label]:
    """A stable judge of 75 % accuracy and a candidate with `loss` less, shuffled; one in ten comes twice."""
    draw = random.Random(seed)
    found: list[Verdict | Label] = []
    for k in range(PROMPTS):
        name, truth = f"r{k}", draw.choice("xy")
        found += [
            judged(NEW, name, truth, 0.75 - loss, draw),
            judged(OLD, name, truth, 0.75, draw),
            label(name, truth),
        ]
    found += [one for one in found if draw.random() < 0.1]
    draw.shuffle(found)
    yield from found


def outcomes(seed: int, *, loss: float) -> set[Outcome]:
    """Every outcome that some look gave."""
    made, seen = join(), set[Outcome]()
    for count, record in enumerate(records(seed, loss=loss), start=1):
        made.label(record) if isinstance(record, Label) else made.verdict(record)
        if count % LOOK_EVERY == 0 and made.look():
            seen.add(decide(made.comparisons(), POLICY).outcome)
    made.look()
    seen.add(decide(made.comparisons(), POLICY).outcome)
    return seen


def counted(*, loss: float) -> Counter[Outcome]:
    """How many of the repeats gave each outcome at some look."""
    return Counter(outcome for seed in range(REPEATS) for outcome in outcomes(seed, loss=loss))


@pytest.mark.no_cover
def test_an_equal_judge_is_called_better_or_worse_at_most_at_the_stated_rate() -> None:
    found = counted(loss=0.0)
    # alpha is 5 % for all looks, guards and directions together
    assert found[Outcome.BETTER] + found[Outcome.WORSE] <= POLICY.alpha * REPEATS
    assert found[Outcome.UNDECIDED] == REPEATS  # each begins undecided


@pytest.mark.no_cover
def test_a_worse_judge_never_passes_and_is_found_out() -> None:
    found = counted(loss=0.2)
    assert found[Outcome.BETTER] == found[Outcome.NOT_WORSE] == 0
    assert found[Outcome.WORSE] == REPEATS


@pytest.mark.no_cover
def test_a_better_judge_passes() -> None:
    found = counted(loss=-0.2)
    assert found[Outcome.WORSE] == 0
    assert found[Outcome.BETTER] == REPEATS
