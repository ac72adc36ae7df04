"""`judgestream bias report|recompute|rebuild|dashboard`: bias metrics of the judge from live verdicts."""

import asyncio
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic
from typing import Annotated

import typer

from judgestream.apps.cli.health_page import health_page
from judgestream.apps.cli.reading import all_verdicts, everything
from judgestream.contracts.codecs.bias import bias_report_to_message
from judgestream.contracts.topics import ALARMS, BIAS
from judgestream.core.errors import ConfigurationError
from judgestream.evaluation.contribution import contribution
from judgestream.evaluation.probes import Metric, N, complete, report, total
from judgestream.evaluation.probes.position import ORDERED
from judgestream.evaluation.recount import Recount
from judgestream.settings import Kafka, Settings, load
from judgestream.terminal import options
from judgestream.terminal.exit_codes import ExitCode
from judgestream.terminal.output import OutputFormat, json_line, line, note, table
from judgestream.v1.bias_pb2 import Alarm, BiasReport

app = typer.Typer(no_args_is_help=True, help="Bias metrics of the judge from live verdicts.")


@app.command("report")
def report_command(
    release: options.Release = None,
    last: Annotated[
        int | None, typer.Option(min=1, help="only the newest windows of each release")
    ] = None,
    since: options.Since = None,
    from_topic: Annotated[
        bool,
        typer.Option("--from-topic", help="recount the windows from the verdict topic"),
    ] = False,
    html: Annotated[
        Path | None,
        typer.Option("--html", help="write a page with charts to this file instead"),
    ] = None,
    form: options.Format = OutputFormat.TEXT,
) -> None:
    """Print the newest revision of every window that the bias worker published, oldest window first.

    With --from-topic the windows are counted here, from the verdicts that are on the topic now; neither the
    bias worker nor Redis is needed. Exits 1 if there are none.
    """
    settings = load()
    if from_topic:
        windows = list(_recounted(settings, release, since))
    else:
        windows = _published(settings.kafka, release, since)
    windows = _last(windows, last)
    if html is not None and windows:
        alarms = [one for one in _alarms(settings.kafka) if release in (None, one.release)]
        _write(html, health_page(windows, alarms, made_at=datetime.now(UTC)))
        line(f"{html}: {len(windows)} window{'s' if len(windows) > 1 else ''}")
    for window in windows if html is None else ():
        if form is OutputFormat.JSON:
            json_line(window)
        else:
            _tell_window(window)
    if not windows:
        note(
            "there are no verdicts"
            if from_topic
            else "no bias report is published yet: start `judgestream worker bias`, or use"
            " `judgestream bias report --from-topic`, which needs no worker"
        )
        raise typer.Exit(ExitCode.NO)


@app.command()
def recompute(
    release: options.Release = None,
    since: options.Since = None,
    form: options.Format = OutputFormat.TEXT,
) -> None:
    """Compute the metrics over all time from the verdict topic. Every judgement counts once; test requests
    and follow-up questions do not count.

    Needs neither the bias worker nor Redis. Exits 1 if there are no verdicts.
    """
    totals = _recount(load().kafka, release, since).releases()
    for name, by_prompt in sorted(totals.items()):
        counts, metrics = total(by_prompt.values()), report(by_prompt.values())
        if form is OutputFormat.JSON:
            json_line(
                {
                    "release": name,
                    "counts": complete(counts),
                    "metrics": [_as_json(metric) for metric in metrics],
                }
            )
        else:
            line(f"release {name or '(none)'}, {counts[N]} verdicts")
            table(HEAD, [_row(m.name, m.value, _ends(m), m.n) for m in metrics])
            _tell_one_order(counts)
            line()
    if not totals:
        note("there are no verdicts")
        raise typer.Exit(ExitCode.NO)


@app.command()
def rebuild() -> None:
    """Rebuild the counters in Redis from the verdict topic, for example after Redis has lost its data.

    Workers may run meanwhile. Afterwards every window that still has verdicts on the topic is reported again.
    """
    from judgestream.apps.bias.rebuilding import Rebuilt
    from judgestream.apps.bias.rebuilding import rebuild as rebuild_counters

    told_at = monotonic()

    def tell(done: Rebuilt) -> None:
        nonlocal told_at
        if monotonic() - told_at > PROGRESS_S:
            told_at = monotonic()
            note(f"{done.read:,} verdicts read")

    done = asyncio.run(rebuild_counters(load(), on_skip=note, on_progress=tell))
    line(f"{done.counted:,} verdicts counted, {done.read - done.counted:,} were repetitions")


