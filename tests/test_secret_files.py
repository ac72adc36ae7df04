"""A secret can be the content of a file, and a file that cannot be right is named, never quoted."""

import json
import logging
import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from judgestream.apps.cli import main
from judgestream.core.errors import ConfigurationError
from judgestream.settings import Origin, load, names, origins
from judgestream.settings.loading import secrets
from judgestream.settings.secret_files import MAX_BYTES, SUFFIX, without_files
from tests.paths import ROOT

SECRET = "p/4:s@s w0rd"
FILE = "JUDGESTREAM_REDIS__PASSWORD_FILE"


def secret_file(folder: Path, content: bytes, mode: int = 0o600) -> Path:
    path = folder / "secret"
    path.write_bytes(content)
    path.chmod(mode)
    return path


def test_every_secret_setting_has_a_variable_for_its_file_and_no_other_setting_uses_it() -> None:
    assert set(secrets().values()) >= {
        "kafka.password",
        "redis.url",
        "redis.password",
        "triton.control_key",
        "bias.webhook",
    }
    assert not {variable + SUFFIX for variable in secrets()} & names().keys()


def test_the_page_of_settings_lists_every_secret() -> None:
    page = (ROOT / "docs" / "reference" / "settings.md").read_text().split("\n| setting |")[0]
    assert all(f"`{path}`" in page for path in secrets().values())


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"])
def test_the_content_without_its_line_end_is_the_secret(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, end: bytes
) -> None:
    path = secret_file(tmp_path, SECRET.encode() + end)
    monkeypatch.setenv(FILE, str(path))
    monkeypatch.setenv("JUDGESTREAM_REDIS__URL", "redis://h:1/0")
    settings = load(find_stack=False)
    assert settings.redis.password.get_secret_value() == SECRET
    assert settings.redis.url.get_secret_value() == "redis://h:1/0", "the rest of the group stays"
    assert origins(settings)["redis.password"] is Origin.SECRET_FILE


def test_it_comes_before_the_settings_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    config = tmp_path / "judgestream.yaml"
    config.write_text("kafka:\n  password: from-yaml\n  username: u\n")
    monkeypatch.setenv("JUDGESTREAM_CONFIG", str(config))
    monkeypatch.setenv("JUDGESTREAM_KAFKA__PASSWORD_FILE", str(secret_file(tmp_path, b"f")))
    settings = load(find_stack=False)
    assert settings.kafka.password.get_secret_value() == "f"
    assert settings.kafka.username == "u"


def test_the_settings_name_the_file_and_not_the_secret(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = secret_file(tmp_path, SECRET.encode())
    monkeypatch.setenv(FILE, str(path))
    text = CliRunner().invoke(main, ["settings"])
    assert f"= ***  (from the file {path})" in text.output
    lines = CliRunner().invoke(main, ["settings", "--format", "json"]).output.splitlines()
    (row,) = [one for one in map(json.loads, lines) if one["variable"] + SUFFIX == FILE]
    assert (row["value"], row["source"]) == ("***", f"file {path}")
    assert SECRET not in text.output + "".join(lines)


@pytest.mark.parametrize(
    ("content", "mode", "told"),
    [
        (b"", 0o600, "is empty"),
        (b"\n", 0o600, "is empty"),
        (SECRET.encode() + b"\nmore\n", 0o600, "several lines"),
        (SECRET.encode() + b"\0", 0o600, "several lines"),
        (b"\xff" + SECRET.encode(), 0o600, "not UTF-8"),
        (b"x" * (MAX_BYTES + 1), 0o600, "larger than"),
        (SECRET.encode(), 0o606, "every user may change"),
    ],
)
def test_a_file_that_cannot_be_right_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: bytes, mode: int, told: str
) -> None:
    path = secret_file(tmp_path, content, mode)
    monkeypatch.setenv(FILE, str(path))
    with pytest.raises(ConfigurationError, match=told) as caught:
        load()
    assert f"{FILE} names {path}" in str(caught.value)
    assert SECRET not in str(caught.value)


def test_a_missing_file_a_folder_and_a_pipe_are_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path, told in (
        (tmp_path / "gone", "No such file"),
        (tmp_path, "names .*, which"),
        (tmp_path / "pipe", "which is not a file"),
        ("", "is empty: name a file"),
    ):
        monkeypatch.setenv(FILE, str(path))
        with pytest.raises(ConfigurationError, match=told):
            load()


def test_the_secret_and_its_file_together_are_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(FILE, str(secret_file(tmp_path, b"f")))
    monkeypatch.setenv("JUDGESTREAM_REDIS__PASSWORD", SECRET)
    with pytest.raises(ConfigurationError, match="are both set: unset one") as caught:
        load()
    assert SECRET not in str(caught.value)


def test_only_a_secret_has_such_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUDGESTREAM_KAFKA__USERNAME_FILE", "x")
    with pytest.raises(ConfigurationError, match="USERNAME_FILE: no such setting"):
        load()


def test_a_file_that_all_users_may_read_is_warned_of_where_its_owner_can_change_that(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = secret_file(tmp_path, b"f", 0o644)
    monkeypatch.setenv(FILE, str(path))
    with caplog.at_level(logging.WARNING):
        load()
        load()
    assert [record.getMessage() for record in caplog.records] == [
        f"{FILE} names {path}, which every user may read: chmod 600 it"
    ]


def test_a_child_gets_a_secret_once() -> None:
    environment = {FILE: "/run/secret", "PATH": "/bin"}
    assert without_files(environment, {"JUDGESTREAM_REDIS__PASSWORD": "x"}) == {
        "PATH": "/bin",
        "JUDGESTREAM_REDIS__PASSWORD": "x",
    }
    assert without_files(environment, {}) == environment


def test_the_home_of_nobody_is_an_error_that_names_the_variable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(FILE, "~no-such-user/secret")
    with pytest.raises(ConfigurationError, match=f"{FILE} names ~no-such-user/secret, whose user"):
        load(find_stack=False)
