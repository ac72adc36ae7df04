"""`python -m tests.deploy.monitoring [--write]`: the files of deploy/ that are made of other files.

The dashboards come from `judgestream.dashboards`, and the PrometheusRule of the cluster from the rules of
Prometheus. Without --write it exits 1 and names the files that are out of date.
"""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from judgestream.dashboards import DASHBOARDS
from tests.debian_packages import IN_CI, Unavailable
from tests.deploy.compose import DEPLOY
from tests.deploy.schemas import dashboard_problems
from tests.paths import ROOT
from tests.prometheus.promtool import promtool

PROMETHEUS = DEPLOY / "prometheus"
RULES = PROMETHEUS / "rules" / "judgestream.yml"
RULE_TESTS = sorted((PROMETHEUS / "tests").glob("*.yml"))
CLUSTER_RULES = DEPLOY / "kustomize" / "base" / "rules.yaml"

PROMTOOL: Sequence[tuple[str, Sequence[Path]]] = (
    ("check rules --lint-fatal", [RULES]),
    ("check config --lint-fatal", [PROMETHEUS / "prometheus.yml"]),
    ("test rules", RULE_TESTS),
)
"""What promtool is asked about which files."""

HEAD = "# Made from deploy/prometheus/rules by `python -m tests.deploy.monitoring --write`. Do not edit.\n"


def groups() -> list[dict[str, Any]]:
    loaded: list[dict[str, Any]] = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    return loaded


def alerts() -> list[dict[str, Any]]:
    return [rule for group in groups() for rule in group["rules"] if "alert" in rule]


def generated() -> Mapping[Path, str]:
    """Every generated file and its text."""
    resource = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "judgestream"},
        "spec": {"groups": groups()},
    }
    return {
        CLUSTER_RULES: HEAD + yaml.safe_dump(resource, sort_keys=False, width=110),
        **{
            DEPLOY / "grafana" / f"{name}.json": json.dumps(one.model(), indent=2) + "\n"
            for name, one in DASHBOARDS.items()
        },
    }


def stale() -> Iterator[str]:
    for path, text in generated().items():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            name = path.relative_to(ROOT)
            yield f"{name} is out of date: run `python -m tests.deploy.monitoring --write`"


def problems() -> Iterator[str]:
    """Of dashboards, rules and configuration: stale files, schemas, promtool's checks and its unit tests."""
    yield from stale()
    yield from dashboard_problems({name: one.model() for name, one in DASHBOARDS.items()})
    try:
        for command, files in PROMTOOL:
            if found := promtool(*command.split(), *files):
                yield f"promtool {command}: {found}"
    except Unavailable as exc:
        if IN_CI:
            yield f"the alert rules are not checked: {exc}"
        else:
            sys.stderr.write(f"the alert rules are not checked: {exc}\n")


def main(arguments: Sequence[str]) -> int:
    if "--write" in arguments:
        for path, text in generated().items():
            path.write_text(text, encoding="utf-8")
        return 0
    found = list(stale())
    for one in found:
        sys.stderr.write(f"{one}\n")
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
