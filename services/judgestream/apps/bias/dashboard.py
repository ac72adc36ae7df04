"""The Grafana dashboard of the judge's health, made from the metrics that the workers export.

`judgestream bias dashboard` prints it; `deploy/grafana/judge-health.json` is a copy.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import count

from prometheus_client.metrics import MetricWrapperBase

from judgestream.apps.worker import metrics
from judgestream.evaluation.alarms.policy import METRICS

Json = Mapping[str, object]

WIDTH = 24
"""Columns of Grafana's grid."""
RELEASES = 'release=~"$release"'
SOURCE: Json = {"type": "prometheus", "uid": "${datasource}"}


def dashboard() -> Json:
    """Grafana's model of the dashboard, schema 39 (Grafana 10 and later)."""
    return {
        "uid": "judgestream-judge-health",
        "title": "judgestream: judge health",
        "tags": ["judgestream"],
        "schemaVersion": 39,
        "editable": True,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {"list": [_datasource(), _release()]},
        "panels": _placed(list(_panels())),
    }


def _panels() -> Iterator[tuple[int, Json]]:
    """Every panel with its width."""
    raised = f"sum by (release, rule) ({_of(metrics.alarm_raised)}) > 0"
    yield 16, _panel("table", "Raised alarms", [(raised, "{{release}} {{rule}}")], instant=True)
    verdicts = f"sum by (release) ({_of(metrics.bias_verdicts)})"
    yield 8, _panel("timeseries", "Verdicts in the newest window", [(verdicts, "{{release}}")])
    for name, definition in METRICS.items():
        curves = [
            (f"max by (release) ({_of(gauge, name)})", "{{release}}" + word)
            for gauge, word in (
                (metrics.bias_value, ""),
                (metrics.bias_low, " low"),
                (metrics.bias_high, " high"),
            )
        ]
        shares = {"unit": "percentunit", "min": 0, "max": 1}
        yield 8, _panel("timeseries", name, curves, about=definition.meaning, defaults=shares)
    for title, counter, label in (
        ("Verdicts counted per second", metrics.bias_verdicts_counted, "outcome"),
        ("Records set aside per second", metrics.set_aside, "reason"),
        ("Alarms raised and cleared per second", metrics.alarm_changes, "state"),
        ("Webhook deliveries per second", metrics.alarm_webhook, "outcome"),
    ):
        query = f"sum by ({label}) (rate({_name(counter)}_total[5m]))"
        yield 8, _panel("timeseries", title, [(query, f"{{{{{label}}}}}")])
    late = f"sum(rate({_name(metrics.bias_late)}_total[5m]))"
    yield 8, _panel("timeseries", "Late verdicts per second", [(late, "late")])
    lag = f"sum by (instance) ({_name(metrics.lag)})"
    yield 8, _panel("timeseries", "Lag in records", [(lag, "{{instance}}")])


def _name(metric: MetricWrapperBase) -> str:
    return next(iter(metric.describe())).name


def _of(metric: MetricWrapperBase, shown: str = "") -> str:
    """The series of the chosen releases, of one bias metric or of all."""
    labels = f'{RELEASES},metric="{shown}"' if shown else RELEASES
    return f"{_name(metric)}{{{labels}}}"


def _panel(
    kind: str,
    title: str,
    queries: Sequence[tuple[str, str]],
    *,
    about: str = "",
    instant: bool = False,
    defaults: Json | None = None,
) -> Json:
    return {
        "type": kind,
        "title": title,
        "description": about,
        "datasource": SOURCE,
        "fieldConfig": {"defaults": defaults or {}, "overrides": []},
        "options": {},
        "targets": [
            {
                "refId": chr(ord("A") + number),
                "datasource": SOURCE,
                "expr": query,
                "legendFormat": legend,
                "instant": instant,
                "range": not instant,
                **({"format": "table"} if kind == "table" else {}),
            }
            for number, (query, legend) in enumerate(queries)
        ],
    }


def _placed(panels: Sequence[tuple[int, Json]]) -> list[Json]:
    """The panels from left to right, with their ids."""
    ids, placed, x, y, height = count(1), list[Json](), 0, 0, 8
    for width, panel in panels:
        if x + width > WIDTH:
            x, y = 0, y + height
        at = {"x": x, "y": y, "w": width, "h": height}
        placed.append({"id": next(ids), "gridPos": at, **panel})
        x += width
    return placed


def _datasource() -> Json:
    return {
        "name": "datasource",
        "type": "datasource",
        "query": "prometheus",
        "label": "Prometheus",
    }


def _release() -> Json:
    query = f"label_values({_name(metrics.bias_verdicts)}, release)"
    return {
        "name": "release",
        "type": "query",
        "label": "Release",
        "datasource": SOURCE,
        "query": {"query": query, "refId": "releases"},
        "definition": query,
        "refresh": 2,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "current": {"selected": True, "text": ["All"], "value": ["$__all"]},
    }
