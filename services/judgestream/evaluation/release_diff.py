"""Two releases on the same requests: how often they disagree, where, and who is right.

The first release is called A, the second B. Verdicts on one prompt are one cluster.
"""

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence, Set
from dataclasses import dataclass
from enum import StrEnum
from math import fsum
from statistics import median

from judgestream.core.preference import Preference
from judgestream.core.types import FOLLOW_UP, RERANK, Status, Verdict
from judgestream.evaluation.clusters import Mean, clustered_share
from judgestream.evaluation.kappa import cohen_kappa
from judgestream.evaluation.labels import Ballots
from judgestream.evaluation.paired import PairedDifference, compare
from judgestream.evaluation.scored_verdict import outcome_of
from judgestream.evaluation.verdict_pairs import prompt_of


class Kind(StrEnum):
    """How two verdicts on one request compare.

    agree       both prefer the same
    differ      both are scored and prefer something else
    one_scored  only one of them is scored
    unscored    neither is scored
    no_winner   both are scored, in a mode without a winner
    """

    AGREE = "agree"
    DIFFER = "differ"
    ONE_SCORED = "one_scored"
    UNSCORED = "unscored"
    NO_WINNER = "no_winner"


@dataclass(frozen=True, kw_only=True, slots=True)
class Compared:
    """Two verdicts on one request. `label` is the majority of its annotators; None without one."""

    a: Verdict
    b: Verdict
    kind: Kind
    label: Preference | None

    @property
    def disagree(self) -> bool:
        return self.kind in (Kind.DIFFER, Kind.ONE_SCORED)

    @property
    def right(self) -> tuple[bool, bool] | None:
        """Whether A and B agree with the label; None without a label. One that is not scored does not."""
        if self.label is None:
            return None
        return preference(self.a) == self.label, preference(self.b) == self.label


@dataclass(frozen=True, kw_only=True, slots=True)
class Side:
    """One release over all pairs.

    scored        share of scored verdicts
    flipped       share of the verdicts in which both orders were read and disagree
    latency_s     median seconds to a verdict that did not fail; None without
    cost          dollars of all its verdicts; None if no price is known
    score         mean score of single answers, over pairs in which both gave one; None without
    """

    release: str
    scored: Mean | None
    flipped: Mean | None
    latency_s: float | None
    cost: float | None
    score: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Summary:
    """Two releases over the requests that both judged.

    prompts     different prompts among the pairs
    kinds       number of pairs of each kind
    agreement   share of equal outcomes, where both have one
    kappa       Cohen's, of pairs of two candidates; None where chance explains everything
    labelled    accuracy of A minus accuracy of B, on the labelled pairs; None without any
    """

    pairs: int
    prompts: int
    kinds: Mapping[Kind, int]
    agreement: Mean | None
    kappa: float | None
    labelled: PairedDifference | None
    a: Side
    b: Side


def compared(
    found: Sequence[tuple[Verdict, Verdict]], ballots: Ballots, *, ambiguous: Set[str] = frozenset()
) -> list[Compared]:
    """The pairs with their labels. `ambiguous` are request ids whose labels count for nothing."""
    return [
        Compared(a=a, b=b, kind=_kind(a, b), label=_label(a, b, ballots, ambiguous))
        for a, b in found
    ]


def preference(verdict: Verdict) -> Preference | None:
    """Which of two candidates a scored verdict prefers; None where not two are compared."""
    if verdict.status is not Status.SCORED or verdict.mode in (RERANK, FOLLOW_UP):
        return None
    return outcome_of(verdict, [score.candidate_id for score in verdict.scores])


def summary(found: Sequence[Compared], *, a: str, b: str) -> Summary:
    """The figures of all pairs of the releases `a` and `b`."""
    both = [one for one in found if one.kind in (Kind.AGREE, Kind.DIFFER)]
    confusion: Counter[tuple[Hashable, Hashable]] = Counter(
        (first, second)
        for one in both
        if (first := preference(one.a)) is not None and (second := preference(one.b)) is not None
    )
    labelled = [(one, right) for one in found if (right := one.right) is not None]
    return Summary(
        pairs=len(found),
        prompts=len({prompt_of(one.a) for one in found}),
        kinds=Counter(one.kind for one in found),
        agreement=clustered_share(
            [one.kind is Kind.AGREE for one in both], [prompt_of(one.a) for one in both]
        ),
        kappa=cohen_kappa(confusion),
        labelled=compare(
            [right[0] for _, right in labelled],
            [right[1] for _, right in labelled],
            [prompt_of(one.a) for one, _ in labelled],
        ),
        a=_side(a, [one.a for one in found], _scores([one.a for one in found], found)),
        b=_side(b, [one.b for one in found], _scores([one.b for one in found], found)),
    )


