"""Verdicts joined with labels: how far a release agrees with its annotators, and how steady it is."""

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from enum import StrEnum

from judgestream.core.bias.counts import BiasCounts
from judgestream.core.reconcile import is_draw
from judgestream.core.stats.agreement import Agreement, agreement
from judgestream.core.stats.brier import brier
from judgestream.core.stats.calibration import Calibration, calibration
from judgestream.core.stats.clusters import Mean, clustered_share
from judgestream.core.stats.delta import IMAGINED, IMAGINED_FOR_KAPPA, Figure, Row, figure
from judgestream.core.stats.intervals import magnitude, percentile_bootstrap
from judgestream.core.stats.kappa import kappa_of, pi_of
from judgestream.core.stats.labels import Ballots, NoGold
from judgestream.core.stats.macro import Table, macro
from judgestream.core.stats.order_rules import RULES, OrderRule, Preference, orders_of
from judgestream.core.stats.paired import PairedDifference, compare, signed_mean
from judgestream.core.types import Status, Verdict

SEED = 20_231_017
"""Of the bootstrap: the same verdicts always give the same intervals."""

CLASSES = (1, 0, -1)


class SetAside(StrEnum):
    """Why a verdict is compared with no label. Counted, and in no rate."""

    PROBE = "probe"  # a check of `doctor`, nobody's request
    AMBIGUOUS = "ambiguous"  # two contents were judged under its request id: which one is labelled?
    REPEATED = "repeated"  # a later verdict of the same request and release counts
    MALFORMED = "malformed"  # no two candidates, or scored and its winner is not a candidate


@dataclass(frozen=True, kw_only=True, slots=True)
class Judged:
    """What the join needs of a verdict.

    candidates     ids in the request's order; empty for a failed verdict, which does not tell them
    outcome        +1 first better, 0 equal, -1 second better; None unless scored
    orders         what each order alone says; None where they were not both asked
    chances        probability of each outcome, of a scored verdict
    content        of what was judged: its digest, and what else tells two contents apart
    cluster        of the metadata key that names one; "" without
    drawn          a tie because first and second are equally probable, and both more than a tie
    scores_differ  its winner has the lower expected score
    """

    request_id: str
    release: str
    candidates: tuple[str, ...]
    outcome: int | None
    counts: BiasCounts
    failed: bool = False
    template_id: str = ""
    orders: tuple[Preference, Preference] | None = None
    chances: Mapping[Hashable, float] = field(default_factory=dict)
    content: tuple[str, tuple[tuple[str, int], ...]] = ("", ())
    cluster: str = ""
    is_probe: bool = False
    malformed: bool = False
    drawn: bool = False
    scores_differ: bool = False

    @classmethod
    def of(cls, verdict: Verdict, *, cluster_key: str = "") -> "Judged | None":
        """None for a verdict that compares nothing: of a single answer."""
        candidates = tuple(score.candidate_id for score in verdict.scores)
        if len(candidates) == 1:
            return None
        scored = verdict.status is Status.SCORED
        outcome = outcome_of(verdict, candidates) if scored else None
        chances = _chances(verdict) if scored else {}
        return cls(
            request_id=verdict.request_id,
            release=verdict.release,
            candidates=candidates,
            outcome=outcome,
            counts=BiasCounts.from_verdict(verdict),
            failed=verdict.status is Status.FAILED,
            template_id=verdict.template_id,
            orders=orders_of(verdict),
            chances=chances,
            content=(
                verdict.content_digest,
                tuple((score.candidate_id, score.length) for score in verdict.scores),
            ),
            cluster=verdict.metadata.get(cluster_key, "") if cluster_key else "",
            is_probe=verdict.is_probe,
            malformed=verdict.status is not Status.FAILED
            and (len(candidates) != 2 or (scored and outcome is None)),
            drawn=bool(chances) and is_draw(chances[1], chances[0], chances[-1]),
            scores_differ=_scores_differ(verdict, outcome),
        )

    def by(self, rule: OrderRule) -> Hashable:
        """The outcome by a rule; None where there is none."""
        if rule is OrderRule.AVERAGED:
            return self.outcome
        return None if self.orders is None else RULES[rule].settle(*self.orders)


@dataclass(frozen=True, kw_only=True, slots=True)
class ReleaseAgreement:
    """One release against the annotators' majority, over `agreement.n` verdicts.

    accuracy               also among those that neither the judge nor the annotators call a tie
    figures                precision, recall, f1, kappa, scott_pi
    failed                 labelled requests that were never judged; in no rate
    without_label, undecided, unknown_winner   verdicts that no gold label can be compared with, by reason
    set_aside              verdicts that were left out before, by reason
    alone                  compared verdicts whose prompt is not known: each counts as a prompt of its own
    position               of both orders, over the labelled verdicts
    drawn, scores_differ   see `Judged`, over the compared verdicts
    compared               request id -> gold, outcome, cluster
    """

    release: str
    rule: OrderRule
    templates: tuple[str, ...]
    agreement: Agreement
    accuracy: Mean | None
    accuracy_without_ties: Mean | None
    figures: Mapping[str, Figure]
    failed: int
    without_label: int
    undecided: int
    unknown_winner: int
    set_aside: Mapping[SetAside, int]
    alone: int
    position: Mapping[str, Mean]
    drawn: int
    scores_differ: int
    calibration: Calibration | None
    brier: Mean | None
    compared: Mapping[str, tuple[Hashable, Hashable, Hashable]]


