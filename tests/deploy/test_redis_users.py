"""Valkey in deploy/ has the users of the table, and each service logs in as its own."""

import re

import pytest

from judgestream.adapters.redis.access import ACCESS
from tests.deploy.compose import DEPLOY, document, our_services, secrets_of
from tests.deploy.kustomize import containers, render
from tests.deploy.redis_users import PREFIX, generated, password_variable

SERVICES = our_services({name: f"secret-{name}" for name in secrets_of()})
ROWS = {"judging-1": "judging", "topics": "operator"}
"""Service of compose.yaml -> its row of the table, where the names differ."""


def test_the_generated_files_are_what_the_table_gives() -> None:
    for path, text in generated().items():
        assert path.read_text(encoding="utf-8") == text, (
            f"{path}: run `python -m tests.deploy.redis_users --write`"
        )


@pytest.mark.parametrize("name", ["judging", "judging-1", "shadow", "bias", "rollout", "topics"])
def test_a_service_of_compose_logs_in_as_its_user(name: str) -> None:
    (row,) = (row for row in ACCESS if row.service == ROWS.get(name, name))
    settings = SERVICES[name].settings
    assert settings["JUDGESTREAM_REDIS__USERNAME"] == row.user(PREFIX)
    assert settings["JUDGESTREAM_REDIS__PASSWORD"] == f"secret-{password_variable(row)}"


def test_others_have_no_login() -> None:
    others = SERVICES.keys() - {"judging", "judging-1", "shadow", "bias", "rollout", "topics"}
    assert others == {"triton-cpu", "triton-gpu", "trainer"}
    for name in others:
        assert "JUDGESTREAM_REDIS__PASSWORD" not in SERVICES[name].environment, name


def test_valkey_gets_every_password() -> None:
    wanted = {password_variable(row) for row in ACCESS}
    assert document()["services"]["valkey"]["environment"].keys() == wanted
    (valkey,) = (
        container
        for resource in render(DEPLOY / "kustomize" / "base")
        for container in containers(resource)
        if container["name"] == "valkey"
    )
    assert {one["name"] for one in valkey["env"]} == wanted


def test_a_pod_logs_in_as_its_user() -> None:
    found: dict[str, tuple[str, str]] = {}
    for resource in render(DEPLOY / "kustomize" / "base"):
        for container in containers(resource):
            env = {one["name"]: one for one in container.get("env", ())}
            if login := env.get("JUDGESTREAM_REDIS__USERNAME"):
                key = env["JUDGESTREAM_REDIS__PASSWORD"]["valueFrom"]["secretKeyRef"]["key"]
                found[resource["metadata"]["name"]] = (login["value"], key)
    assert found == {
        name: (f"judgestream-{name}", f"redis-{name}")
        for name in ("judging", "shadow", "bias", "rollout")
    }


def test_the_page_creates_every_key_of_the_secret() -> None:
    page = (DEPLOY.parent / "docs" / "how-to" / "deploy.md").read_text(encoding="utf-8")
    assert set(re.findall(r"--from-literal=redis-(\w+)=", page)) == {row.service for row in ACCESS}
