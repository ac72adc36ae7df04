"""The Grafana dashboards as tables: one file each, one row a panel. deploy/grafana is made of them."""

from collections.abc import Mapping

from judgestream.dashboards import engine, judge_health, pipeline, training
from judgestream.dashboards.panels import Dashboard

DASHBOARDS: Mapping[str, Dashboard] = {
    "pipeline": pipeline.DASHBOARD,
    "judge-health": judge_health.DASHBOARD,
    "engine": engine.DASHBOARD,
    "training": training.DASHBOARD,
}
"""File name without suffix -> dashboard."""