def outcome_of(verdict: Verdict, candidates: Sequence[str]) -> int | None:
    """A scored verdict as +1, 0 or -1; None unless it names one of two candidates, or a tie."""
    if len(set(candidates)) != 2 or len(candidates) != 2:
        return None
    if verdict.tie:
        return None if verdict.winner else 0
    return {candidates[0]: 1, candidates[1]: -1}.get(verdict.winner)


def ambiguous(judged: Iterable[Judged]) -> set[str]:
    """Request ids under which more than one content was judged, by any release.

    A verdict from before there were content digests tells its content by its candidates' ids and lengths.
    """
    digests: defaultdict[str, set[str]] = defaultdict(set)
    shapes: defaultdict[str, set[tuple[tuple[str, int], ...]]] = defaultdict(set)
    for one in judged:
        digest, shape = one.content
        if digest:
            digests[one.request_id].add(digest)
        if shape:
            shapes[one.request_id].add(shape)
    return {name for known in (digests, shapes) for name, found in known.items() if len(found) > 1}


def join(
    release: str,
    judged: Iterable[Judged],
    ballots: Ballots,
    *,
    prompts: Mapping[str, Hashable] | None = None,
    doubtful: Set[str] = frozenset(),
    rule: OrderRule = OrderRule.AVERAGED,
    classes: Sequence[Hashable] | None = None,
    resamples: int = 0,
) -> ReleaseAgreement:
    """Compare one release's verdicts with the majority of each request's annotators.

    Args:
        prompts: request id -> what its prompt is known by; verdicts on one prompt are one cluster.
        doubtful: request ids that are set aside, see `ambiguous`.
        classes: of the macro figures; those of the gold when None.
        resamples: of a bootstrap by prompt in place of the closed form, 0 for none.
    """
    reasons: Counter[NoGold] = Counter()
    set_aside: Counter[SetAside] = Counter()
    gold: list[int] = []
    labelled: list[Judged] = []
    failed = 0
    verdicts = list(judged)
    last = {one.request_id: k for k, one in enumerate(verdicts) if not one.is_probe}
    for k, one in enumerate(verdicts):
        if one.is_probe:
            set_aside[SetAside.PROBE] += 1
        elif one.request_id in doubtful:
            set_aside[SetAside.AMBIGUOUS] += 1
        elif last[one.request_id] != k:
            set_aside[SetAside.REPEATED] += 1
        elif one.malformed:
            set_aside[SetAside.MALFORMED] += 1
        elif one.failed:
            failed += one.request_id in ballots
        else:
            found = ballots.gold(one.request_id, one.candidates)
            if found.side is None:
                reasons[found.reason or NoGold.NO_LABEL] += 1
            else:
                gold.append(found.side)
                labelled.append(one)
    outcomes = [one.by(rule) for one in labelled]
    read = [k for k, outcome in enumerate(outcomes) if outcome is not None]
    known = prompts or {}
    groups = {k: _cluster(labelled[k], known) for k in range(len(labelled))}
    rows: list[Row] = [(gold[k], outcomes[k]) for k in read]
    clusters = [groups[k] for k in read]
    decided = [k for k in read if gold[k] != 0 and outcomes[k] != 0]
    of_verdict = read if rule is OrderRule.AVERAGED else []
    return ReleaseAgreement(
        release=release,
        rule=rule,
        templates=tuple(sorted({one.template_id for one in labelled})),
        agreement=agreement(gold, outcomes, classes=classes),
        accuracy=clustered_share([g == p for g, p in rows], clusters),
        accuracy_without_ties=clustered_share(
            [gold[k] == outcomes[k] for k in decided], [groups[k] for k in decided]
        ),
        figures=_figures(rows, clusters, classes, resamples),
        failed=failed,
        without_label=reasons[NoGold.NO_LABEL],
        undecided=reasons[NoGold.NO_MAJORITY],
        unknown_winner=reasons[NoGold.UNKNOWN_WINNER],
        set_aside=dict(set_aside),
        alone=sum(groups[k][0] == "request" for k in read),
        position=_position(labelled, list(groups.values())),
        drawn=sum(labelled[k].drawn for k in read),
        scores_differ=sum(labelled[k].scores_differ for k in read),
        calibration=_calibration(gold, labelled, of_verdict),
        brier=_brier(gold, labelled, of_verdict, groups),
        compared={labelled[k].request_id: (gold[k], outcomes[k], groups[k]) for k in read},
    )


