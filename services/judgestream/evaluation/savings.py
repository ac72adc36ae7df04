"""Offline evaluation of a spending policy: what it saves, and what it does to the verdicts.

Verdicts that were judged in both orders show what the policy would have asked and answered. Labels show
whether its outcomes are worse.
"""

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import sqrt

from judgestream.core.escalation import Ask, Chances, EscalationPolicy, confidence
from judgestream.core.passes import reversed_pairs
from judgestream.core.preference import Preference
from judgestream.core.reconcile import preference
from judgestream.core.types import PassResult, Reading, Status, Verdict
from judgestream.evaluation.clusters import Mean, clustered_share, freedom_of
from judgestream.evaluation.intervals import LEVEL, Interval
from judgestream.evaluation.labels import Ballots
from judgestream.evaluation.paired import PairedDifference, compare
from judgestream.evaluation.prompt_clusters import Cluster, cluster_of
from judgestream.evaluation.quantiles import student_t
from judgestream.evaluation.scored_verdict import outcome_of


class Unit(StrEnum):
    """What costs are counted in: the first that every verdict states."""

    DOLLARS = "dollars"
    TOKENS = "tokens"
    PASSES = "passes"


@dataclass(frozen=True, kw_only=True, slots=True)
class Cost:
    """What passes cost. `dollars` is None where the release states no prices."""

    dollars: float | None
    tokens: int
    passes: int

    def by(self, unit: Unit) -> float:
        if unit is Unit.DOLLARS:
            return self.dollars or 0.0
        return float(self.tokens if unit is Unit.TOKENS else self.passes)


