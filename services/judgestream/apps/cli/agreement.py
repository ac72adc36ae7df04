"""`judgestream agreement`: how far the judge agrees with people, a teacher, or a known truth."""

from collections.abc import Sequence
from typing import Annotated

import typer

from judgestream.apps.cli import options
from judgestream.apps.cli.exit_codes import ExitCode
from judgestream.apps.cli.label_join import Judged, ReleaseAgreement, join, votes_by_request
from judgestream.apps.cli.output import OutputFormat, json_line, line, note, table
from judgestream.apps.cli.reading import all_verdicts, everything
from judgestream.apps.cli.verdict_set import VerdictSet
from judgestream.contracts.codecs import label_from_message
from judgestream.contracts.topics import LABELS
from judgestream.core.bias.report import Metric
from judgestream.core.stats.intervals import Interval
from judgestream.settings import load
from judgestream.v1.judging_pb2 import Label as LabelMessage

RATES = ("accuracy", "precision", "recall", "f1")
OUTCOMES = {1: "first", 0: "tie", -1: "second"}


def agreement(
    release: options.Release = None,
    annotator: Annotated[
        list[str] | None,
        typer.Option(
            help="only these annotators, by name or kind (human takes human-1); repeatable"
        ),
    ] = None,
    since: options.Since = None,
    resamples: Annotated[
        int, typer.Option(min=0, help="of the bootstrap of precision, recall and F1; 0 = none")
    ] = 1000,
    min_accuracy: Annotated[
        float | None, typer.Option(min=0, max=1, help="exit 1 when a release is below this")
    ] = None,
    form: options.Format = OutputFormat.TEXT,
) -> None:
    """Compare each release's verdicts with the majority of the labels of the same requests.

    Rates are over verdicts that are scored and have a majority label; what is left out is counted beside
    them. Precision, recall and F1 are unweighted means over the outcomes first, tie, second. Position
    metrics are over the labelled verdicts. Exits 1 when there is nothing to compare.
    """
    kafka = load().kafka
    votes = votes_by_request(
        (label_from_message(message) for _, message in everything(kafka, LABELS, LabelMessage)),
        annotator or (),
    )
    judged: VerdictSet[Judged | None] = VerdictSet()
    for _, verdict in all_verdicts(kafka, release=release, since=since):
        judged.add(verdict, Judged.of(verdict))
    by_release: dict[str, list[Judged]] = {}
    for one in judged:
        if one is not None:
            by_release.setdefault(one.release, []).append(one)
    results = [
        join(name, found, votes, resamples=resamples) for name, found in sorted(by_release.items())
    ]
    for result in results:
        if form is OutputFormat.JSON:
            json_line(as_json(result))
        else:
            _tell(result)
    answered = {one.request_id for found in by_release.values() for one in found}
    without = len(votes.keys() - answered)
    if without:
        note(f"{without} labelled requests have no verdict")
    if not any(result.agreement.n for result in results):
        note("nothing to compare: no scored verdict has a majority label")
        raise typer.Exit(ExitCode.NO)
    if min_accuracy is not None:
        _gate(results, min_accuracy)


def as_json(result: ReleaseAgreement) -> dict[str, object]:
    """The report as one JSON object. Rates are shares, 0 to 1, null where nothing was compared."""
    found = result.agreement
    rates: dict[str, object] = {
        name: _value(getattr(found, name), result.intervals.get(name)) for name in RATES
    }
    return {
        "release": result.release,
        "n": found.n,
        "unscored": found.unscored,
        "without_label": found.unlabelled - result.undecided - result.mismatched,
        "no_majority": result.undecided,
        "mismatched": result.mismatched,
        **rates,
        "confusion": [
            {"gold": _named(gold), "judge": _named(judge), "count": count}
            for (gold, judge), count in sorted(found.confusion.items(), key=str)
        ],
        "position": {m.name: _value(m.value, m.interval) | {"n": m.n} for m in result.position},
    }


def _value(value: float | None, interval: Interval | None) -> dict[str, object]:
    shown: dict[str, object] = {"value": value}
    if interval is not None:
        shown |= {"low": interval.low, "high": interval.high, "method": interval.method}
    return shown


def _tell(result: ReleaseAgreement) -> None:
    found = result.agreement
    line(f"release {result.release or '(none)'}")
    line(
        f"compared {found.n}, unscored {found.unscored},"
        f" without label {found.unlabelled - result.undecided - result.mismatched},"
        f" without majority {result.undecided}"
        + (f", label names no candidate {result.mismatched}" if result.mismatched else "")
    )
    line()
    rows = [_row(name, getattr(found, name), result.intervals.get(name), found.n) for name in RATES]
    table(("metric", "value", "interval", "n"), rows + [_metric_row(m) for m in result.position])
    line()
    head = ("label \\ judge", *OUTCOMES.values())
    table(
        head,
        [
            (name, *(found.confusion.get((gold, judge), 0) for judge in OUTCOMES))
            for gold, name in OUTCOMES.items()
        ],
    )
    line()


def _metric_row(metric: Metric) -> tuple[str, str, str, int]:
    return _row(metric.name, metric.value, metric.interval, metric.n)


def _row(
    name: str, value: float | None, interval: Interval | None, n: int
) -> tuple[str, str, str, int]:
    """A row of a metrics table, in per cent."""
    shown = "-" if value is None else f"{100 * value:.1f} %"
    ends = "" if interval is None else f"{100 * interval.low:.1f} to {100 * interval.high:.1f}"
    return name, shown, ends, n


def _named(outcome: object) -> str:
    return OUTCOMES[outcome] if isinstance(outcome, int) else str(outcome)


def _gate(results: Sequence[ReleaseAgreement], least: float) -> None:
    short = [r for r in results if r.agreement.accuracy is None or r.agreement.accuracy < least]
    for result in short:
        note(f"release {result.release}: accuracy is below {least}")
    if short:
        raise typer.Exit(ExitCode.NO)