@app.command()
def dashboard() -> None:
    """Print a Grafana dashboard of the bias metrics, alarms and workers, to be imported as JSON."""
    from judgestream.dashboards.judge_health import DASHBOARD

    line(json.dumps(DASHBOARD.model(), indent=2))


PROGRESS_S = 5.0


def _alarms(kafka: Kafka) -> list[Alarm]:
    """The newest state of every alarm."""
    newest: dict[str, Alarm] = {}
    for _, message in everything(kafka, ALARMS, Alarm):
        if message.state not in Alarm.State.values():
            note(
                f"alarm {message.rule} of {message.release} is left out: state {message.state} is unknown:"
                " a newer version wrote it"
            )
            continue
        newest[message.alarm_id] = message
    return list(newest.values())


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as exc:
        raise ConfigurationError(f"{path} cannot be written: {exc.strerror or exc}") from exc


def _published(kafka: Kafka, release: str | None, since: datetime | None) -> list[BiasReport]:
    """The newest revision of every window."""
    newest: dict[str, BiasReport] = {}
    for _, message in everything(kafka, BIAS, BiasReport, since=since):
        if release is None or message.release == release:
            known = newest.get(message.report_id)
            if known is None or _age(message) >= _age(known):
                newest[message.report_id] = message
    return list(newest.values())


def _recount(kafka: Kafka, release: str | None, since: datetime | None) -> Recount:
    found = Recount()
    for _, verdict in all_verdicts(kafka, release=release, since=since):
        if verdict.is_counted:
            try:
                found.add(contribution(verdict))
            except ValueError as exc:
                note(f"skipped verdict {verdict.verdict_id[:32]!r}: {exc}")
    return found


def _recounted(
    settings: Settings, release: str | None, since: datetime | None
) -> Iterator[BiasReport]:
    """A report of every window that has verdicts on the topic."""
    size, hop = (timedelta(seconds=s) for s in (settings.bias.window_s, settings.bias.hop))
    now = datetime.now(UTC)
    windows = _recount(settings.kafka, release, since).windows(size, hop)
    for (name, window), by_prompt in windows.items():
        yield bias_report_to_message(
            release=name,
            start=window.start,
            end=window.end,
            counts=complete(total(by_prompt.values())),
            metrics=report(by_prompt.values()),
            revision=0,
            final=False,
            late=0,
            published_at=now,
        )


HEAD = ("metric", "value", "interval", "n")


def _age(message: BiasReport) -> tuple[int, bool]:
    return message.revision, message.final


def _last(windows: Iterable[BiasReport], last: int | None) -> list[BiasReport]:
    """By release, then by time; of each release the newest `last`."""
    by_release: dict[str, list[BiasReport]] = {}
    for window in sorted(windows, key=lambda window: window.window_start.ToNanoseconds()):
        by_release.setdefault(window.release, []).append(window)
    return [
        window
        for _, of_release in sorted(by_release.items())
        for window in of_release[-(last or 0) :]
    ]


def _tell_window(window: BiasReport) -> None:
    state = "recounted" if not window.revision else "final" if window.final else "growing"
    line(
        f"release {window.release}, {window.window_start.ToJsonString()} to"
        f" {window.window_end.ToJsonString()}, {window.counts['n']} verdicts, {state}"
        + (f", {window.late} late" if window.late else "")
    )
    rows = []
    for metric in window.metrics:
        value = metric.value if metric.HasField("value") else None
        ends = None
        if metric.HasField("interval"):
            ends = (metric.interval.low, metric.interval.high)
        rows.append(_row(metric.name, value, ends, metric.n))
    table(HEAD, rows)
    _tell_one_order(window.counts)
    line()


def _tell_one_order(counts: Mapping[str, int]) -> None:
    """Say why there are no figures of position bias."""
    if counts.get("scored", 0) and not counts.get(ORDERED, 0):
        line(
            "no verdict rests on both orders, as with a reward model: position bias is not measured"
        )


def _ends(metric: Metric) -> tuple[float, float] | None:
    return None if metric.interval is None else (metric.interval.low, metric.interval.high)


def _row(
    name: str, value: float | None, ends: Sequence[float] | None, n: int
) -> tuple[str, str, str, int]:
    shown = "-" if value is None else f"{100 * value:.1f} %"
    return name, shown, "" if ends is None else f"{100 * ends[0]:.1f} to {100 * ends[1]:.1f}", n


def _as_json(metric: Metric) -> dict[str, object]:
    shown: dict[str, object] = {"name": metric.name, "value": metric.value, "n": metric.n}
    if metric.interval is not None:
        shown |= {
            "low": metric.interval.low,
            "high": metric.interval.high,
            "level": metric.interval.level,
            "method": metric.interval.method,
        }
    return shown
