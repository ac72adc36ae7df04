"""Verdicts joined with labels: how far a release agrees with its annotators, and how steady it is."""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from judgestream.core.bias.counts import BiasCounts
from judgestream.core.bias.report import Metric, report
from judgestream.core.stats.agreement import Agreement, agreement
from judgestream.core.stats.intervals import Interval, percentile_bootstrap, wilson_score
from judgestream.core.stats.majority import majority
from judgestream.core.types import Label, Status, Verdict

POSITION_METRICS = ("flip_consistency", "bias_toward_first", "bias_toward_second", "delta_bias")
SEED = 20_231_017
"""Of the bootstrap: the same verdicts always give the same intervals."""

Row = tuple[Hashable, Hashable]


@dataclass(frozen=True, kw_only=True, slots=True)
class Judged:
    """What the join needs of a verdict. `candidates` is empty for a failed one, which does not tell them.

    outcome   +1 first better, 0 equal, -1 second better; None unless scored
    """

    request_id: str
    release: str
    candidates: tuple[str, ...]
    outcome: int | None
    counts: BiasCounts

    @classmethod
    def of(cls, verdict: Verdict) -> "Judged | None":
        """None for a verdict that compares nothing: of a single answer."""
        candidates = tuple(score.candidate_id for score in verdict.scores)
        if len(candidates) == 1:
            return None
        outcome = None
        if verdict.status is Status.SCORED and len(candidates) == 2:
            outcome = side(verdict.winner, candidates)
        return cls(
            request_id=verdict.request_id,
            release=verdict.release,
            candidates=candidates,
            outcome=outcome,
            counts=BiasCounts.from_verdict(verdict),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class ReleaseAgreement:
    """One release against the annotators' majority.

    agreement     `unlabelled` counts the verdicts without a label and those in `undecided`
    intervals     of accuracy, precision, recall and f1, by name; without those that have none
    undecided     labelled verdicts whose annotators have no majority
    mismatched    labels that name none of their request's candidates
    position      the metrics of both orders, over the labelled verdicts
    """

    release: str
    agreement: Agreement
    intervals: Mapping[str, Interval]
    undecided: int
    mismatched: int
    position: tuple[Metric, ...]


def side(winner: str, candidates: Sequence[str]) -> int | None:
    """A winner's id as +1, 0 (no winner: a tie) or -1; None when it is none of the two."""
    sides = {"": 0, candidates[0]: 1, candidates[1]: -1}
    return sides.get(winner)


def is_annotator(name: str, wanted: Sequence[str]) -> bool:
    """Whether an annotator is among those wanted, by name or by kind: `human` takes `human-1`, too."""
    return not wanted or any(name == one or name.startswith(f"{one}-") for one in wanted)


def votes_by_request(
    labels: Iterable[Label], annotators: Sequence[str] = ()
) -> dict[str, dict[str, str]]:
    """Request id -> annotator -> winner's id, "" for a tie. The later label of an annotator counts."""
    votes: dict[str, dict[str, str]] = {}
    for label in labels:
        if is_annotator(label.annotator, annotators):
            votes.setdefault(label.request_id, {})[label.annotator] = label.winner
    return votes


def join(
    release: str,
    judged: Iterable[Judged],
    votes: Mapping[str, Mapping[str, str]],
    *,
    resamples: int = 1000,
) -> ReleaseAgreement:
    """Compare one release's verdicts with the majority of each request's annotators."""
    gold: list[Hashable] = []
    predicted: list[Hashable] = []
    undecided = mismatched = 0
    counts = BiasCounts()
    for one in judged:
        cast = votes.get(one.request_id)
        truth: Hashable = None
        if cast:
            counts += one.counts
            winner = majority(list(cast.values()))
            undecided += winner is None
            # a failed verdict does not say which candidate is which: any value but None counts it
            truth = winner
            if winner is not None and len(one.candidates) == 2:
                truth = side(winner, one.candidates)
                mismatched += truth is None
        gold.append(truth)
        predicted.append(one.outcome)
    compared = agreement(gold, predicted)
    rows = [(g, p) for g, p in zip(gold, predicted, strict=True) if g is not None and p is not None]
    return ReleaseAgreement(
        release=release,
        agreement=compared,
        intervals=_intervals(rows, resamples),
        undecided=undecided,
        mismatched=mismatched,
        position=tuple(m for m in report(counts) if m.name in POSITION_METRICS),
    )


_BOOTSTRAPPED: Mapping[str, Callable[[Agreement], float | None]] = {
    "precision": lambda a: a.precision,
    "recall": lambda a: a.recall,
    "f1": lambda a: a.f1,
}


def _intervals(rows: Sequence[Row], resamples: int) -> dict[str, Interval]:
    if not rows:
        return {}
    intervals = {"accuracy": wilson_score(sum(g == p for g, p in rows), len(rows))}
    for name, value in _BOOTSTRAPPED.items() if resamples else ():
        found = percentile_bootstrap(
            lambda drawn, value=value: value(  # type: ignore[misc]
                agreement([g for g, _ in drawn], [p for _, p in drawn])
            ),
            rows,
            seed=SEED,
            resamples=resamples,
        )
        if found is not None:
            intervals[name] = found
    return intervals
