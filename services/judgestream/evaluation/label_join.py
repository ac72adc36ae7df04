"""Join of verdicts with labels: agreement of a release with its annotators, and its position bias."""

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from enum import StrEnum

from judgestream.core.preference import Preference
from judgestream.evaluation.agreement import Agreement, agreement
from judgestream.evaluation.brier import brier
from judgestream.evaluation.calibration import Calibration, calibration
from judgestream.evaluation.clusters import Mean, clustered_share
from judgestream.evaluation.confusion_figures import chance_corrected_figures, macro_figures
from judgestream.evaluation.delta import Figure, LabelPair
from judgestream.evaluation.krippendorff import reliability_of_labels
from judgestream.evaluation.labels import Ballots, NoGold
from judgestream.evaluation.order_rules import OrderRule
from judgestream.evaluation.paired import PairedDifference, compare
from judgestream.evaluation.position import position_means
from judgestream.evaluation.scored_verdict import ScoredVerdict


class SetAside(StrEnum):
    """Why a verdict is not compared with labels. Counted, and in no rate."""

    PROBE = "probe"  # a test request of `doctor`
    AMBIGUOUS = "ambiguous"  # two contents share its request id, so the labelled one is unknown
    REPEATED = "repeated"  # a later verdict of the same request and release counts
    MALFORMED = "malformed"  # no two candidates, or scored and its winner is not a candidate


@dataclass(frozen=True, kw_only=True, slots=True)
class ReleaseAgreement:
    """One release against the annotators' majority, over `agreement.n` verdicts.

    segment                the value of a metadata key that all verdicts share; "" where they were not split
    accuracy               also among those that neither the judge nor the annotators call a tie
    annotators             how far the annotators agree among themselves: Krippendorff's alpha over the judged
                           requests with two labels and more
    figures                precision, recall, f1, kappa, scott_pi, alpha
    failed                 labelled requests that were never judged; in no rate
    without_label, undecided, unknown_winner   verdicts without a gold label, by reason
    set_aside              verdicts excluded before the join, by reason
    alone                  compared verdicts with an unknown prompt: each counts as a separate prompt
    position               of both orders, over the labelled verdicts
    drawn, scores_differ   see `ScoredVerdict`, over the compared verdicts
    compared               request id -> gold, outcome, cluster
    """

    release: str
    segment: str
    rule: OrderRule
    templates: tuple[str, ...]
    agreement: Agreement
    accuracy: Mean | None
    accuracy_without_ties: Mean | None
    annotators: Figure
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


@dataclass(kw_only=True, slots=True)
class _Labelled:
    """The verdicts with a gold label, and the number of others by reason."""

    gold: list[int] = field(default_factory=list)
    verdicts: list[ScoredVerdict] = field(default_factory=list)
    failed: int = 0
    votes: list[tuple[tuple[Preference, ...], ScoredVerdict]] = field(default_factory=list)
    reasons: Counter[NoGold] = field(default_factory=Counter)
    set_aside: Counter[SetAside] = field(default_factory=Counter)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Compared:
    """One verdict beside its gold label, in the cluster `group`."""

    gold: int
    outcome: Hashable
    group: tuple[str, Hashable]
    verdict: ScoredVerdict