def paired(
    first: ReleaseAgreement, second: ReleaseAgreement
) -> tuple[PairedDifference | None, int, int]:
    """Two releases on the requests that both judged, and how many only the first and only the second did."""
    both = [name for name in first.compared if name in second.compared]
    hits = [
        [of.compared[name][0] == of.compared[name][1] for name in both] for of in (first, second)
    ]
    clusters = [first.compared[name][2] for name in both]
    rest = len(first.compared) - len(both), len(second.compared) - len(both)
    return compare(hits[0], hits[1], clusters), *rest


def _cluster(one: Judged, prompts: Mapping[str, Hashable]) -> tuple[str, Hashable]:
    if one.cluster:
        return "named", one.cluster
    prompt = prompts.get(one.request_id)
    return ("request", one.request_id) if prompt is None else ("prompt", prompt)


def _figures(
    rows: Sequence[Row],
    clusters: Sequence[Hashable],
    classes: Sequence[Hashable] | None,
    resamples: int,
) -> dict[str, Figure]:
    """The class set is fixed by the sample: a resample without a class does not change what is averaged."""
    over = macro(Counter(rows), classes).classes or None

    def precision(table: Table) -> float | None:
        return macro(table, over).precision

    def recall(table: Table) -> float | None:
        return macro(table, over).recall

    def f1(table: Table) -> float | None:
        return macro(table, over).f1

    found: dict[str, Figure] = {}
    for name, statistic, imagined, lowest in (
        ("precision", precision, IMAGINED, 0.0),
        ("recall", recall, IMAGINED, 0.0),
        ("f1", f1, IMAGINED, 0.0),
        ("kappa", kappa_of, IMAGINED_FOR_KAPPA, -1.0),
        ("scott_pi", pi_of, IMAGINED_FOR_KAPPA, -1.0),
    ):
        one = figure(statistic, rows, clusters, outcomes=CLASSES, imagined=imagined, lowest=lowest)
        if resamples and one.interval is not None:
            one = Figure(
                value=one.value,
                n=one.n,
                clusters=one.clusters,
                design_effect=one.design_effect,
                interval=percentile_bootstrap(
                    lambda drawn, of=statistic: of(Counter(drawn)),  # type: ignore[misc]
                    rows,
                    seed=SEED,
                    resamples=resamples,
                    clusters=clusters,
                ),
            )
        found[name] = one
    return found


def _position(labelled: Sequence[Judged], groups: Sequence[Hashable]) -> dict[str, Mean]:
    rows = [(one.counts, group) for one, group in zip(labelled, groups, strict=True)]
    ordered = [(counts, group) for counts, group in rows if counts.ordered]
    clusters = [group for _, group in ordered]
    found = {
        "flip_consistency": clustered_share([bool(c.consistent) for c, _ in ordered], clusters),
        "bias_toward_first": clustered_share([bool(c.toward_first) for c, _ in ordered], clusters),
        "bias_toward_second": clustered_share(
            [bool(c.toward_second) for c, _ in ordered], clusters
        ),
        "delta_bias": _magnitude(
            signed_mean([c.toward_first - c.toward_second for c, _ in ordered], clusters)
        ),
    }
    return {name: mean for name, mean in found.items() if mean is not None}


def _magnitude(signed: Mean | None) -> Mean | None:
    if signed is None:
        return None
    return Mean(
        value=abs(signed.value),
        n=signed.n,
        clusters=signed.clusters,
        design_effect=signed.design_effect,
        interval=None if signed.interval is None else magnitude(signed.interval),
    )


def _calibration(
    gold: Sequence[int], labelled: Sequence[Judged], read: Sequence[int]
) -> Calibration | None:
    told = [k for k in read if labelled[k].chances]
    return calibration(
        [max(labelled[k].chances.values()) for k in told],
        [labelled[k].outcome == gold[k] for k in told],
    )


def _brier(
    gold: Sequence[int],
    labelled: Sequence[Judged],
    read: Sequence[int],
    groups: Mapping[int, Hashable],
) -> Mean | None:
    told = [k for k in read if labelled[k].chances]
    return brier(
        [labelled[k].chances for k in told],
        [gold[k] for k in told],
        clusters=[groups[k] for k in told],
    )


def _chances(verdict: Verdict) -> dict[Hashable, float]:
    """The probabilities of a scored verdict; empty when they are no distribution."""
    win, tie, lose = verdict.p_win, verdict.p_tie, verdict.p_lose
    if win is None or tie is None or lose is None:
        return {}
    told = (win, tie, lose)
    if not all(0.0 <= share <= 1.0 for share in told) or abs(sum(told) - 1.0) > 1e-6:
        return {}
    return dict(zip(CLASSES, told, strict=True))


def _scores_differ(verdict: Verdict, outcome: int | None) -> bool:
    if not outcome:
        return False
    first, second = (score.score for score in verdict.scores)
    return first is not None and second is not None and (first - second) * outcome < 0