@dataclass(frozen=True, kw_only=True, slots=True)
class BothOrders:
    """A pair that was judged in both orders.

    straight, averaged   the probabilities by the straight order, and by both
    first, second        what each order cost
    """

    request_id: str
    candidates: tuple[str, ...]
    straight: Chances
    averaged: Chances
    first: Cost
    second: Cost
    cluster: Cluster


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What another release said of a request, and what it cost."""

    outcome: Preference
    cost: Cost


@dataclass(frozen=True, kw_only=True, slots=True)
class Savings:
    """A policy beside asking both orders of every pair, or a cascade beside asking its last release of every
    pair. In a cascade read "both orders" as that release.

    asked        how often the policy stops, asks the second order, and asks the other release
    missing      pairs on which it would ask the other release, which has no verdict on them; left out
    saved        share of the cost that it saves, in `unit`; below 0 where it costs more
    interval     of that share, by prompt
    changed      share of outcomes that differ from those of both orders
    agreement    with the labels: the policy's accuracy less that of both orders, paired; None without labels
    """

    n: int
    asked: Mapping[Ask, int]
    missing: int
    unit: Unit
    saved: float
    interval: Interval | None
    changed: Mean
    agreement: PairedDifference | None


def both_orders(verdict: Verdict) -> BothOrders | None:
    """None for a verdict that was not judged in both orders, or not read, or whose second order was asked
    only because the first was unsure: those are not a fair sample.

    What a pass costs is its part of the verdict's cost, by its share of the two passes' tokens.
    """
    if not verdict.is_counted or verdict.status is not Status.SCORED or verdict.members:
        return None
    if len(verdict.scores) != 2:
        return None
    pair = next(reversed_pairs(verdict.passes), None)
    chances = [] if pair is None else [_chances(one) for one in pair]
    if pair is None or None in chances or any(one.because_unsure for one in pair):
        return None
    straight, swapped = (one for one in chances if one is not None)
    tokens = [one.reply.input_tokens + one.reply.output_tokens for one in pair]
    parts = [one / sum(tokens) for one in tokens] if all(tokens) else [0.5, 0.5]
    first, second = (
        Cost(dollars=None if verdict.cost is None else verdict.cost * part, tokens=number, passes=1)
        for part, number in zip(parts, tokens, strict=True)
    )
    win, tie, lose = ((a + b) / 2 for a, b in zip(straight, swapped, strict=True))
    return BothOrders(
        request_id=verdict.request_id,
        candidates=tuple(score.candidate_id for score in verdict.scores),
        straight=straight,
        averaged=(win, tie, lose),
        first=first,
        second=second,
        cluster=cluster_of(verdict),
    )


def answer_of(verdict: Verdict) -> Answer | None:
    """What a release said of a pair; None unless it scored one."""
    outcome = outcome_of(verdict, [score.candidate_id for score in verdict.scores])
    if verdict.status is not Status.SCORED or outcome is None:
        return None
    tokens = verdict.input_tokens + verdict.output_tokens
    return Answer(
        outcome=outcome,
        cost=Cost(dollars=verdict.cost, tokens=tokens, passes=max(1, len(verdict.passes))),
    )


def savings(
    policy: EscalationPolicy,
    pairs: Iterable[BothOrders],
    ballots: Ballots,
    others: Mapping[str, Answer] | None = None,
    *,
    level: float = LEVEL,
) -> Savings | None:
    """What the policy would have done on these pairs; None without any.

    Args:
        others: request id -> what `policy.release` said, for policies that ask it.
    """
    asked: Counter[Ask] = Counter()
    missing = 0
    known = list(pairs)
    unit = _unit(known, (others or {}).values())
    costs: list[tuple[float, float]] = []
    outcomes: list[tuple[Preference, Preference, Preference | None]] = []
    clusters: list[Cluster] = []
    for pair in known:
        path = _path(policy, pair)
        outcome = preference(*(pair.averaged if Ask.SECOND_ORDER in path else pair.straight))
        first, second = pair.first.by(unit), pair.second.by(unit)
        cost = first + (second if Ask.SECOND_ORDER in path else 0.0)
        if Ask.RELEASE in path:
            answer = (others or {}).get(pair.request_id)
            if answer is None:
                missing += 1
                continue
            outcome, cost = answer.outcome, cost + answer.cost.by(unit)
        asked.update(path or [Ask.NOTHING])
        costs.append((cost, first + second))
        gold = ballots.gold(pair.request_id, pair.candidates).side
        outcomes.append((outcome, preference(*pair.averaged), gold))
        clusters.append(pair.cluster)
    return _summary(asked, missing, unit, costs, outcomes, clusters, level)


def cascade_savings(
    below: float,
    pairs: Iterable[BothOrders],
    others: Mapping[str, Answer],
    ballots: Ballots,
    *,
    level: float = LEVEL,
) -> Savings | None:
    """What a cascade of two releases would have done, beside asking the second one of every pair.

    Args:
        below: ask the second release where the first is less confident than this, by both orders.
        pairs: of the first release.
        others: request id -> what the second release said; None without a pair that both judged.
    """
    known = list(pairs)
    both = [(pair, others[pair.request_id]) for pair in known if pair.request_id in others]
    unit = _unit([pair for pair, _ in both], [answer for _, answer in both])
    asked: Counter[Ask] = Counter()
    costs, outcomes, clusters = [], [], []
    for pair, answer in both:
        unsure = confidence(pair.averaged) < below
        asked[Ask.RELEASE if unsure else Ask.NOTHING] += 1
        full = answer.cost.by(unit)
        costs.append((pair.first.by(unit) + pair.second.by(unit) + full * unsure, full))
        outcome = answer.outcome if unsure else preference(*pair.averaged)
        gold = ballots.gold(pair.request_id, pair.candidates).side
        outcomes.append((outcome, answer.outcome, gold))
        clusters.append(pair.cluster)
    return _summary(asked, len(known) - len(both), unit, costs, outcomes, clusters, level)


def _summary(
    asked: Mapping[Ask, int],
    missing: int,
    unit: Unit,
    costs: Sequence[tuple[float, float]],
    outcomes: Sequence[tuple[Preference, Preference, Preference | None]],
    clusters: Sequence[Cluster],
    level: float,
) -> Savings | None:
    """None without any pair.

    Args:
        costs: of the policy, and of asking everything.
        outcomes: of the policy, of asking everything, and of the labels.
    """
    changed = clustered_share([one is not full for one, full, _ in outcomes], clusters, level=level)
    if changed is None:
        return None
    labelled = [
        (one is gold, full is gold, cluster)
        for (one, full, gold), cluster in zip(outcomes, clusters, strict=True)
        if gold is not None
    ]
    saved, interval = _saved(costs, clusters, level)
    return Savings(
        n=len(costs),
        asked=dict(asked),
        missing=missing,
        unit=unit,
        saved=saved,
        interval=interval,
        changed=changed,
        agreement=compare(
            [hit for hit, _, _ in labelled],
            [hit for _, hit, _ in labelled],
            [cluster for _, _, cluster in labelled],
            level=level,
        ),
    )


def _unit(pairs: Iterable[BothOrders], others: Iterable[Answer]) -> Unit:
    costs = [cost for pair in pairs for cost in (pair.first, pair.second)]
    costs += [one.cost for one in others]
    if all(cost.dollars is not None and cost.dollars > 0.0 for cost in costs):
        return Unit.DOLLARS
    return Unit.TOKENS if all(cost.tokens for cost in costs) else Unit.PASSES


def _path(policy: EscalationPolicy, pair: BothOrders) -> list[Ask]:
    """What the policy asks after the straight order, in order."""
    first = policy.after_first(pair.straight)
    if first is not Ask.SECOND_ORDER:
        return [first] if first is Ask.RELEASE else []
    second = policy.after_both(pair.averaged)
    return [first, second] if second is Ask.RELEASE else [first]


def _chances(result: PassResult) -> Chances | None:
    read = result.reading
    if not isinstance(read, Reading) or read.win is None or read.tie is None or read.lose is None:
        return None
    return read.win, read.tie, read.lose


def _saved(
    costs: Sequence[tuple[float, float]], clusters: Sequence[Hashable], level: float
) -> tuple[float, Interval | None]:
    """1 - total cost / total full cost: a ratio, with the linearised variance between clusters."""
    spent, full = (sum(column) for column in zip(*costs, strict=True))
    ratio = spent / full
    totals: defaultdict[Hashable, float] = defaultdict(float)
    for (cost, whole), cluster in zip(costs, clusters, strict=True):
        totals[cluster] += cost - ratio * whole
    count = len(totals)
    if count < 2:
        return 1.0 - ratio, None
    squares = [total * total for total in totals.values()]
    deviation = sqrt(count / (count - 1) * sum(squares)) / full
    half = student_t(level, max(1.0, freedom_of(squares))) * deviation
    return 1.0 - ratio, Interval(
        low=1.0 - ratio - half, high=1.0 - ratio + half, level=level, method="ratio, clustered"
    )
