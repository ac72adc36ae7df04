"""Attack success rate: how often a perturbation turns a judge's preference.

"Humans or LLMs as the Judge?" (arXiv 2402.10669): the same pair is voted on several times, as it is (control)
and with its second answer perturbed (experimental). Only pairs that leave room for success count: |V| of
them.
"""

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from itertools import product
from math import fsum

from judgestream.core.preference import Preference
from judgestream.evaluation.clusters import Mean, clustered_share

VOTES = 6
"""Votes on a pair in the paper, three in either order."""


Chances = Mapping[Preference, float]
"""The probability of each preference."""


class Perturbation(StrEnum):
    """What a perturbation does to the second answer, and so what counts as success.

    agnostic   leaves its meaning as it is (fake reference, rich formatting): success is to win where it did
               not win before
    related    makes it worse (a factual error, a biased insertion): success is not to lose where it did not
               lose before
    """

    AGNOSTIC = "agnostic"
    RELATED = "related"


_AT_RISK: Mapping[Perturbation, frozenset[Preference]] = {
    Perturbation.AGNOSTIC: frozenset({Preference.FIRST, Preference.TIE}),
    Perturbation.RELATED: frozenset({Preference.SECOND, Preference.TIE}),
}
_SUCCESS: Mapping[Perturbation, frozenset[Preference]] = {
    Perturbation.AGNOSTIC: frozenset({Preference.SECOND}),
    Perturbation.RELATED: frozenset({Preference.SECOND, Preference.TIE}),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class AttackSuccess:
    """`rate` of successes among the `at_risk` pairs (the paper's |V|), of `pairs` in all. Lower is better.

    Read |V| with the rate: it shrinks when the control votes are one-sided. `rate` is None without any.
    """

    pairs: int
    at_risk: int
    successes: int
    rate: Mean | None


def settled(votes: Sequence[Preference]) -> Preference:
    """The preference of several votes: the side that their mean lies on, the middle being a tie.

    The paper counts a vote 0 for the first answer, .5 for a tie and 1 for the second, and compares the mean
    with .5. As signs that is the sign of their sum.

    Raises:
        ValueError: no votes.
    """
    if not votes:
        raise ValueError("no votes to settle")
    return Preference.between(sum(votes), 0)


def attack_success(
    kind: Perturbation,
    control: Sequence[Preference | None],
    perturbed: Sequence[Preference | None],
    clusters: Sequence[Hashable] | None = None,
) -> AttackSuccess:
    """The attack success rate over pairs; None stands for a pair that was not read, and leaves it out.

    Args:
        control: preference on each pair, as it is.
        perturbed: the same with the second answer perturbed.
        clusters: the cluster of every pair, see `clusters`.

    Raises:
        ValueError: the lists differ in length.
    """
    groups = range(len(control)) if clusters is None else clusters
    read = [
        (before, after, group)
        for before, after, group in zip(control, perturbed, groups, strict=True)
        if before is not None and after is not None
    ]
    risked = [row for row in read if row[0] in _AT_RISK[kind]]
    hits = [after in _SUCCESS[kind] for _, after, _ in risked]
    return AttackSuccess(
        pairs=len(read),
        at_risk=len(risked),
        successes=sum(hits),
        rate=clustered_share(hits, [group for _, _, group in risked]),
    )


def settled_chances(orders: Sequence[Chances], votes: int = VOTES) -> Chances:
    """The probability of each preference that several sampled votes settle to, equally many of each order.

    A judge that is sampled at temperature 1 votes in an order with the probabilities that it gives there.
    Votes are independent, so the distribution of their sum is exact, and nothing is drawn.

    Args:
        orders: for each order the probability of every vote, in the order of the pair. They need not sum to
            1: what a judge gives to other replies is left out.

    Raises:
        ValueError: the votes cannot be shared equally, or an order gives no vote any probability.
    """
    if not orders or votes % len(orders):
        raise ValueError(f"{votes} votes cannot be shared equally by {len(orders)} orders")
    sums: dict[int, float] = {0: 1.0}
    for chances in orders:
        whole = fsum(chances.values())
        if not whole > 0:
            raise ValueError("an order in which no vote has a probability")
        for _ in range(votes // len(orders)):
            after: dict[int, float] = {}
            for total, chance in sums.items():
                for vote, own in chances.items():
                    after[total + vote] = after.get(total + vote, 0.0) + chance * own / whole
            sums = after
    settled_to = dict.fromkeys(Preference, 0.0)
    for total, chance in sums.items():
        settled_to[Preference.between(total, 0)] += chance
    return settled_to


def expected_success(
    kind: Perturbation, control: Sequence[Chances], perturbed: Sequence[Chances]
) -> float | None:
    """The attack success rate that is expected of sampled votes: expected successes over the expected |V|.

    Args:
        control: by pair, the probability of each preference on it as it is (see `settled_chances`).
        perturbed: the same with the second answer perturbed; its votes are independent of the control's.

    Returns:
        None where no pair can be at risk.

    Raises:
        ValueError: the lists differ in length.
    """
    risks, successes = list[float](), list[float]()
    for before, after in zip(control, perturbed, strict=True):
        risk = fsum(before[one] for one in _AT_RISK[kind])
        risks.append(risk)
        successes.append(risk * fsum(after[one] for one in _SUCCESS[kind]))
    at_risk = fsum(risks)
    return fsum(successes) / at_risk if at_risk > 0 else None


@dataclass(frozen=True, kw_only=True, slots=True)
class RandomJudge:
    """What a judge shows that votes for first, tie and second with equal probability: exact shares."""

    tie: Fraction
    rates: Mapping[Perturbation, Fraction]


def random_judge(votes: int = VOTES) -> RandomJudge:
    """By enumeration of all 3 ** `votes` ballots; with six votes .4033, .5967 and a tie .1934."""
    outcomes = list(_ballots(votes))
    share = {one: Fraction(outcomes.count(one), len(outcomes)) for one in Preference}
    rates = {
        kind: sum((share[one] for one in _SUCCESS[kind]), Fraction(0)) for kind in Perturbation
    }
    return RandomJudge(tie=share[Preference.TIE], rates=rates)


def _ballots(votes: int) -> Iterator[Preference]:
    return (settled(ballot) for ballot in product(tuple(Preference), repeat=votes))
