"""Every measure of a judge on one set of items, as an estimate with its 95 % interval."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

from judgestream.evaluation.calibration import Calibration, calibration
from judgestream.evaluation.clusters import Mean, clustered_share
from judgestream.evaluation.confusion_figures import macro_figures
from judgestream.evaluation.delta import Figure
from judgestream.evaluation.intervals import Interval
from judgestream.evaluation.pair_outcome import PairOutcome
from judgestream.evaluation.position import position_means

MEASURES = (
    *("accuracy", "precision", "recall", "f1"),
    *("consistency", "toward_first", "toward_second", "delta_bias"),
    *("ece", "unscored"),
)
"""Names of `estimates`, in the order in which cards show them."""

_POSITION = {
    "consistency": "flip_consistency",
    "toward_first": "bias_toward_first",
    "toward_second": "bias_toward_second",
    "delta_bias": "delta_bias",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Estimate:
    """A measure, 0 to 1, with its 95 % interval.

    Never NaN. Where all items share one question nothing shows how questions vary: the interval is 0 to 1.
    """

    share: float
    low: float
    high: float


def estimates(outcomes: Sequence[PairOutcome]) -> dict[str, Estimate]:
    """Every measure in `MEASURES`. All but `unscored` are over the items with a verdict.

    Items of one question are not independent: intervals count questions.

    Raises:
        ValueError: no item has a verdict, or none was read in both orders.
    """
    # the published estimate is biased upward; the interval is that of the true error
    error = _calibration(outcomes)
    read = [outcome for outcome in outcomes if outcome.verdict is not None]
    clusters = _clusters(read)
    macro = macro_figures([(one.truth, one.verdict) for one in read], clusters)
    found = {
        "accuracy": _estimate(clustered_share([one.right for one in read], clusters)),
        **{name: _estimate(figure) for name, figure in macro.items()},
        **_position_estimates(read),
        "ece": _between(error.ece, error.interval),
        "unscored": _estimate(
            clustered_share([one.verdict is None for one in outcomes], _clusters(outcomes))
        ),
    }
    return {name: found[name] for name in MEASURES}


def ece_if_calibrated(outcomes: Sequence[PairOutcome]) -> float:
    """The mean calibration error that a perfectly calibrated judge with these confidences shows.

    Raises:
        ValueError: no item has a verdict.
    """
    return _calibration(outcomes).if_calibrated


def _calibration(outcomes: Sequence[PairOutcome]) -> Calibration:
    read = [outcome for outcome in outcomes if outcome.verdict is not None]
    result = calibration([one.confidence for one in read], [one.right for one in read])
    if result is None:
        raise ValueError(f"none of {len(outcomes)} items could be read")
    return result


def _position_estimates(read: Sequence[PairOutcome]) -> Mapping[str, Estimate]:
    both = [(one.lean, cluster) for one, cluster in zip(read, _clusters(read), strict=True)]
    ordered = [(leaning, cluster) for leaning, cluster in both if leaning is not None]
    means = position_means([leaning for leaning, _ in ordered], [cluster for _, cluster in ordered])
    if not means:
        raise ValueError("no item was read in both orders")
    return {name: _estimate(means[published]) for name, published in _POSITION.items()}


def _clusters(outcomes: Sequence[PairOutcome]) -> list[Hashable]:
    return [outcome.cluster or k for k, outcome in enumerate(outcomes)]


def _estimate(of: Mean | Figure | None) -> Estimate:
    """0 for an undefined measure, such as the precision of no class."""
    return (
        Estimate(share=0.0, low=0.0, high=1.0)
        if of is None
        else _between(of.value or 0.0, of.interval)
    )


def _between(value: float, interval: Interval | None) -> Estimate:
    if interval is None:
        return Estimate(share=value, low=0.0, high=1.0)
    return Estimate(share=value, low=min(interval.low, value), high=max(interval.high, value))
