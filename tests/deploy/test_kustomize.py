"""deploy/kustomize: what the overlays render to."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from judgestream.contracts.access import USERS
from judgestream.contracts.topics import LABELS, REQUESTS, TOPICS
from judgestream.local.kafka_config import MAX_MESSAGE_BYTES
from judgestream.settings import load
from tests.deploy import topics, users
from tests.deploy.compose import DEPLOY
from tests.deploy.kustomize import (
    MERGE_KEYS,
    Resource,
    containers,
    identity,
    merged,
    parsed,
    render,
)
from tests.deploy.schemas import problems_of
from tests.deploy.test_compose import parse

OVERLAYS = ("dev", "a100", "h100")
RENDERED = {name: render(DEPLOY / "kustomize" / "overlays" / name) for name in OVERLAYS}
WORKLOADS = {"judging", "shadow", "bias", "rollout", "trainer", "triton", "valkey"}


def of_kind(kind: str, overlay: str = "h100") -> dict[str, Resource]:
    return {one["metadata"]["name"]: one for one in RENDERED[overlay] if one["kind"] == kind}


def pod(resource: Resource) -> dict[str, Any]:
    spec: dict[str, Any] = resource["spec"]["template"]["spec"]
    return spec


def environment(container: dict[str, Any]) -> dict[str, str]:
    """The variables of a container, as Kubernetes gives them, with a placeholder for each secret."""
    settings = of_kind("ConfigMap")
    variables: dict[str, str] = {}
    for source in container.get("envFrom", ()):
        variables |= settings[source["configMapRef"]["name"]]["data"]
    for entry in container.get("env", ()):
        value = entry.get("value", "0" if "fieldRef" in entry.get("valueFrom", {}) else "secret")
        variables[entry["name"]] = expanded(value, variables)
    return variables


def expanded(text: str, variables: dict[str, str]) -> str:
    return re.sub(r"\$\((\w+)\)", lambda match: variables[match[1]], text)


def test_the_topics_are_those_of_the_table() -> None:
    assert topics.main([]) == 0


def test_the_users_are_those_of_the_table() -> None:
    assert users.main([]) == 0


def test_workloads() -> None:
    for overlay in OVERLAYS:
        assert set(of_kind("StatefulSet", overlay)) == WORKLOADS


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_our_programs_take_their_arguments_and_settings(
    overlay: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, resource in of_kind("StatefulSet", overlay).items():
        for container in containers(resource):
            if not container["image"].startswith("judgestream/"):
                continue
            variables = environment(container)
            assert parse(tuple(expanded(word, variables) for word in container["args"])), name
            with monkeypatch.context() as patch:
                for key, value in variables.items():
                    if key.startswith("JUDGESTREAM_"):
                        patch.setenv(key, value)
                load(find_stack=False)


def test_termination_waits_for_the_requests_in_flight() -> None:
    settings = load(find_stack=False)
    for name, resource in of_kind("StatefulSet").items():
        grace = pod(resource)["terminationGracePeriodSeconds"]
        if name != "valkey":
            assert grace > settings.judging.deadline_s, name
            assert grace > settings.kafka.rebalance_timeout_s, name


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_pods_have_no_rights(overlay: str) -> None:
    accounts = of_kind("ServiceAccount", overlay)
    bound = [one["kind"] for one in RENDERED[overlay] if "Role" in one["kind"]]
    assert bound == []
    pods = of_kind("StatefulSet", overlay) | of_kind("Deployment", overlay)
    assert "collector" in pods
    for name, resource in pods.items():
        spec = pod(resource)
        assert spec["serviceAccountName"] == name
        assert accounts[name]["automountServiceAccountToken"] is False
        assert spec["automountServiceAccountToken"] is False
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in containers(resource):
            context = container["securityContext"]
            assert context["readOnlyRootFilesystem"] is True
            assert context["allowPrivilegeEscalation"] is False
            assert context["capabilities"] == {"drop": ["ALL"]}
            assert re.search(r":v?\d+\.\d+", container["image"]), container["image"]
            assert "memory" in container["resources"]["limits"]
            mounted = {mount["name"] for mount in container["volumeMounts"]}
            claims = {
                one["metadata"]["name"] for one in resource["spec"].get("volumeClaimTemplates", ())
            }
            assert mounted <= {volume["name"] for volume in spec.get("volumes", ())} | claims


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        ("triton", "triton-tls"),
        ("rollout", "rollout-tls"),
        ("judging", "client-tls"),
        ("shadow", "client-tls"),
    ],
)
def test_the_files_of_tls_are_those_of_a_mounted_secret(name: str, secret: str) -> None:
    for overlay in OVERLAYS:
        resource = of_kind("StatefulSet", overlay)[name]
        (container,) = containers(resource)
        volumes = {one["name"]: one for one in pod(resource)["volumes"]}
        folders = {
            mount["mountPath"]: volumes[mount["name"]].get("secret", {}).get("secretName")
            for mount in container["volumeMounts"]
        }
        named = {
            value.rpartition("/")
            for variable, value in environment(container).items()
            if re.search(r"(TRITON|ROLLOUT)__.*_FILE$", variable)
        }
        assert named
        for folder, _, file in named:
            assert folders[folder] == secret
            assert file in ("tls.crt", "tls.key", "ca.crt")


def test_secrets_are_references() -> None:
    for overlay in OVERLAYS:
        assert of_kind("Secret", overlay) == {}
    for resource in of_kind("StatefulSet").values():
        for container in containers(resource):
            for entry in container.get("env", ()):
                if re.search(r"(PASSWORD|KEY)$", entry["name"]):
                    assert "secretKeyRef" in entry["valueFrom"], entry


def test_only_triton_and_the_rollout_service_have_the_key_to_load_models() -> None:
    having = {
        name
        for name, resource in of_kind("StatefulSet").items()
        for container in containers(resource)
        if "JUDGESTREAM_TRITON__CONTROL_KEY" in environment(container)
    }
    assert having == {"triton", "rollout"}


def test_gpus_are_asked_for_where_they_are() -> None:
    for overlay, product in (("a100", "A100"), ("h100", "H100")):
        for name in ("triton", "trainer"):
            resource = of_kind("StatefulSet", overlay)[name]
            (container,) = containers(resource)
            assert container["resources"]["limits"]["nvidia.com/gpu"] == 1
            assert container["image"].startswith("judgestream/engine-gpu:")
            assert product in pod(resource)["nodeSelector"]["nvidia.com/gpu.product"]
        for name in ("triton", "rollout"):
            (container,) = containers(of_kind("StatefulSet", overlay)[name])
            assert environment(container)["JUDGESTREAM_TRITON__DEVICE"] == "gpu"
    assert "nvidia" not in json.dumps(RENDERED["dev"])


def test_a_drain_of_nodes_takes_one_pod_at_a_time() -> None:
    budgets = of_kind("PodDisruptionBudget")
    for name, resource in of_kind("StatefulSet").items():
        if resource["spec"].get("replicas", 2) > 1:  # KEDA scales those that state none
            assert budgets[name]["spec"]["maxUnavailable"] == 1
            labels = resource["spec"]["template"]["metadata"]["labels"]
            assert budgets[name]["spec"]["selector"]["matchLabels"] == labels
            keys = {one["topologyKey"] for one in pod(resource)["topologySpreadConstraints"]}
            assert "kubernetes.io/hostname" in keys


def test_nothing_connects_without_a_policy() -> None:
    policies = of_kind("NetworkPolicy")
    deny = policies["deny"]["spec"]
    assert deny["policyTypes"] == ["Ingress", "Egress"]
    assert "ingress" not in deny and "egress" not in deny
    (expression,) = deny["podSelector"]["matchExpressions"]
    assert set(expression["values"]) == WORKLOADS | {"collector"}
    named = set(re.findall(r'"app.kubernetes.io/name": "(\w+)"', json.dumps(policies)))
    assert named <= WORKLOADS | {"collector"}


def test_no_more_judging_workers_than_partitions() -> None:
    settings = load(find_stack=False)
    for overlay in OVERLAYS:
        spec = of_kind("ScaledObject", overlay)["judging"]["spec"]
        assert spec["maxReplicaCount"] <= REQUESTS.partitions
        (trigger,) = spec["triggers"]
        assert trigger["metadata"]["topic"] == REQUESTS.name
        assert trigger["metadata"]["consumerGroup"] == settings.judging.group
        for one in of_kind("ScaledObject", overlay).values():
            target = of_kind("StatefulSet", overlay)[one["spec"]["scaleTargetRef"]["name"]]
            assert "replicas" not in target["spec"]  # an apply would undo the scaling


def allowed(user: str, kind: str, name: str) -> set[str]:
    """The operations that a Kafka user may do on a topic or a group."""
    operations: set[str] = set()
    for rule in of_kind("KafkaUser")[user]["spec"]["authorization"]["acls"]:
        resource = rule["resource"]
        prefix = resource.get("patternType") == "prefix"
        matches = name.startswith(resource["name"]) if prefix else name == resource["name"]
        if resource["type"] == kind and matches:
            operations |= set(rule["operations"])
    return operations


def test_kafka_users_may_do_their_own_work_only() -> None:
    settings = load(find_stack=False)
    for name in TOPICS:
        inputs = {REQUESTS.name, LABELS.name}
        assert allowed("judgestream-producer", "topic", name) == (
            {"Write", "Describe"} if name in inputs else set()
        )
        assert "Write" not in allowed("judgestream-consumer", "topic", name)
        assert allowed("judgestream-scaler", "topic", name) <= {"Describe"}
        assert {"Read", "Write", "Create"} <= allowed("judgestream-operator", "topic", name)
    groups = {
        "judging": settings.judging.group,
        "shadow": settings.shadow.group,
        "bias": settings.bias.group,
        "trainer": "judgestream-trainer",
    }
    for user in USERS.values():
        for name, group in groups.items():
            may = "Read" in allowed(user.full_name, "group", group)
            assert may is (user.name in (name, "operator")), (user.name, group)


def test_every_workload_logs_in_to_kafka_as_itself() -> None:
    seen: set[str] = set()
    for name, resource in of_kind("StatefulSet").items():
        for container in containers(resource):
            user = environment(container).get("JUDGESTREAM_KAFKA__USERNAME")
            if user is None:
                continue
            seen.add(name)
            assert user == USERS[name].full_name
            (password,) = (
                entry["valueFrom"]["secretKeyRef"]
                for entry in container["env"]
                if entry["name"] == "JUDGESTREAM_KAFKA__PASSWORD"
            )
            assert password == {"name": user, "key": "password"}
    assert seen == {"judging", "shadow", "bias", "rollout", "trainer"}


def test_the_brokers_take_the_largest_record() -> None:
    config = of_kind("Kafka")["judgestream"]["spec"]["kafka"]["config"]
    assert config["message.max.bytes"] == MAX_MESSAGE_BYTES
    assert of_kind("KafkaNodePool")["nodes"]["spec"]["replicas"] == topics.REPLICAS


HEALTH_PORT = 9100
SERVING_HEALTH = ("judging", "shadow", "bias", "rollout", "trainer", "triton")


@pytest.mark.parametrize("overlay", OVERLAYS)
@pytest.mark.parametrize("name", SERVING_HEALTH)
def test_probes_ask_the_port_that_the_program_serves(overlay: str, name: str) -> None:
    (container,) = containers(of_kind("StatefulSet", overlay)[name])
    option = "health-port" if name == "triton" else "metrics-port"
    assert f"--{option}={HEALTH_PORT}" in container["args"]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    asked = {}
    for kind in ("startupProbe", "livenessProbe", "readinessProbe"):
        page = container[kind]["httpGet"]
        assert ports[page["port"]] == HEALTH_PORT
        asked[kind] = page["path"]
    assert asked["livenessProbe"] == "/livez"
    assert asked["readinessProbe"] == "/readyz"
    # what is not ready starts, except where the start itself takes long
    assert asked["startupProbe"] == ("/readyz" if name == "triton" else "/livez")


@pytest.mark.parametrize("name", ["judging", "shadow", "bias", "rollout", "trainer", "triton"])
def test_prometheus_scrapes_a_port_that_the_pod_has(name: str) -> None:
    monitor = of_kind("PodMonitor")[name]["spec"]
    (endpoint,) = monitor["podMetricsEndpoints"]
    resource = of_kind("StatefulSet")[name]
    assert monitor["selector"]["matchLabels"] == resource["spec"]["template"]["metadata"]["labels"]
    (container,) = containers(resource)
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    (rule,) = of_kind("NetworkPolicy")["metrics"]["spec"]["ingress"]
    allowed_ports = {one["port"] for one in rule["ports"]}
    assert ports[endpoint["port"]] in allowed_ports


@pytest.mark.parametrize("name", ["judging", "shadow", "bias", "rollout"])
def test_pods_that_are_not_ready_hold_up_no_node(name: str) -> None:
    spec = of_kind("PodDisruptionBudget")[name]["spec"]
    assert spec["unhealthyPodEvictionPolicy"] == "AlwaysAllow"


BAD: dict[str, Resource] = {
    "misspelt field": {
        "apiVersion": "kafka.strimzi.io/v1",
        "kind": "KafkaTopic",
        "metadata": {"name": "t"},
        "spec": {"partitons": 8},
    },
    "wrong type": {
        "apiVersion": "keda.sh/v1alpha1",
        "kind": "ScaledObject",
        "metadata": {"name": "s"},
        "spec": {"scaleTargetRef": {"name": "x"}, "triggers": "kafka"},
    },
    "unknown kind": {"apiVersion": "keda.sh/v1alpha1", "kind": "Scaler", "metadata": {"name": "k"}},
    "misspelt field of Kubernetes": {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "v"},
        "spec": {"prots": []},
    },
}


def test_invalid_resources_are_found() -> None:
    found = "\n".join(problems_of(list(BAD.values())))
    for name in ("KafkaTopic t", "ScaledObject s", "Scaler k", "Service v"):
        assert name in found


def test_a_patch_merges_lists_by_key_and_deletes_with_null() -> None:
    base = {"containers": [{"name": "a", "image": "x"}, {"name": "b"}], "keep": 1, "drop": 2}
    patch = {"containers": [{"name": "a", "tty": True}, {"name": "c"}], "drop": None}
    assert merged(base, patch, built_in=True) == {
        "containers": [{"name": "a", "image": "x", "tty": True}, {"name": "b"}, {"name": "c"}],
        "keep": 1,
    }
    assert merged({"volumes": [1]}, {"volumes": [2]}, built_in=False) == {"volumes": [2]}


def keyed(value: Any, field: str = "") -> Any:
    """The value with the lists that are merged by a key as mappings: their order has no meaning."""
    if isinstance(value, dict):
        return {name: keyed(one, name) for name, one in value.items()}
    if isinstance(value, list):
        key = MERGE_KEYS.get(field)
        if key is not None and all(isinstance(one, dict) and key in one for one in value):
            return {one[key]: keyed(one) for one in value}
        return [keyed(one) for one in value]
    return value


def by_identity(resources: Iterator[Resource] | list[Resource]) -> dict[tuple[str, str, str], Any]:
    return {identity(one): keyed(one) for one in resources}


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")
@pytest.mark.parametrize("overlay", OVERLAYS)
def test_kubectl_renders_the_same(overlay: str) -> None:
    folder = DEPLOY / "kustomize" / "overlays" / overlay
    done = subprocess.run(
        ["kubectl", "kustomize", folder], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert by_identity(RENDERED[overlay]) == by_identity(list(parsed(done.stdout)))
