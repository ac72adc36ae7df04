"""deploy/compose.yaml and the Dockerfile: every command and setting of our services exists."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
import typer
import yaml

from judgestream.apps.cli import main
from judgestream.contracts.topics import TOPICS
from judgestream.local.kafka_config import MAX_MESSAGE_BYTES
from judgestream.local.kafka_jars import KAFKA_VERSION
from judgestream.settings import load
from tests.deploy.compose import DEPLOY, document, interpolated, our_services, secrets_of
from tests.paths import ROOT

SECRETS = {name: f"secret-of-{name.lower()}" for name in secrets_of()}
SERVICES = our_services(SECRETS)
DOCKERFILE = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")


def seconds(text: str) -> int:
    match = re.fullmatch(r"(\d+)(s|m)", text)
    assert match is not None, text
    return int(match[1]) * {"s": 1, "m": 60}[match[2]]


def parse(arguments: tuple[str, ...]) -> list[str]:
    """Parse as the program does, without running anything. Returns the names of the commands.

    Raises:
        click's UsageError: no such command or option, or an invalid value.
    """
    command: Any = typer.main.get_command(main)
    rest, names = list(arguments), []
    context = command.make_context("judgestream", rest)
    while hasattr(command, "commands"):
        rest = [*context._protected_args, *context.args]
        name, command, rest = command.resolve_command(context, rest)
        names.append(name)
        context = command.make_context(name, rest, parent=context)
    return names


def test_the_services_of_the_pipeline_are_there() -> None:
    names = {
        "topics",
        "triton-cpu",
        "triton-gpu",
        "judging",
        "shadow",
        "bias",
        "rollout",
        "trainer",
    }
    assert names <= set(SERVICES)


@pytest.mark.parametrize("name", SERVICES)
def test_the_program_takes_the_service_s_arguments(name: str) -> None:
    assert parse(SERVICES[name].arguments)


def test_a_misspelt_command_or_option_is_found() -> None:
    for arguments in (("wroker", "bias"), ("worker", "bais"), ("worker", "bias", "--slto=1")):
        with pytest.raises(Exception, match=r"wroker|bais|slto"):
            parse(arguments)


@pytest.mark.parametrize("name", SERVICES)
def test_every_setting_is_known_and_valid(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for key, value in SERVICES[name].settings.items():
        monkeypatch.setenv(key, value)
    settings = load(find_stack=False)
    if "JUDGESTREAM_KAFKA__BOOTSTRAP" in SERVICES[name].settings:
        assert settings.kafka.bootstrap == "kafka:9092"


def test_only_triton_and_the_rollout_service_have_the_key_to_load_models() -> None:
    key = "JUDGESTREAM_TRITON__CONTROL_KEY"
    having = {name for name, service in SERVICES.items() if key in service.environment}
    assert having == {"triton-cpu", "triton-gpu", "rollout"}


def test_no_start_without_the_secrets() -> None:
    text = (DEPLOY / "compose.yaml").read_text(encoding="utf-8")
    for name in SECRETS:
        with pytest.raises(KeyError, match=name):
            interpolated(text, {k: v for k, v in SECRETS.items() if k != name})


def test_requests_in_flight_are_finished_before_a_worker_is_killed() -> None:
    settings = load(find_stack=False)
    for name, service in SERVICES.items():
        grace_s = seconds(service.raw["stop_grace_period"])
        assert grace_s > 2 * settings.judging.deadline_s, name
        assert grace_s > settings.kafka.rebalance_timeout_s, name


def test_our_containers_are_hardened() -> None:
    for name, service in SERVICES.items():
        assert service.raw["read_only"] is True, name
        assert service.raw["cap_drop"] == ["ALL"], name
        assert "no-new-privileges:true" in service.raw["security_opt"], name
        assert "privileged" not in service.raw, name


def test_ports_are_published_on_this_machine_only() -> None:
    for name, raw in document()["services"].items():
        for port in raw.get("ports", ()):
            assert port.startswith("127.0.0.1:"), (name, port)


def test_every_image_states_its_version() -> None:
    images = [raw["image"] for raw in document()["services"].values()]
    images += re.findall(r"^ARG \w*BASE=(\S+)", DOCKERFILE, re.MULTILINE)
    for image in images:
        tag = interpolated(image, {}).partition(":")[2]
        assert re.match(r"v?\d+\.\d+", tag), image


def test_the_image_runs_as_an_ordinary_user() -> None:
    stages = re.split(r"^FROM ", DOCKERFILE, flags=re.MULTILINE)
    final = [stage for stage in stages if "ENTRYPOINT" in stage]
    assert len(final) == 2
    for stage in final:
        assert re.search(r"^USER (\d+):\d+$", stage, re.MULTILINE)
        assert "HEALTHCHECK" in stage
    targets = set(re.findall(r" AS (\S+)", DOCKERFILE))
    for service in SERVICES.values():
        build = service.raw["build"]
        assert build["target"] in targets
        if build["target"] == "engine":
            device = build["args"]["DEVICE"]
            assert f"run-{device}" in targets
            assert service.raw["image"].startswith(f"judgestream/engine-{device}:")


def test_the_build_sees_what_it_copies_and_nothing_else() -> None:
    copied = {
        word
        for line in re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE)
        for word in line.split()
    }
    lines = (DEPLOY / "Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    assert "*" in lines
    assert {line[1:] for line in lines if line.startswith("!")} == copied
    assert all((ROOT / name).exists() for name in copied)


def test_a_service_is_healthy_while_it_is_ready() -> None:
    """The images ask one port, and every service that is asked serves its health there."""
    (port,) = set(re.findall(r"http://127\.0\.0\.1:(\d+)/readyz", DOCKERFILE))
    unasked = {
        name for name, one in SERVICES.items() if one.raw.get("healthcheck", {}).get("disable")
    }
    assert unasked == {"topics"}
    for name in SERVICES.keys() - unasked:
        option = "health-port" if name.startswith("triton") else "metrics-port"
        assert f"--{option}={port}" in SERVICES[name].arguments, name


def test_slots_are_used_once() -> None:
    used = [
        service.arguments[:3] for service in SERVICES.values() if service.arguments[0] == "worker"
    ]
    assert len(used) == len(set(used))


def test_the_broker_is_the_tested_one_and_takes_the_largest_record() -> None:
    kafka = document()["services"]["kafka"]
    assert kafka["image"] == f"apache/kafka:{KAFKA_VERSION}"
    assert kafka["environment"]["KAFKA_MESSAGE_MAX_BYTES"] == MAX_MESSAGE_BYTES
    assert max(topic.max_message_bytes for topic in TOPICS.values()) <= MAX_MESSAGE_BYTES


def scraped() -> Iterator[str]:
    config = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text(encoding="utf-8"))
    for job in config["scrape_configs"]:
        for group in job["static_configs"]:
            yield from group["targets"]


def test_prometheus_scrapes_every_service_at_its_port() -> None:
    option = "--metrics-port="
    expected = {
        f"{name}:{word.removeprefix(option)}"
        for name, service in SERVICES.items()
        for word in service.arguments
        if word.startswith(option)
    }
    assert len(expected) == 6
    assert expected <= set(scraped())
    hosts = {target.partition(":")[0] for target in scraped()}
    assert hosts <= set(document()["services"]) | {"triton"}
