"""deploy/otel/collector.yaml: its parts fit together, and the services send to it."""

from typing import Any
from urllib.parse import urlsplit

import yaml

from tests.deploy.compose import DEPLOY, document, our_services, secrets_of
from tests.deploy.kustomize import Resource, render

TEXT = (DEPLOY / "otel" / "collector.yaml").read_text(encoding="utf-8")
CONFIG: dict[str, Any] = yaml.safe_load(TEXT)
COLLECTOR = "collector"
ENDPOINTS = {
    "JUDGESTREAM_TELEMETRY__ENDPOINT": "grpc",
    "JUDGESTREAM_TELEMETRY__TRITON_ENDPOINT": "http",
}
"""Setting -> protocol of the receiver."""


def port(protocol: str) -> int:
    endpoint = CONFIG["receivers"]["otlp"]["protocols"][protocol]["endpoint"]
    return int(endpoint.rpartition(":")[2])


def test_every_part_of_a_pipeline_is_defined_and_every_part_is_used() -> None:
    pipelines = CONFIG["service"]["pipelines"]
    assert set(pipelines) == {"traces", "logs"}  # spans, and evaluation events
    for group in ("receivers", "processors", "exporters"):
        used = {name for pipeline in pipelines.values() for name in pipeline[group]}
        assert used == set(CONFIG[group]), group
    assert set(CONFIG["service"]["extensions"]) == set(CONFIG["extensions"])
    for pipeline in pipelines.values():
        assert pipeline["processors"] == ["memory_limiter", "batch"]  # the order that bounds memory


def test_the_services_of_compose_send_to_it() -> None:
    host = "otel-collector"
    assert host in document()["services"]
    for name, service in our_services({name: "secret" for name in secrets_of()}).items():
        sent = ENDPOINTS.keys() & service.settings.keys()
        assert len(sent) == 1, name
        for setting in sent:
            url = urlsplit(service.settings[setting])
            assert (url.hostname, url.port) == (host, port(ENDPOINTS[setting])), name


def overlay() -> list[Resource]:
    return render(DEPLOY / "kustomize" / "overlays" / "h100")


def named(kind: str, name: str) -> Resource:
    (found,) = [one for one in overlay() if one["kind"] == kind and one["metadata"]["name"] == name]
    return found


def test_the_services_of_a_cluster_send_to_it() -> None:
    ports = {one["port"] for one in named("Service", COLLECTOR)["spec"]["ports"]}
    assert ports == {port("grpc"), port("http")}
    url = urlsplit(named("ConfigMap", "settings")["data"]["JUDGESTREAM_TELEMETRY__ENDPOINT"])
    assert (url.hostname, url.port) == (COLLECTOR, port("grpc"))
    (container,) = named("StatefulSet", "triton")["spec"]["template"]["spec"]["containers"]
    (value,) = [
        one["value"]
        for one in container["env"]
        if one["name"] == "JUDGESTREAM_TELEMETRY__TRITON_ENDPOINT"
    ]
    assert (urlsplit(value).hostname, urlsplit(value).port) == (COLLECTOR, port("http"))


def test_pods_that_send_to_it_may() -> None:
    """Every pod that runs our programs, into and out of the policies."""
    settings = "JUDGESTREAM_TELEMETRY__"
    senders = set()
    for one in overlay():
        if one["kind"] == "StatefulSet":
            (container,) = one["spec"]["template"]["spec"]["containers"]
            shared = {"configMapRef": {"name": "settings"}} in container.get("envFrom", ())
            if shared or settings in str(container.get("env", "")):
                senders.add(one["metadata"]["name"])
    (leaving,) = named("NetworkPolicy", "to-collector")["spec"]["podSelector"]["matchExpressions"]
    (rule,) = named("NetworkPolicy", COLLECTOR)["spec"]["ingress"]
    ((entering,),) = [one["podSelector"]["matchExpressions"] for one in rule["from"]]
    assert set(leaving["values"]) == set(entering["values"]) == senders
    assert {"bias", "trainer", "triton"} <= senders


def test_a_cluster_has_the_same_configuration() -> None:
    assert named("ConfigMap", COLLECTOR)["data"]["collector.yaml"] == TEXT


def test_memory_stays_below_the_limit_of_its_pod() -> None:
    (container,) = named("Deployment", COLLECTOR)["spec"]["template"]["spec"]["containers"]
    limit = container["resources"]["limits"]["memory"]
    assert CONFIG["processors"]["memory_limiter"]["limit_mib"] < int(limit.removesuffix("Mi"))


def test_services_log_json() -> None:
    setting = "JUDGESTREAM_WORKER__LOG_FORMAT"
    for name, service in our_services({name: "secret" for name in secrets_of()}).items():
        assert service.settings[setting] == "json", name
    assert named("ConfigMap", "settings")["data"][setting] == "json"