def join(
    release: str,
    judged: Iterable[ScoredVerdict],
    ballots: Ballots,
    *,
    segment: str = "",
    prompts: Mapping[str, Hashable] | None = None,
    doubtful: Set[str] = frozenset(),
    rule: OrderRule = OrderRule.AVERAGED,
    classes: Sequence[Hashable] | None = None,
    resamples: int = 0,
) -> ReleaseAgreement:
    """Compare one release's verdicts with the majority of each request's annotators.

    Args:
        segment: what the verdicts have in common, for the report.
        prompts: request id -> its prompt's digest, for verdicts that do not state it; verdicts on one
            prompt are one cluster.
        doubtful: request ids to set aside, see `ambiguous`.
        classes: of the macro figures; None for those of the gold.
        resamples: of a bootstrap by prompt in place of the closed form, 0 for none.
    """
    found = _labelled(list(judged), ballots, doubtful)
    gold, labelled = found.gold, found.verdicts
    outcomes = [one.by(rule) for one in labelled]
    groups = [_cluster(one, prompts or {}) for one in labelled]
    read = [
        _Compared(gold=side, outcome=outcome, group=group, verdict=one)
        for side, outcome, group, one in zip(gold, outcomes, groups, labelled, strict=True)
        if outcome is not None
    ]
    own = read if rule is OrderRule.AVERAGED else []
    pairs: list[LabelPair] = [(one.gold, one.outcome) for one in read]
    clusters = [one.group for one in read]
    return ReleaseAgreement(
        release=release,
        segment=segment,
        rule=rule,
        templates=tuple(sorted({one.template_id for one in labelled})),
        agreement=agreement(gold, outcomes, classes=classes),
        accuracy=_hits(read),
        accuracy_without_ties=_hits([one for one in read if one.gold != 0 and one.outcome != 0]),
        annotators=reliability_of_labels(
            [sides for sides, _ in found.votes],
            [_cluster(one, prompts or {}) for _, one in found.votes],
        ),
        figures=macro_figures(pairs, clusters, classes=classes, resamples=resamples)
        | chance_corrected_figures(pairs, clusters, resamples=resamples),
        failed=found.failed,
        without_label=found.reasons[NoGold.NO_LABEL],
        undecided=found.reasons[NoGold.NO_MAJORITY],
        unknown_winner=found.reasons[NoGold.UNKNOWN_WINNER],
        set_aside=dict(found.set_aside),
        alone=sum(one.group[0] == "request" for one in read),
        position=_position(labelled, groups),
        drawn=sum(one.verdict.drawn for one in read),
        scores_differ=sum(one.verdict.scores_differ for one in read),
        calibration=_calibration(own),
        brier=_brier(own),
        compared={one.verdict.request_id: (one.gold, one.outcome, one.group) for one in read},
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


def _labelled(verdicts: Sequence[ScoredVerdict], ballots: Ballots, doubtful: Set[str]) -> _Labelled:
    found = _Labelled()
    last = {one.request_id: k for k, one in enumerate(verdicts) if not one.is_probe}
    for k, one in enumerate(verdicts):
        aside = _set_aside(one, doubtful, repeated=last.get(one.request_id) != k)
        if aside is not None:
            found.set_aside[aside] += 1
        elif one.failed:
            found.failed += one.request_id in ballots
        else:
            gold = ballots.gold(one.request_id, one.candidates)
            found.votes.append((ballots.sides(one.request_id, one.candidates), one))
            if gold.side is None:
                found.reasons[gold.reason or NoGold.NO_LABEL] += 1
            else:
                found.gold.append(gold.side)
                found.verdicts.append(one)
    return found


def _set_aside(one: ScoredVerdict, doubtful: Set[str], *, repeated: bool) -> SetAside | None:
    if one.is_probe:
        return SetAside.PROBE
    if one.request_id in doubtful:
        return SetAside.AMBIGUOUS
    if repeated:
        return SetAside.REPEATED
    return SetAside.MALFORMED if one.malformed else None


def _cluster(one: ScoredVerdict, prompts: Mapping[str, Hashable]) -> tuple[str, Hashable]:
    if one.cluster is not None and one.cluster[0] != "request":
        return one.cluster
    prompt = prompts.get(one.request_id)
    return ("request", one.request_id) if prompt is None else ("prompt", prompt)


def _hits(read: Sequence[_Compared]) -> Mean | None:
    return clustered_share([one.gold == one.outcome for one in read], [one.group for one in read])


def _position(labelled: Sequence[ScoredVerdict], groups: Sequence[Hashable]) -> Mapping[str, Mean]:
    both = [
        (one.lean, group)
        for one, group in zip(labelled, groups, strict=True)
        if one.lean is not None
    ]
    return position_means([lean for lean, _ in both], [group for _, group in both])


def _calibration(read: Sequence[_Compared]) -> Calibration | None:
    confident = [one for one in read if one.verdict.chances]
    return calibration(
        [max(one.verdict.chances.values()) for one in confident],
        [one.verdict.outcome == one.gold for one in confident],
    )


def _brier(read: Sequence[_Compared]) -> Mean | None:
    confident = [one for one in read if one.verdict.chances]
    return brier(
        [one.verdict.chances for one in confident],
        [one.gold for one in confident],
        clusters=[one.group for one in confident],
    )
