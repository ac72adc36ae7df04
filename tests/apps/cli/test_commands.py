"""The command line without any server: usage, settings, messages, exit codes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from judgestream.adapters.releases.model_config import bundled_models
from judgestream.apps.cli import main
from judgestream.apps.cli.settings_table import shown
from judgestream.core import errors
from judgestream.core.formats.fields import InvalidRecord
from judgestream.core.types import Status
from judgestream.core.verdict_text import verdict_line
from judgestream.settings import Redis, Settings
from judgestream.terminal.exit_codes import ExitCode, TimeRanOut, exit_code
from tests.core.build import verdict

NOWHERE = {"JUDGESTREAM_KAFKA__BOOTSTRAP": "127.0.0.1:1"}
ROW = {"id": "p1", "prompt": "Hi?", "chosen": "Hello.", "rejected": "What."}


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps(ROW) + "\n")
    return path


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.ConfigurationError("x"), ExitCode.USAGE),
        (InvalidRecord("x"), ExitCode.USAGE),
        (errors.BrokerUnavailable("x"), ExitCode.SERVER),
        (errors.JudgeUnavailable("x"), ExitCode.SERVER),
        (TimeRanOut("x"), ExitCode.TIMEOUT),
    ],
)
def test_every_kind_of_error_has_its_exit_code(
    error: errors.JudgestreamError, code: ExitCode
) -> None:
    assert exit_code(error) is code


@pytest.mark.integration
def test_an_unreachable_broker_gives_one_sentence_with_the_setting() -> None:
    # A separate process: kafka-python leaves the sockets of refused connections to the collector
    done = subprocess.run(
        [sys.executable, "-m", "judgestream.apps.cli", "topics", "check"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=os.environ | NOWHERE | {"JUDGESTREAM_KAFKA__CONNECT_TIMEOUT_S": "1"},
    )
    assert done.returncode == ExitCode.SERVER
    assert len(done.stderr.splitlines()) == 1
    assert "no Kafka broker answers at 127.0.0.1:1" in done.stderr
    assert "JUDGESTREAM_KAFKA__BOOTSTRAP" in done.stderr


def test_debug_shows_the_traceback_and_keeps_the_code(tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["--debug", "submit", str(tmp_path / "none"), "--dry-run"])
    assert done.exit_code == ExitCode.USAGE
    assert "Traceback" in done.stderr and "cannot be read" in done.stderr


def test_an_invalid_setting_is_named() -> None:
    done = CliRunner().invoke(main, ["settings"], env={"JUDGESTREAM_KAFKA__BOOTSTRAPP": "x"})
    assert done.exit_code == ExitCode.USAGE
    assert "JUDGESTREAM_KAFKA__BOOTSTRAPP: no such setting" in done.stderr


def test_settings_are_shown_with_their_values_and_without_their_secrets() -> None:
    env = {
        "JUDGESTREAM_KAFKA__PASSWORD": "geheim",
        "JUDGESTREAM_REDIS__URL": "redis://user:geheim@cache:6379/0",
    }
    for form in ("text", "json"):
        done = CliRunner().invoke(main, ["settings", "--format", form], env=env)
        assert done.exit_code == 0
        assert "geheim" not in done.output
        assert "redis://user:***@cache:6379/0" in done.output


def test_an_address_without_a_password_is_shown_whole() -> None:
    settings = Settings(redis=Redis(url="redis://127.0.0.1:26379/0"))
    assert shown(settings, "redis.url") == "redis://127.0.0.1:26379/0"
    assert shown(settings, "kafka.password") == ""


def test_a_dry_run_prints_what_would_be_sent_and_needs_no_server(rows: Path) -> None:
    arguments = ["submit", str(rows), "--dry-run", "--orders", "straight", "--explain"]
    done = CliRunner().invoke(main, [*arguments, "--prefix", "x-"], env=NOWHERE)
    assert done.exit_code == 0, done.output
    sent = json.loads(done.stdout)
    assert (sent["requestId"], sent["options"]["orders"]) == (
        "x-trl-p1-32a0fe8ffd",
        "ORDERS_STRAIGHT",
    )
    assert sent["options"]["explain"] is True


def test_standard_input_is_read(rows: Path) -> None:
    done = CliRunner().invoke(main, ["submit", "-", "--dry-run"], input=rows.read_text())
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["requestId"] == "trl-p1-32a0fe8ffd"


def test_omitted_options_do_not_change_the_request(tmp_path: Path) -> None:
    path = tmp_path / "own.jsonl"
    row = {
        "requestId": "r",
        "question": "q",
        "candidates": [{"text": "a"}, {"text": "b"}],
        "options": {"orders": "ORDERS_STRAIGHT", "explain": True},
    }
    path.write_text(json.dumps(row))
    done = CliRunner().invoke(main, ["submit", str(path), "--dry-run"])
    options = json.loads(done.stdout)["options"]
    assert (options["orders"], options["explain"]) == ("ORDERS_STRAIGHT", True)


def test_an_oversize_request_is_refused_before_anything_is_sent(tmp_path: Path) -> None:
    path = tmp_path / "big.jsonl"
    path.write_text(json.dumps(ROW | {"chosen": "x" * (1 << 20)}))
    done = CliRunner().invoke(main, ["submit", str(path)], env=NOWHERE)
    assert done.exit_code == ExitCode.USAGE
    assert (
        "request 'trl-p1-" in done.stderr
        and "has" in done.stderr
        and "shorten its texts" in done.stderr
    )


def test_replay_needs_a_selection(rows: Path) -> None:
    for arguments in ([], ["--all", "--error-class", "too_old"], ["abc", "--all"]):
        done = CliRunner().invoke(main, ["dlq", "replay", *arguments], env=NOWHERE)
        assert done.exit_code == ExitCode.USAGE
        assert "no dead letters selected" in done.stderr


def test_an_invalid_time_is_a_usage_error() -> None:
    done = CliRunner().invoke(main, ["verdicts", "tail", "--since", "yesterday"], env=NOWHERE)
    assert done.exit_code == ExitCode.USAGE
    assert "invalid time" in done.output


@pytest.mark.parametrize(
    ("of", "text"),
    [
        (
            verdict(winner="a"),
            "2026-01-02T12:00:00Z  r1  winner a  scores 5.0 5.0",
        ),
        (verdict(tie=True), "2026-01-02T12:00:00Z  r1  TIE  scores 5.0 5.0"),
        (verdict(status=Status.UNSCORED), "2026-01-02T12:00:00Z  r1  UNSCORED: "),
    ],
)
def test_a_verdict_is_one_line(of: object, text: str) -> None:
    assert verdict_line(of) == text  # type: ignore[arg-type]


def test_a_release_is_installed_under_its_digest(tmp_path: Path) -> None:
    judge = bundled_models() / "judges" / "tiny"
    repository = tmp_path / "models"
    arguments = ["release", "install", str(judge), "--repository", str(repository)]
    done = CliRunner().invoke(main, [*arguments, "--format", "json"])
    assert done.exit_code == 0, done.output
    name = json.loads(done.stdout)["release"]
    assert (repository / name / "config.pbtxt").is_file()
    done = CliRunner().invoke(main, [*arguments, "--tensor-parallel", "2", "--device", "gpu"])
    assert done.exit_code == 0, done.output
    assert "gpus: [ 0 ]" in (repository / name / "config.pbtxt").read_text()
    tuning = ["--row-tokens", "4096", "--peak-tflops", "312.5"]
    done = CliRunner().invoke(main, [*arguments, *tuning])
    assert done.exit_code == 0, done.output
    config = " ".join((repository / name / "config.pbtxt").read_text().split())
    assert 'key: "row_tokens" value: { string_value: "4096" }' in config
    assert 'key: "peak_tflops" value: { string_value: "312.5" }' in config
    for wrong, why in (
        (["--tensor-parallel", "2"], "need GPUs"),
        (["--device", "gpu", "--gpus", "0,x"], "give numbers separated by commas"),
    ):
        done = CliRunner().invoke(main, [*arguments, *wrong])
        assert done.exit_code == ExitCode.USAGE
        assert why in done.stderr
    done = CliRunner().invoke(
        main, ["release", "install", str(tmp_path / "none"), "--repository", str(repository)]
    )
    assert done.exit_code == ExitCode.USAGE
    assert "is not a checkpoint folder" in done.stderr


def test_a_release_for_triton_s_vllm_backend_is_two_models(tmp_path: Path) -> None:
    judge = bundled_models() / "judges" / "tiny"
    command = ["release", "vllm", str(judge), "--repository", str(tmp_path), "--format", "json"]
    done = CliRunner().invoke(main, [*command, "--arguments", '{"seed": 3}', "--dtype", "float32"])
    assert done.exit_code == 0, done.output
    name = json.loads(done.stdout)["release"]
    found = json.loads((tmp_path / f"{name}-engine" / "1" / "model.json").read_text())
    assert (found["seed"], found["dtype"]) == (3, "float32")
    for wrong in ("[]", "{"):
        done = CliRunner().invoke(main, [*command, "--arguments", wrong])
        assert done.exit_code == ExitCode.USAGE
        assert "--arguments" in done.stderr
