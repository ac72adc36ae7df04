"""Invalid settings, paths and ports: one sentence that names them and exit code 1, 2 or 3, no traceback."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from judgestream.apps.cli import main
from judgestream.apps.cli.stack.status import ranges
from judgestream.apps.cli.stack.up import differences
from judgestream.apps.machine.server_plan import plan_servers
from judgestream.apps.machine.supervisor import snapshot
from judgestream.core.errors import ConfigurationError
from judgestream.local.folder import data_folder, make_folder
from judgestream.local.ports import free_port
from judgestream.local.variables import host_port, read_variables, write_variables
from judgestream.settings import Origin, load, origins
from judgestream.terminal.output import column_widths
from tests.paths import environment

DATA = "JUDGESTREAM_LOCAL__DATA"
CONFIG = "JUDGESTREAM_CONFIG"


def run(arguments: list[str], **variables: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "judgestream.apps.cli", *arguments],
        env=environment(**variables),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


# environment, command, what the one message names
WRONG = [
    ({DATA: "/proc/foo"}, ["up"], "/proc/foo"),
    ({DATA: "{file}"}, ["up"], "{file}"),
    ({DATA: "{file}/below"}, ["up"], "a part of the path is a file"),
    ({DATA: ""}, ["up"], "is empty"),
    ({DATA: "/var/a\nb"}, ["up"], "control character"),
    ({DATA: "/var/" + "x" * 300}, ["up"], "too long"),
    ({DATA: "{file}"}, ["status"], "{file}"),
    ({DATA: "{file}"}, ["down"], "a file has that name"),
    ({DATA: "{file}"}, ["release", "list"], "{file}"),
    ({"JUDGESTREAM_LOCAL__KAFKA_PORT": "0"}, ["up"], "local.kafka_port"),
    ({"JUDGESTREAM_LOCAL__REDIS_PORT": "70000"}, ["up"], "local.redis_port"),
    ({"JUDGESTREAM_LOCAL__TRITON_GRPC_PORT": "x"}, ["status"], "local.triton_grpc_port"),
    ({"JUDGESTREAM_WORKER__METRICS_PORT": "65530"}, ["up"], "worker.metrics_port"),
    ({"JUDGESTREAM_KAFKA": "{"}, ["settings"], "kafka"),
    ({CONFIG: "{folder}"}, ["settings"], "which is not a file"),
    ({CONFIG: "{broken}"}, ["settings"], "not YAML"),
    ({CONFIG: "{list}"}, ["settings"], "no groups of settings"),
    ({CONFIG: "{binary}"}, ["settings"], "cannot be read"),
    ({}, ["up", "--judge", "/nowhere/at/all"], "is not a checkpoint folder, an installed release"),
    ({}, ["up", "--judge", "http://127.0.0.1:1/v1"], "name its model"),
    ({}, ["up", "model-alone"], "need --judge with the URL of an"),
    ({"JUDGESTREAM_TRITON__RELEASE": "nope-12345678"}, ["up"], "nope-12345678"),
    ({"JUDGESTREAM_KAFKA__BOOTSTRAP": "no address"}, ["up"], "address"),
    ({}, ["release", "install", "/nowhere"], "not a checkpoint folder"),
    ({}, ["release", "install", "nosuch://x/y"], "nosuch"),
    ({}, ["release", "use", "x"], "no rollout service answers"),
]


@pytest.mark.parametrize(("environment", "command", "named"), WRONG)
def test_a_wrong_input_is_one_sentence(
    tmp_path: Path, environment: dict[str, str], command: list[str], named: str
) -> None:
    (tmp_path / "file").write_text("not a folder")
    (tmp_path / "broken").write_text("kafka: [password: geheim")
    (tmp_path / "list").write_text("- a\n")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00\x80kafka")
    places = {name: str(tmp_path / name) for name in ("file", "broken", "list", "binary")}
    places["folder"] = str(tmp_path)

    def filled(text: str) -> str:
        for name, place in places.items():
            text = text.replace("{" + name + "}", place)
        return text

    env = {DATA: str(tmp_path / "data")} | {k: filled(v) for k, v in environment.items()}
    for server in (
        "KAFKA_PORT",
        "REDIS_PORT",
        "TRITON_HTTP_PORT",
        "TRITON_METRICS_PORT",
        "ROLLOUT_PORT",
    ):
        env.setdefault(f"JUDGESTREAM_LOCAL__{server}", str(free_port()))
    done = CliRunner().invoke(main, command, env=env)
    assert done.exit_code in (1, 2, 3), (done.output, done.exception)
    assert done.exception is None or isinstance(done.exception, SystemExit)
    assert "Traceback" not in done.output and "geheim" not in done.output
    assert filled(named) in done.output, done.output


def test_a_taken_port_is_named_before_anything_starts(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        env = {DATA: str(tmp_path / "data"), "JUDGESTREAM_LOCAL__KAFKA_PORT": port}
        done = run(["up", "--foreground"], **env)
        assert done.returncode == 2, done.stderr
        assert f"Port {port}" in done.stderr and "local.kafka_port" in done.stderr
        assert "Traceback" not in done.stderr


def test_one_port_for_two_servers_is_refused(tmp_path: Path) -> None:
    settings = load(find_stack=False, local={"kafka_port": 4000, "redis_port": 4000})
    with pytest.raises(ConfigurationError, match="port 4000 is used twice"):
        plan_servers(settings, tmp_path, free_ports=False).taken_ports({})


def test_an_unknown_home_and_an_ascii_terminal_give_no_traceback(tmp_path: Path) -> None:
    done = run(["status"], HOME=str(tmp_path), LC_ALL="C", PYTHONUTF8="0", PYTHONIOENCODING="ascii")
    assert done.returncode == 1 and "nothing is running" in done.stderr
    done = run(["settings"], HOME="", LC_ALL="C", PYTHONCOERCECLOCALE="0", PYTHONUTF8="0")
    assert done.returncode == 0 and "Traceback" not in done.stderr


def test_an_unknown_home_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigurationError, match="set HOME, or give an absolute path"):
        data_folder(Path("~nobody-of-this-name/data"))


def test_a_read_only_folder_is_reported(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    (tmp_path / "closed").mkdir(mode=0o500)
    with pytest.raises(ConfigurationError, match="may not write"):
        make_folder(tmp_path / "closed" / "data")


def test_the_version_is_an_option(tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["--version"])
    assert done.exit_code == 0 and done.output.strip()


def test_tables_fit_and_no_word_is_broken() -> None:
    cells = [["name", "meaning"], ["a" * 30, "some words that are long enough to be wrapped"]]
    assert column_widths(cells, 80) == [30, 45]
    assert column_widths(cells, 50) == [30, 18]
    assert column_widths(cells, 20) == [30, 7]  # "meaning", "wrapped": words stay whole


def test_partitions_are_shown_as_ranges() -> None:
    assert ranges((0, 1, 2, 5, 7, 8)) == "0-2,5,7-8"
    assert ranges(()) == "none"


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("127.0.0.1:9092", ("127.0.0.1", 9092)),
        ("localhost:9092", ("127.0.0.1", 9092)),
        ("redis://:secret@127.0.0.1:6379/0", ("127.0.0.1", 6379)),
        ("nonsense", None),
        ("host:port", None),
        ("", None),
    ],
)
def test_an_address_has_a_host_and_a_port(address: str, place: tuple[str, int] | None) -> None:
    assert host_port(address) == place


def test_variables_are_read_back_unchanged(tmp_path: Path) -> None:
    variables = {"A": "redis://:p$(x)'\"@h:1/0", "B": "", "C": "two words"}
    path = write_variables(tmp_path, variables)
    assert read_variables(tmp_path) == variables
    assert path.stat().st_mode & 0o077 == 0
    done = subprocess.run(
        ["sh", "-c", f'set -a; . {path}; printf "%s|%s|%s" "$A" "$B" "$C"'],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "|".join(variables.values())
    assert read_variables(tmp_path / "none") == {}


def test_settings_name_their_source(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text("judging:\n  inflight: 7\n")
    monkeypatch.setenv(CONFIG, str(file))
    monkeypatch.setenv("JUDGESTREAM_KAFKA__BOOTSTRAP", "env:1")
    found = origins(load())
    assert found["kafka.bootstrap"] is Origin.ENVIRONMENT
    assert found["judging.inflight"] is Origin.FILE
    assert found["redis.url"] is Origin.DEFAULT


def test_differences_to_a_running_stack_are_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    before = snapshot(load())
    write_variables(tmp_path, {"JUDGESTREAM_KAFKA__BOOTSTRAP": "127.0.0.1:4000"})
    monkeypatch.setenv("JUDGESTREAM_KAFKA__BOOTSTRAP", "localhost:4000")
    monkeypatch.setenv("JUDGESTREAM_JUDGING__INFLIGHT", "3")
    monkeypatch.setenv("JUDGESTREAM_KAFKA__PASSWORD", "geheim")
    settings = load()
    lines = differences(settings, before, snapshot(settings), tmp_path, "")
    assert lines == [
        "kafka.password has changed (JUDGESTREAM_KAFKA__PASSWORD)",
        "judging.inflight is 64, wanted 3 (JUDGESTREAM_JUDGING__INFLIGHT)",
    ]
