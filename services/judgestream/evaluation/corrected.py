"""Quality corrected for the judge's errors: win and pass rates from many verdicts and a few labels.

A judge's own rate is biased wherever it errs one way more than the other. Labels on a sample of the same
requests show how it errs. Two corrections, both unbiased whatever the judge does:

- prediction-powered: the judge's rate plus the mean of (label - verdict) on the labelled ones, with the
  weight of the verdicts that minimises the variance (Angelopoulos et al. 2023, PPI++, arXiv 2311.01453);
- Rogan and Gladen's (1978, Am. J. Epidemiol. 107:71): the rate that would give the judge's own rate, given
  how often each true outcome is called which. Here for any number of outcomes.

Labels may be sampled with known, unequal probabilities: each then counts with the inverse (Hajek).
"""

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt

from judgestream.core.matrices import cholesky, solve
from judgestream.evaluation.clusters import Mean, clustered_mean, freedom_of
from judgestream.evaluation.intervals import LEVEL, Interval
from judgestream.evaluation.quantiles import student_t

FARTHEST = 10.0
"""Rogan and Gladen's correction has no value where it would weigh a verdict by more than this: such a judge
hardly separates the outcomes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Judged:
    """One verdict's outcome, and its label where there is one.

    probability   with which it was chosen for labelling, above 0 to 1; None: not stated
    """

    outcome: Hashable
    label: Hashable | None
    cluster: Hashable
    probability: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Estimate:
    """A corrected rate, 0 to 1. The interval includes the uncertainty of the correction."""

    value: float
    interval: Interval | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Corrected:
    """The judge's own rate over `n` verdicts, and its corrections by `labelled` labels.

    verdict_weight   of the verdicts in the prediction-powered estimate: 1 trusts them fully, 0 is the mean of
                     the labels alone
    rogan_gladen     None where the labels have one outcome only, or the judge hardly separates their
                     outcomes, see `FARTHEST`
    weighted         whether labels count by the inverse of their sampling probability
    unstated         labels set aside because they state no probability, while others do
    """

    judged: Mean
    n: int
    labelled: int
    prediction_powered: Estimate
    verdict_weight: float
    rogan_gladen: Estimate | None
    weighted: bool
    unstated: int


def corrected(
    items: Sequence[Judged], payoff: Mapping[Hashable, float], *, level: float = LEVEL
) -> Corrected | None:
    """The rate of `payoff` over all items, corrected by those with a label. None without labels.

    Args:
        payoff: what each outcome counts, 0 to 1: for a win rate 1, .5 and 0; for a pass rate 1 and 0.

    Raises:
        ValueError: an outcome or label without a payoff, a payoff outside 0 to 1, or an impossible
            probability.
    """
    _check(items, payoff)
    weighted = any(one.label is not None and one.probability is not None for one in items)
    weights = [
        0.0
        if one.label is None or (weighted and one.probability is None)
        else 1.0 / (one.probability or 1.0)
        for one in items
    ]
    if not any(weights):
        return None
    judged = clustered_mean(
        [payoff[one.outcome] for one in items], [one.cluster for one in items], level=level
    )
    if judged is None:
        return None
    labelled = sum(weight > 0.0 for weight in weights)
    sample = _Sample(items=items, weights=weights, payoff=payoff, level=level)
    powered, share = sample.prediction_powered()
    return Corrected(
        judged=judged,
        n=len(items),
        labelled=labelled,
        prediction_powered=powered,
        verdict_weight=share,
        rogan_gladen=sample.rogan_gladen(),
        weighted=weighted,
        unstated=sum(one.label is not None for one in items) - labelled,
    )


def _check(items: Iterable[Judged], payoff: Mapping[Hashable, float]) -> None:
    for value in payoff.values():
        if not 0.0 <= value <= 1.0:
            raise ValueError(f"a payoff of {value} is impossible: use 0 to 1")
    for one in items:
        for outcome in (one.outcome, one.label):
            if outcome is not None and outcome not in payoff:
                raise ValueError(f"{outcome!r} has no payoff: give one for each outcome")
        if one.probability is not None and not 0.0 < one.probability <= 1.0:
            raise ValueError(
                f"a sampling probability of {one.probability} is impossible: use above 0 to 1"
            )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Sample:
    items: Sequence[Judged]
    weights: Sequence[float]
    payoff: Mapping[Hashable, float]
    level: float

    def prediction_powered(self) -> tuple[Estimate, float]:
        said = [self.payoff[one.outcome] for one in self.items]
        true = [0.0 if one.label is None else self.payoff[one.label] for one in self.items]
        total = sum(self.weights)
        mean = sum(said) / len(said)
        on_labelled = self._weighted(said)
        label_mean = self._weighted(true)
        labels = self._by_cluster(
            w * (y - label_mean) / total for w, y in zip(self.weights, true, strict=True)
        )
        verdicts = self._by_cluster(
            (f - mean) / len(said) - w * (f - on_labelled) / total
            for w, f in zip(self.weights, said, strict=True)
        )
        spread = sum(value * value for value in verdicts.values())
        along = sum(labels[key] * value for key, value in verdicts.items())
        share = min(1.0, max(0.0, -along / spread)) if spread > 0.0 else 0.0
        parts = [labels[key] + share * verdicts[key] for key in labels]
        value = label_mean + share * (mean - on_labelled)
        return self._estimate(value, parts, float("inf"), 1.0), share

    def rogan_gladen(self) -> Estimate | None:
        rows: defaultdict[Hashable, Counter[Hashable]] = defaultdict(Counter)
        counts: Counter[Hashable] = Counter()
        for one, weight in zip(self.items, self.weights, strict=True):
            if weight > 0.0:
                rows[one.label][one.outcome] += weight  # type: ignore[assignment]
                counts[one.label] += 1
        worth = _worth(rows, self.payoff)
        if worth is None:
            return None
        total = sum(self.weights)
        said = [worth.get(one.outcome, self.payoff[one.outcome]) for one in self.items]
        mean = sum(said) / len(said)
        parts = self._by_cluster(
            (f - mean) / len(said)
            - (w * (f - self.payoff[one.label]) / total if one.label is not None else 0.0)
            for one, w, f in zip(self.items, self.weights, said, strict=True)
        )
        own: Counter[Hashable] = Counter()
        for one, w, f in zip(self.items, self.weights, said, strict=True):
            if one.label is not None:
                own[one.label] += (w * (f - self.payoff[one.label]) / total) ** 2  # type: ignore[assignment]
        whole = sum(own.values())
        by_class = sum(part**2 / max(1, counts[name] - 1) for name, part in own.items())
        freedom = whole**2 / by_class if by_class > 0.0 else float("inf")
        reach = max(worth.values()) - min(worth.values())
        return self._estimate(mean, list(parts.values()), freedom, reach)

    def _weighted(self, values: Sequence[float]) -> float:
        return sum(w * v for w, v in zip(self.weights, values, strict=True)) / sum(self.weights)

    def _by_cluster(self, parts: Iterable[float]) -> dict[Hashable, float]:
        totals: defaultdict[Hashable, float] = defaultdict(float)
        for one, part in zip(self.items, parts, strict=True):
            totals[one.cluster] += part
        return totals

    def _estimate(
        self, value: float, parts: Sequence[float], freedom: float, reach: float
    ) -> Estimate:
        """The estimate with Student's interval, which reaches no farther than 0 and 1.

        parts     each cluster's influence on the value
        freedom   an upper bound of the degrees of freedom
        reach     what one wrong verdict more among the labels would count: that much variance is added, since
                  few labels without an error do not show that there are none
        """
        held = {
            one.cluster
            for one, weight in zip(self.items, self.weights, strict=True)
            if weight > 0.0
        }
        count = len(held)
        inside = min(1.0, max(0.0, value))
        if count < 2:
            return Estimate(value=inside, interval=None)
        squares = [part * part for part in parts]
        size = min(count, sum(self.weights) ** 2 / sum(w * w for w in self.weights))
        variance = sum(squares) * count / (count - 1) + reach**2 / (size * (size + 2.0))
        half = student_t(
            self.level, max(1.0, min(freedom_of(squares), freedom, count - 1.0))
        ) * sqrt(variance)
        return Estimate(
            value=inside,
            interval=Interval(
                low=min(inside, max(0.0, value - half)),
                high=max(inside, min(1.0, value + half)),
                level=self.level,
                method="corrected by labels, clustered",
            ),
        )


def _worth(
    rows: Mapping[Hashable, Mapping[Hashable, float]], payoff: Mapping[Hashable, float]
) -> dict[Hashable, float] | None:
    """What each of the judge's outcomes is worth, so that the mean worth given a true outcome is its payoff.

    The smallest such weights, where the judge has more outcomes than the labels. None where true outcomes are
    called alike, and where the labels have one payoff only.
    """
    truths = list(rows)
    if len({payoff[truth] for truth in truths}) < 2:
        return None
    outcomes = list(dict.fromkeys(name for row in rows.values() for name in row))
    shares = [[rows[t].get(o, 0.0) / sum(rows[t].values()) for o in outcomes] for t in truths]
    products = [
        [sum(a * b for a, b in zip(one, other, strict=True)) for other in shares] for one in shares
    ]
    root = cholesky(products)
    if not all(root[k][k] > 1e-3 for k in range(len(truths))):
        return None
    solved = solve(root, [payoff[t] for t in truths])
    worth = {
        o: sum(s * row[k] for s, row in zip(solved, shares, strict=True))
        for k, o in enumerate(outcomes)
    }
    return worth if max(map(abs, worth.values())) <= FARTHEST else None
