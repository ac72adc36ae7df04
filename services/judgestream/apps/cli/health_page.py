"""The page of `judgestream bias report --html`: a chart of every metric, in one self-contained file."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from html import escape

from google.protobuf.timestamp_pb2 import Timestamp

from judgestream.apps.cli.line_chart import Point, line_chart
from judgestream.evaluation.alarms.policy import METRICS
from judgestream.v1.bias_pb2 import Alarm, BiasMetric, BiasReport

MAX_WINDOWS = 1000
"""Windows of a release on the page: the newest. More points than pixels help nobody."""

STYLE = """
:root { color-scheme: light dark }
:root { --ink: #1c2430; --dim: #667; --grid: #8884; --line: #2f6fb3; --bad: #b3261e }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e9ef; --dim: #9aa; --line: #7ab3ef; --bad: #ff8a80 }
}
body { font: 15px/1.45 system-ui, sans-serif; color: var(--ink) }
body { max-width: 1360px; margin: 2em auto; padding: 0 1em }
h1, h2 { font-weight: 600 } h3 { font-size: 1em; margin: 0 } p { margin: .3em 0; color: var(--dim) }
.charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 420px), 1fr)); gap: 1.6em }
svg { width: 100%; height: auto } text { font-size: 11px; fill: var(--dim) }
.grid { stroke: var(--grid) } .line { fill: none; stroke: var(--line); stroke-width: 1.6 }
.band { fill: var(--line); opacity: .16 } .bar { stroke: var(--line); opacity: .45 }
circle { fill: var(--line) }
.limit { stroke: var(--bad); stroke-dasharray: 5 4 } .raised { color: var(--bad) }
table { border-collapse: collapse } td, th { text-align: left; padding: .2em 1.2em .2em 0 }
.wide { overflow-x: auto }
"""


def health_page(
    reports: Sequence[BiasReport], alarms: Iterable[Alarm], *, made_at: datetime
) -> str:
    """The page.

    Args:
        reports: of the windows to show, by release and time.
        alarms: the newest state of each.
    """
    states = list(alarms)
    releases: dict[str, list[BiasReport]] = {}
    for report in reports:
        releases.setdefault(report.release, []).append(report)
    body = [
        "<h1>Judge health</h1>",
        f"<p>Made at {made_at:%Y-%m-%d %H:%M:%S} UTC by <code>judgestream bias report --html</code>."
        " Bands and bars are 95 % intervals that count prompts. Times are UTC.</p>",
        _alarm_table(states),
    ]
    for release, windows in releases.items():
        limits = {one.metric: one.limit for one in states if one.release == release}
        body += _section(release, windows[-MAX_WINDOWS:], limits)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Judge health</title><style>{STYLE}</style></head><body>{''.join(body)}</body></html>\n"
    )


def _alarm_table(alarms: Sequence[Alarm]) -> str:
    raised = [one for one in alarms if one.state == Alarm.STATE_RAISED]
    if not raised:
        return "<p>No alarm is raised.</p>"
    rows = [
        f'<tr><td class="raised">{escape(one.release)}</td><td>{escape(one.rule)}</td>'
        f"<td>{escape(one.metric)} {one.value:.1%}, an alarm {escape(one.side)} {one.limit:.1%}</td>"
        f"<td>{_time(one.window_start):%Y-%m-%d %H:%M:%S}</td></tr>"
        for one in sorted(raised, key=lambda one: (one.release, one.rule))
    ]
    return (
        f'<h2 class="raised">{len(raised)} alarm{"s" if len(raised) > 1 else ""} raised</h2><div'
        ' class="wide"><table><tr><th>release</th><th>rule</th><th>metric</th><th>window</th></tr>'
        f"{''.join(rows)}</table></div>"
    )


def _section(release: str, windows: Sequence[BiasReport], limits: dict[str, float]) -> list[str]:
    first, last = _time(windows[0].window_start), max(_time(one.window_end) for one in windows)
    total = sum(one.counts["n"] for one in windows)
    head = (
        f"<h2>{escape(release) or '(no release)'}</h2>"
        f"<p>{len(windows)} window{'s' if len(windows) > 1 else ''} from"
        f" {first:%Y-%m-%d %H:%M:%S} to {last:%Y-%m-%d %H:%M:%S}, {total:,} verdicts counted in them.</p>"
    )
    charts, without = list[str](), list[str]()
    for name, definition in METRICS.items():
        points = [point for one in windows if (point := _point(one, name)) is not None]
        if not points:
            without.append(name)
            continue
        chart = line_chart(
            points, title=f"{name} of {release}", span=(first, last), limit=limits.get(name)
        )
        charts.append(
            f"<section><h3>{escape(name)}</h3><p>{escape(definition.meaning)}</p>{chart}</section>"
        )
    note = f"<p>Not measured: {escape(', '.join(without))}.</p>" if without else ""
    return [head, f'<div class="charts">{"".join(charts)}</div>', note]


def _point(report: BiasReport, name: str) -> Point | None:
    metric = next((one for one in report.metrics if one.name == name), None)
    if metric is None or not metric.HasField("value"):
        return None
    return Point(
        start=_time(report.window_start),
        end=_time(report.window_end),
        value=metric.value,
        n=metric.n,
        interval=_interval(metric),
    )


def _interval(metric: BiasMetric) -> tuple[float, float] | None:
    return (metric.interval.low, metric.interval.high) if metric.HasField("interval") else None


def _time(stamp: Timestamp) -> datetime:
    return stamp.ToDatetime(tzinfo=UTC)
