"""`judgestream quality`: win and pass rates of systems, corrected for the judge's errors by labels."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Annotated

import typer

from judgestream.apps.cli.agreement_options import Annotators, ClusterBy, SegmentBy
from judgestream.apps.cli.reading import all_labels, all_verdicts
from judgestream.core.verdict_set import VerdictSet
from judgestream.evaluation.corrected import Corrected
from judgestream.evaluation.intervals import Interval
from judgestream.evaluation.labels import Ballots
from judgestream.evaluation.quality import Quality, QualityRow, SystemQuality, quality, quality_row
from judgestream.settings import load
from judgestream.terminal import options
from judgestream.terminal.exit_codes import ExitCode
from judgestream.terminal.output import OutputFormat, json_line, line, note, table

Segment = tuple[str, str]
RATES = {"win_rate": "win rate", "pass_rate": "pass rate"}  # nosec B105 - not a password


def command(
    release: options.Release = None,
    annotator: Annotators = None,
    since: options.Since = None,
    segment: SegmentBy = "",
    cluster_by: ClusterBy = "",
    pass_score: Annotated[
        float | None,
        typer.Option(
            metavar="SCORE", help="least score with which one answer passes without a rubric"
        ),
    ] = None,
    form: options.Format = OutputFormat.TEXT,
) -> None:
    """Win and pass rates of every system, corrected for the judge's errors by labels of the same requests.

    The judge's own rate is biased wherever it errs one way more than the other. Two corrections are shown,
    with intervals that include the labels' uncertainty: the prediction-powered estimate, which is the one to
    use, and Rogan and Gladen's. If labels state a sampling probability, each counts by its inverse. Pass
    rates are those of requests with one answer, which a rubric or --pass-score decides.
    docs/design/statistics.md defines the figures. Exits 1 if no verdict has a label.
    """
    kafka = load().kafka
    ballots = Ballots(all_labels(kafka), annotators=annotator or ())
    found: VerdictSet[tuple[Segment, QualityRow] | None] = VerdictSet()
    for _, verdict in all_verdicts(kafka, release=release, since=since):
        row = quality_row(verdict, pass_score=pass_score, cluster_key=cluster_by)
        key = (verdict.release, verdict.metadata.get(segment, "") if segment else "")
        found.add(verdict, None if row is None else (key, row))
    groups: defaultdict[Segment, list[QualityRow]] = defaultdict(list)
    for one in found:
        if one is not None:
            groups[one[0]].append(one[1])
    labelled = False
    for (name, value), rows in sorted(groups.items()):
        result = quality(rows, ballots)
        shown = {"release": name} | ({segment: value} if segment else {})
        labelled |= any(_rates(system) for system in result.systems)
        if form is OutputFormat.JSON:
            json_line(as_json(shown, result))
        else:
            print_quality(shown, result)
    if not labelled:
        note("nothing to correct by: no scored verdict that names its systems has a label")
        raise typer.Exit(ExitCode.NO)


def as_json(shown: Mapping[str, str], found: Quality) -> dict[str, object]:
    """The rates under one release as one JSON object."""
    return {
        **shown,
        "systems": [
            {"system": system.system, "verdicts": system.verdicts}
            | {name: _corrected_json(rate) for name, rate in _rates(system).items()}
            for system in found.systems
        ],
        "pass_labels": {
            name: {"value": one.value, "n": one.n} | _ends(one.interval)
            for name, one in found.figures.items()
        },
        "ambiguous": found.ambiguous,
    }


def print_quality(shown: Mapping[str, str], found: Quality) -> None:
    """The same as text."""
    line(", ".join(f"{key} {value or '(none)'}" for key, value in shown.items()))
    rows: list[tuple[object, ...]] = []
    for system in found.systems:
        for name, rate in _rates(system).items():
            rows.append((f"{system.system or '(none)'}, {RATES[name]}", *_row(rate)))
    if rows:
        head = ("system", "judge", "corrected", "95 % interval", "Rogan-Gladen", "n", "labels")
        table(head, rows)
    without = sum(not _rates(system) for system in found.systems)
    if without:
        line(f"{without} systems have no labelled verdict: their rates cannot be corrected")
    if found.ambiguous:
        line(f"{found.ambiguous} requests set aside: two contents under one id")
    if found.figures:
        line()
        line("the judge on labels of single answers:")
        table(
            ("figure", "value", "95 % interval", "n"),
            [
                (
                    name.replace("_", " "),
                    "-" if one.value is None else f"{one.value:.3f}",
                    ""
                    if one.interval is None
                    else f"{one.interval.low:.3f} to {one.interval.high:.3f}",
                    one.n,
                )
                for name, one in found.figures.items()
            ],
        )
    line()


def _rates(system: SystemQuality) -> dict[str, Corrected]:
    found = {name: getattr(system, name) for name in RATES}
    return {name: rate for name, rate in found.items() if rate is not None}


def _row(rate: Corrected) -> tuple[object, ...]:
    own = rate.prediction_powered
    classic = rate.rogan_gladen
    return (
        _percent(rate.judged.value),
        _percent(own.value),
        _span(own.interval),
        "-" if classic is None else f"{_percent(classic.value)} ({_span(classic.interval)})",
        rate.n,
        rate.labelled,
    )


def _corrected_json(rate: Corrected) -> dict[str, object]:
    own, classic = rate.prediction_powered, rate.rogan_gladen
    return {
        "judged": {"value": rate.judged.value} | _ends(rate.judged.interval),
        "prediction_powered": {"value": own.value, "verdict_weight": rate.verdict_weight}
        | _ends(own.interval),
        "rogan_gladen": None
        if classic is None
        else {"value": classic.value} | _ends(classic.interval),
        "n": rate.n,
        "labelled": rate.labelled,
        "weighted": rate.weighted,
        "unstated": rate.unstated,
    }


def _ends(interval: Interval | None) -> dict[str, object]:
    return {} if interval is None else {"low": interval.low, "high": interval.high}


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _span(interval: Interval | None) -> str:
    return "" if interval is None else f"{100 * interval.low:.1f} to {100 * interval.high:.1f}"
