"""A real Prometheus scrapes the real services: its numbers are true, and every panel has data."""

import math
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.request import urlopen

import pytest

from judgestream.adapters.releases.model_repository import install
from judgestream.adapters.releases.tuning import Tuning
from judgestream.apps.worker.metrics_ports import OFFSETS
from judgestream.core.costs import Budget, Prices, Terms
from judgestream.dashboards import DASHBOARDS
from judgestream.local.kafka import KafkaServer
from judgestream.local.ports import HOST, free_port
from judgestream.local.triton import TritonServer
from judgestream.local.valkey import ValkeyServer
from tests.deploy.monitoring import RULES, groups
from tests.integration.cluster import Cluster, Servers, pairs, wait
from tests.integration.prometheus_server import Prometheus, prometheus, without_data
from tests.paths import JUDGES
from tests.prometheus.promtool import promtool

pytestmark = pytest.mark.integration

REQUESTS = 200
PRICE, DAY = Prices(per_million_in=1.0), Budget(per_day=100.0)
KINDS = ("rollout", "judging", "shadow", "bias")

NO_DATA = {
    "judgestream_fetch_troubles_total": "no fetch has failed",
    "judgestream_background_failures_total": "no task has ended",
    "judgestream_telemetry_lost_total": "nothing was lost",
    "judgestream_alarm_raised": "a release has it after its first final window",
    "judgestream_trainer_": "see test_trainer_service.py",
    'judgestream_rollout_steps_total{outcome="failed"}': "no step has failed",
}
"""Beginnings of selectors in the rules without series in a healthy system, and why."""


@dataclass(frozen=True, kw_only=True)
class Observed:
    """Services that have judged `REQUESTS` requests, with a Prometheus that has seen it."""

    prometheus: Prometheus
    release: str
    verdicts: int


@pytest.fixture(scope="module")
def observed(
    tmp_path_factory: pytest.TempPathFactory, shared_kafka: KafkaServer
) -> Iterator[Observed]:
    folder = tmp_path_factory.mktemp("observed")
    repository = folder / "models"
    repository.mkdir()
    release = install(
        JUDGES / "tiny", repository, tuning=Tuning(threads=1), terms=Terms(prices=PRICE, budget=DAY)
    ).name
    with (
        TritonServer(
            run_dir=folder / "triton", model_repository=repository, models=[release]
        ) as triton,
        ValkeyServer(data_dir=folder / "valkey") as valkey,
        Servers(kafka=shared_kafka, valkey=valkey, triton=triton).cluster(folder) as cluster,
    ):
        jobs = {
            **workers(cluster, repository, release),
            "triton": [f"{HOST}:{triton.metrics_port}"],
        }
        with prometheus(folder / "prometheus", jobs, rules=[RULES]) as server:
            server.wait_up()
            ids = cluster.submit(pairs(REQUESTS, "observed"))
            verdicts = cluster.wait_verdicts(ids, seconds=120)
            settle(server)
            yield Observed(prometheus=server, release=release, verdicts=len(verdicts))


def workers(cluster: Cluster, repository: Path, release: str) -> dict[str, list[str]]:
    """Start one of each kind. Returns the address of its metrics by job."""
    base = free_port()
    cluster.more = {"worker__metrics_port": base, "judging__deadline_s": 8}
    cluster.work(
        "rollout",
        rollout__grpc=f"{HOST}:{free_port()}",
        rollout__repository=repository,
        triton__release=release,
    )
    for kind in KINDS[1:]:
        cluster.work(kind)
    return {kind: [f"{HOST}:{base + OFFSETS[kind]}"] for kind in KINDS}


def settle(server: Prometheus) -> None:
    """Until the last verdict is counted everywhere, and scraped."""
    counted = 'sum(judgestream_bias_verdicts_counted_total{outcome="fresh"})'
    for expression in ("sum(judgestream_requests_total)", counted):
        await_value(server, expression, REQUESTS, REQUESTS)
    await_value(server, "sum(judgestream_bias_verdicts)", REQUESTS)
    await_value(server, "sum(judgestream_engine_prompts_total)", 2 * REQUESTS)
    # what else these verdicts have moved is on the pages now: one scrape more of every target shows it
    await_value(server, "min(timestamp(up))", time.time())
    await_value(server, 'judgestream_lag_records{job="judging"}', 0, 0)


