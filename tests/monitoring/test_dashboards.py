"""The dashboards: their queries ask for what is exported, and Grafana can show them."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from judgestream.dashboards import DASHBOARDS
from judgestream.dashboards.panels import Dashboard
from judgestream.evaluation.alarms.policy import METRICS
from tests.deploy.schemas import dashboard_problems
from tests.monitoring.catalogue import labels_by_series
from tests.paths import ROOT

OF_PROMETHEUS = {"instance", "job", "__name__", "le"}
PANELS = [(name, panel) for name, one in DASHBOARDS.items() for panel in one.panels]


def asked() -> Iterator[tuple[str, str]]:
    """Every query with its place."""
    for name, panel in PANELS:
        for query in panel.queries.values():
            yield f"{name}: {panel.title}", query
    for name, dashboard in DASHBOARDS.items():
        for variable in dashboard.variables:
            yield f"{name}: {variable.name}", variable.query


def model(dashboard: Dashboard) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(json.dumps(dashboard.model()))
    return loaded


def test_every_query_asks_for_series_and_labels_that_exist() -> None:
    ours, names = labels_by_series(), set()
    for place, query in asked():
        for name, matchers in re.findall(r"\b(judgestream_\w+)(?:\{([^}]*)\})?", query):
            if "|" in matchers or name not in ours:
                assert name in ours or f"{name}_(" in query or "__name__" in query, (place, name)
                continue
            labels = set(re.findall(r"(\w+)!?=~?\"", matchers))
            assert labels <= ours[name] | OF_PROMETHEUS, (place, name, labels)
            names.add(name)
    assert len(names) > 40


def test_most_metrics_are_on_a_dashboard() -> None:
    text = " ".join(query for _, query in asked())
    families = {re.sub(r"_(bucket|sum|count)$", "", name) for name in labels_by_series()}
    missing = {name for name in families if name not in text and "_prompts_total" not in name}
    assert missing <= NOT_SHOWN


NOT_SHOWN = {
    "judgestream_passes_total",  # as many as Triton's requests
    "judgestream_query_analyses_total",  # for mode rerank only
    "judgestream_spent_dollars",  # `judgestream release budget`
    "judgestream_release_reloads_total",  # an alert
    "judgestream_rollout_records_skipped",
    "judgestream_triton_inflight_calls",
    "judgestream_engine_rows_total",
    "judgestream_engine_devices",
    "judgestream_engine_row_tokens",
    "judgestream_engine_token_flops",
    # judges of other kinds: only their prompts are shown
    *(f"judgestream_vision_{n}_total" for n in ("prompt_tokens", "run_tokens", "rows")),
    *(f"judgestream_vision_{n}_total" for n in ("written_tokens", "seconds")),
    *(f"judgestream_vllm_{n}_total" for n in ("requests", "input_tokens", "output_tokens")),
    "judgestream_vllm_seconds_total",
    *(f"judgestream_endpoint_{n}_total" for n in ("input_tokens", "output_tokens", "retries")),
    *(f"judgestream_endpoint_{n}_total" for n in ("probes", "reused")),
}


@pytest.mark.parametrize(("name", "panel"), PANELS, ids=[f"{n}: {p.title}" for n, p in PANELS])
def test_a_panel_names_its_series_and_its_runbook(name: str, panel: Any) -> None:
    assert len(set(panel.queries)) == len(panel.queries) >= 1
    for page in re.findall(r"docs/runbooks/[\w-]+\.md", panel.about):
        assert (ROOT / page).is_file()
    labels = {word for legend in panel.queries for word in re.findall(r"{{(\w+)}}", legend)}
    queries = " ".join(panel.queries.values())
    for label in labels - {"instance"}:
        assert label in queries or label in {"kernel", "gpu_uuid"}, label


def test_every_bias_metric_has_a_panel_with_its_interval() -> None:
    queries = [query for place, query in asked() if place.startswith("judge-health")]
    for metric in METRICS:
        assert sum(f'metric="{metric}"' in query for query in queries) == 3


@pytest.mark.parametrize("name", DASHBOARDS)
def test_panels_do_not_overlap(name: str) -> None:
    panels = model(DASHBOARDS[name])["panels"]
    cells = [
        (x, y)
        for panel in panels
        for at in (panel["gridPos"],)
        for x in range(at["x"], at["x"] + at["w"])
        for y in range(at["y"], at["y"] + at["h"])
    ]
    assert len(cells) == len(set(cells)) and max(x for x, _ in cells) < 24
    assert len({panel["id"] for panel in panels}) == len(panels)


def test_the_schema_of_grafana_finds_a_misspelt_field() -> None:
    good = model(DASHBOARDS["training"])
    bad = {**good, "panels": [{**good["panels"][1], "titel": "x"}]}
    found = list(dashboard_problems({"good": good, "bad": bad}))
    assert len(found) == 1 and found[0].startswith("dashboard bad") and "titel" in found[0]
