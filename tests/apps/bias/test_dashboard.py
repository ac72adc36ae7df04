"""The Grafana dashboard: its copy is current, and its queries name series and labels that workers export."""

import json
import re
from collections.abc import Iterator

from prometheus_client import REGISTRY
from prometheus_client.metrics import MetricWrapperBase

from judgestream.apps.bias.dashboard import dashboard
from judgestream.apps.worker import metrics
from judgestream.evaluation.alarms.policy import METRICS
from tests.paths import ROOT

COPY = ROOT / "deploy" / "grafana" / "judge-health.json"
WORDS = {"sum", "max", "by", "rate", "label_values", "m"}
FROM_PROMETHEUS = {"instance"}


def queries() -> Iterator[str]:
    made = json.loads(json.dumps(dashboard()))
    for panel in made["panels"]:
        for target in panel["targets"]:
            yield target["expr"]
    yield made["templating"]["list"][1]["definition"]


def series() -> dict[str, set[str]]:
    """Every series that a worker's process exports, with its labels."""
    found: dict[str, set[str]] = {}
    for metric in vars(metrics).values():
        if isinstance(metric, MetricWrapperBase):
            (described,) = metric.describe()
            total = "_total" if described.type == "counter" else ""
            found[described.name + total] = set(metric._labelnames)
    return found


def test_the_copy_is_that_of_the_command() -> None:
    wanted = json.dumps(dashboard(), indent=2) + "\n"
    assert COPY.read_text(encoding="utf-8") == wanted, (
        "run: judgestream bias dashboard > deploy/grafana/judge-health.json"
    )


def test_every_query_asks_for_what_the_workers_export() -> None:
    exported, asked = series(), list(queries())
    for query in asked:
        names = set(re.findall(r"judgestream_\w+", query))
        assert len(names) == 1 and names <= set(exported), query
        (name,) = names
        labels = set(re.findall(r'(\w+)=~?"', query)) | {
            label.strip()
            for group in re.findall(r"by \(([^)]*)\)", query)
            for label in group.split(",")
        }
        assert labels <= exported[name] | FROM_PROMETHEUS, query
    assert len(asked) > len(METRICS)


def test_a_worker_registers_what_the_queries_name() -> None:
    registered = {name for name in REGISTRY._names_to_collectors if name.startswith("judgestream_")}
    assert set(series()) <= registered


def test_every_bias_metric_has_a_panel_with_its_interval() -> None:
    text = list(queries())
    for name in METRICS:
        assert sum(f'metric="{name}"' in query for query in text) == 3


def test_panels_do_not_overlap() -> None:
    made = json.loads(json.dumps(dashboard()))
    cells = [
        (x, at["y"])
        for panel in made["panels"]
        for at in (panel["gridPos"],)
        for x in range(at["x"], at["x"] + at["w"])
    ]
    assert len(cells) == len(set(cells)) and max(x for x, _ in cells) < 24
    assert len({panel["id"] for panel in made["panels"]}) == len(made["panels"])