def await_value(server: Prometheus, expression: str, least: float, most: float = math.inf) -> None:
    wait(
        lambda: least <= server.value(expression) <= most,
        what=f"{expression} to be from {least} to {most}",
        seconds=30,
    )


def test_the_numbers_are_true(observed: Observed) -> None:
    server = observed.prometheus
    assert observed.verdicts == REQUESTS
    assert server.value('sum(judgestream_requests_total{outcome=~"scored|unscored"})') == REQUESTS
    assert server.value("sum(judgestream_verdict_seconds_count)") == REQUESTS
    assert server.value("sum(judgestream_passes_total)") == 2 * REQUESTS
    route = f'judgestream_routed_requests_total{{release="{observed.release}",stage="stable"}}'
    assert server.value(f"sum({route})") == REQUESTS
    # Triton's own count and our engine's: the workers' prompts, and known good ones of the rollout service
    prompts = server.value("sum(judgestream_engine_prompts_total)")
    assert 2 * REQUESTS <= prompts <= 2 * REQUESTS + 20
    answered = server.value('sum(judgestream_triton_calls_total{outcome="answered"})')
    assert 0 < answered <= server.value("sum(nv_inference_request_success)")
    assert server.value("sum(judgestream_bias_verdicts)") == REQUESTS
    assert server.value("sum(judgestream_rollout_leads)") == 1
    assert server.value("sum(judgestream_dead_letters_total)") == 0
    tokens = server.value('sum(judgestream_tokens_total{direction="in"})')
    share = f'max(judgestream_budget_spent_ratio{{release="{observed.release}",period="today"}})'
    assert server.value(share) == pytest.approx(tokens / 1e6 / DAY.per_day, rel=0.01)


@pytest.mark.parametrize("name", ["pipeline", "judge-health", "engine"])
def test_every_panel_has_data(observed: Observed, name: str) -> None:
    assert without_data(observed.prometheus, DASHBOARDS[name]) == []


def test_every_variable_has_values(observed: Observed) -> None:
    for name in ("pipeline", "judge-health", "engine"):
        for variable in DASHBOARDS[name].variables:
            match = re.fullmatch(r"label_values\((.+), (\w+)\)", variable.query)
            assert match is not None
            values = {one.labels[match[2]] for one in observed.prometheus.query(match[1])}
            assert values, (name, variable.name)


def test_rules_are_evaluated_and_no_alert_fires(observed: Observed) -> None:
    rules = observed.prometheus.rules()
    assert {(rule["name"], rule["health"], rule.get("lastError", "")) for rule in rules} == {
        (rule["name"], "ok", "") for rule in rules
    }
    assert observed.prometheus.firing() == []
    assert observed.prometheus.value("judgestream:requests_not_judged:ratio_rate5m") == 0


def test_every_series_of_the_rules_exists(observed: Observed) -> None:
    selectors = {
        selector
        for group in groups()
        for rule in group["rules"]
        for selector in re.findall(
            r"\b(?:judgestream_|nv_)\w+(?:\{[^}]*\})?|\bup\{[^}]*\}", rule["expr"]
        )
    }
    missing = {one for one in selectors if not observed.prometheus.query(one)}
    assert {one for one in missing if not one.startswith(tuple(NO_DATA))} == set()
    assert len(selectors) > 20


def test_the_pages_keep_to_the_conventions(observed: Observed) -> None:
    for job, (address,) in observed.prometheus.jobs.items():
        with urlopen(f"http://{address}/metrics", timeout=10) as reply:  # noqa: S310 - our server
            page = reply.read().decode()
        ours = "\n".join(line for line in page.splitlines() if "judgestream_" in line) + "\n"
        assert "judgestream_" in ours
        assert promtool("check", "metrics", given=ours) == "", job


def test_every_process_of_ours_tells_its_version(observed: Observed) -> None:
    found = observed.prometheus.query("judgestream_build_info")
    assert {one.labels["job"] for one in found} == set(KINDS)
