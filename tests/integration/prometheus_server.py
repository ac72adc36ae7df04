"""A real Prometheus that scrapes the services of a test, and what its users ask it."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.parse import urlencode
from urllib.request import urlopen

import yaml

from judgestream.dashboards.panels import Dashboard
from judgestream.local.ports import HOST, free_port
from judgestream.local.process import Command, ServerProcess
from tests.integration.cluster import wait
from tests.prometheus.promtool import required

SCRAPE_S = 1
RANGE = "1m"
"""What `$__rate_interval` stands for: the whole test."""


@dataclass(frozen=True, kw_only=True)
class Sample:
    labels: Mapping[str, str]
    value: float


@dataclass(frozen=True, kw_only=True)
class Prometheus:
    """`jobs` has the addresses of the targets of each job."""

    url: str
    jobs: Mapping[str, Sequence[str]]

    def query(self, expression: str) -> list[Sample]:
        """The samples of an expression now. An HTTPError has Prometheus's words for an invalid one."""
        found = self._get("query", query=expression)
        return [
            Sample(labels=one["metric"], value=float(one["value"][1])) for one in found["result"]
        ]

    def value(self, expression: str) -> float:
        """The only sample of an expression; NaN if there is none."""
        found = self.query(expression)
        if not found:
            return math.nan
        (one,) = found
        return one.value

    def firing(self) -> list[Mapping[str, str]]:
        """The labels of the alerts that fire or wait for their time."""
        return [one["labels"] for one in self._get("alerts")["alerts"]]

    def rules(self) -> list[Mapping[str, Any]]:
        """Every rule with its health and the error of its last evaluation."""
        return [rule for group in self._get("rules")["groups"] for rule in group["rules"]]

    def wait_up(self, *, seconds: float = 20) -> None:
        """Until every target has been scraped once."""
        wanted = sum(map(len, self.jobs.values()))
        wait(
            lambda: self.value("count(up == 1)") == wanted,
            what=f"Prometheus to scrape {wanted} targets",
            seconds=seconds,
        )

    def _get(self, path: str, **parameters: str) -> Any:
        url = f"{self.url}/api/v1/{path}?{urlencode(parameters)}"
        with urlopen(url, timeout=10) as reply:  # noqa: S310 - our server
            return json.load(reply)["data"]


@contextmanager
def prometheus(
    folder: Path, jobs: Mapping[str, Sequence[str]], *, rules: Sequence[Path] = ()
) -> Iterator[Prometheus]:
    """A Prometheus on a free port, stopped at the end. The test is skipped where none can be installed."""
    program = required().prometheus
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "prometheus.yml"
    config.write_text(
        yaml.safe_dump(
            {
                "global": {
                    "scrape_interval": f"{SCRAPE_S}s",
                    "scrape_timeout": f"{SCRAPE_S}s",
                    "evaluation_interval": f"{SCRAPE_S}s",
                },
                "rule_files": [str(path) for path in rules],
                "scrape_configs": [
                    {"job_name": job, "static_configs": [{"targets": list(targets)}]}
                    for job, targets in jobs.items()
                ],
            }
        )
    )
    address = f"{HOST}:{free_port()}"
    process = ServerProcess(
        Command(
            name="Prometheus",
            argv=[
                str(program),
                f"--config.file={config}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address={address}",
            ],
            log_path=folder / "prometheus.log",
            cwd=folder,
        )
    )
    try:
        process.wait_ready(
            lambda: _ready(f"http://{address}/-/ready"),
            what="become ready",
            seconds=30.0,
            advice="see its log",
        )
        yield Prometheus(url=f"http://{address}", jobs=jobs)
    finally:
        process.stop()


def _ready(url: str) -> bool:
    try:
        with urlopen(url, timeout=2):  # noqa: S310 - our server
            return True
    except (URLError, OSError):
        return False


def filled(query: str, dashboard: Dashboard) -> str:
    """A query as Grafana sends it with all values of every variable chosen."""
    for variable in dashboard.variables:
        query = query.replace(f"${variable.name}", ".*")
    return query.replace("$__rate_interval", RANGE)


def without_data(server: Prometheus, dashboard: Dashboard) -> list[str]:
    """The queries that return nothing, of panels that must have data in a healthy system."""
    missing = []
    for panel in dashboard.panels:
        for query in panel.queries.values():
            found = server.query(filled(query, dashboard))
            if not panel.empty and not any(math.isfinite(one.value) for one in found):
                missing.append(f"{panel.title}: {query}")
    return missing