def most_telling(found: Sequence[Compared], limit: int) -> list[Compared]:
    """The disagreements that say most: those that a label decides, then those in which one release has no
    verdict, then those in which both are sure. Of one prompt, all but the first come last."""
    ranked = sorted((one for one in found if one.disagree), key=_rank)
    seen: set[str] = set()
    firsts: list[Compared] = []
    rest: list[Compared] = []
    for one in ranked:
        (rest if prompt_of(one.a) in seen else firsts).append(one)
        seen.add(prompt_of(one.a))
    return [*firsts, *rest][:limit]


def reasons(one: Compared, *, a: str = "A", b: str = "B") -> list[str]:
    """Why the disagreement matters, in sentences that call the releases `a` and `b`."""
    return [
        *_right_reason(one, a, b),
        *(
            f"{name} has no scored verdict: {verdict.reason or verdict.error_class}"
            for name, verdict in ((a, one.a), (b, one.b))
            if verdict.status is not Status.SCORED
        ),
        *(
            f"{name} prefers another answer when their order is reversed"
            for name, verdict in ((a, one.a), (b, one.b))
            if verdict.flipped
        ),
        *_surface(one, a, b),
    ]


def _kind(a: Verdict, b: Verdict) -> Kind:
    scored = [one.status is Status.SCORED for one in (a, b)]
    if not any(scored):
        return Kind.UNSCORED
    if not all(scored):
        return Kind.ONE_SCORED
    choices = [one.winner if one.winner or one.tie else None for one in (a, b)]
    if None in choices:
        return Kind.NO_WINNER
    return Kind.AGREE if choices[0] == choices[1] else Kind.DIFFER


def _label(a: Verdict, b: Verdict, ballots: Ballots, ambiguous: Set[str]) -> Preference | None:
    candidates = [score.candidate_id for score in (a.scores or b.scores)]
    if a.request_id in ambiguous or len(candidates) != 2 or a.mode in (RERANK, FOLLOW_UP):
        return None
    return ballots.gold(a.request_id, candidates).side


def _scores(verdicts: Sequence[Verdict], found: Sequence[Compared]) -> list[float]:
    """The scores of single answers, where both releases gave one."""
    return [
        score
        for verdict, one in zip(verdicts, found, strict=True)
        if one.kind is Kind.NO_WINNER and len(one.a.scores) == len(one.b.scores) == 1
        if one.a.scores[0].score is not None and one.b.scores[0].score is not None
        if (score := verdict.scores[0].score) is not None
    ]


def _side(release: str, verdicts: Sequence[Verdict], scores: Sequence[float]) -> Side:
    both_orders = [one for one in verdicts if one.flipped is not None]
    times = [one.latency_s for one in verdicts if one.status is not Status.FAILED]
    costs = [one.cost for one in verdicts if one.cost is not None]
    return Side(
        release=release,
        scored=clustered_share(
            [one.status is Status.SCORED for one in verdicts], list(map(prompt_of, verdicts))
        ),
        flipped=clustered_share(
            [one.flipped is True for one in both_orders], list(map(prompt_of, both_orders))
        ),
        latency_s=median(times) if times else None,
        cost=fsum(costs) if costs else None,
        score=fsum(scores) / len(scores) if scores else None,
    )


def _rank(one: Compared) -> tuple[int, float, str]:
    right = one.right
    sure = -min(one.a.confidence or 0.0, one.b.confidence or 0.0)
    if right is not None and right[0] != right[1]:
        return 0, sure, one.a.request_id
    if one.kind is Kind.ONE_SCORED:
        return 1, sure, one.a.request_id
    flipped = bool(one.a.flipped) + bool(one.b.flipped)
    return 2 + flipped, sure, one.a.request_id


def _right_reason(one: Compared, a: str, b: str) -> list[str]:
    right = one.right
    if right is None:
        return []
    said = {
        (True, False): f"the label agrees with {a}",
        (False, True): f"the label agrees with {b}",
        (False, False): "the label agrees with neither",
    }
    return [said[right]] if right in said else []


def _surface(one: Compared, a: str, b: str) -> list[str]:
    """Whether the answers differ in length or format, and which judge prefers the longer one."""
    scores = one.a.scores or one.b.scores
    if len(scores) != 2:
        return []
    first, second = scores
    found: list[str] = []
    longer = Preference.between(first.length, second.length)
    sides: Mapping[str, Preference | None] = {a: preference(one.a), b: preference(one.b)}
    if longer and max(first.length, second.length) >= LONGER * min(first.length, second.length):
        for name, side in sides.items():
            if side == longer:
                found.append(
                    f"{name} prefers the much longer answer"
                    f" ({max(first.length, second.length)} and {min(first.length, second.length)} characters)"
                )
    if first.style is not None and second.style is not None:
        counts = [s.headers + s.list_items + s.bold for s in (first.style, second.style)]
        formatted = Preference.between(*counts)
        for name, side in sides.items():
            if formatted and side == formatted:
                found.append(
                    f"{name} prefers the answer with more formatting"
                    f" ({max(counts)} and {min(counts)} headers, list items and bold spans)"
                )
    return found


LONGER = 1.5
"""Ratio of two lengths from which on an answer is called much longer."""
