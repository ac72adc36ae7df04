"""`judgestream evaluate` and `judgestream publish` from arguments to files."""

import json
import os
import shutil
import subprocess
import sys
from itertools import islice
from pathlib import Path

import pytest

from judgestream.checkpoints.manifest import read_manifest, verify
from judgestream.contracts.codecs.requests import NO_TIME
from judgestream_trainer.data.topic import json_line
from judgestream_trainer.tasks import FAMILIES, items
from tests.paths import JUDGES, PYTHONPATH
from tests.trainer.command_line import main

TINY = JUDGES / "tiny"


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    folder = tmp_path / "checkpoint"
    shutil.copytree(TINY, folder)
    return folder


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Twelve examples of two families, as the training topic writes them."""
    path = tmp_path / "held-out.jsonl"
    path.write_text(
        "".join(
            json_line(item.example, labelled_at=NO_TIME)
            for name in ("knowledge", "formats")
            for item in islice(items(FAMILIES[name], seed=9, held_out=True), 6)
        )
    )
    return path


def test_evaluate_writes_the_card_into_the_checkpoint_and_prints_it_as_json(
    checkpoint: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["evaluate", "--checkpoint", str(checkpoint), "--data", str(data)]
    assert main([*arguments, "--format", "json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == json.loads((checkpoint / "evaluation.json").read_text())
    assert printed["overall"]["with_reference"]["n"] == 12
    assert printed["judgelm"]["with_reference"]["total_num"] == 12
    assert printed["sources"][0]["name"] == "held-out.jsonl"
    assert set(printed["groups"]) == {"knowledge", "formats"}
    manifest = read_manifest(checkpoint)
    verify(checkpoint, manifest)
    assert manifest.digest == read_manifest(TINY).digest
    assert manifest.evaluation["with_reference"]["n"] == 12


def test_evaluate_elsewhere_leaves_the_checkpoint_alone_and_prints_a_table(
    checkpoint: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ablation = tmp_path / "ablation.json"
    ablation.write_text('{"note": "Three seeds.", "rows": {"swap": {"accuracy": [0.9, 0.01]}}}')
    arguments = ["evaluate", "--checkpoint", str(checkpoint), "--data", str(data)]
    assert main([*arguments, "--out", str(tmp_path / "card"), "--ablation", str(ablation)]) == 0
    assert "consistency" in capsys.readouterr().out
    assert "| swap | 0.900 ± 0.010 |" in (tmp_path / "card" / "EVALUATION.md").read_text()
    verify(checkpoint, read_manifest(TINY))


@pytest.mark.parametrize(
    ("content", "problem"),
    [("[]", "TypeError"), ('{"rows": {"a": {"b": 1}}}', "TypeError"), ("{", "JSONDecodeError")],
)
def test_a_malformed_ablation_file_is_named(
    checkpoint: Path,
    data: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    content: str,
    problem: str,
) -> None:
    wrong = tmp_path / "ablation.json"
    wrong.write_text(content)
    arguments = ["evaluate", "--checkpoint", str(checkpoint), "--data", str(data)]
    assert main([*arguments, "--ablation", str(wrong)]) == 2
    said = capsys.readouterr().err
    assert problem in said and "ablation.json" in said.replace("\n", "")


def test_evaluate_without_data_names_the_options(
    checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", "--checkpoint", str(checkpoint)]) == 2
    assert "--data" in capsys.readouterr().err


def test_publish_to_a_folder_without_an_event(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["publish", str(checkpoint), str(tmp_path / "to"), "--no-event", "--name", "mine"]
    assert main(arguments) == 0
    (release,) = (tmp_path / "to").iterdir()
    assert release.name == f"mine-{read_manifest(TINY).short}"
    verify(release, read_manifest(release))
    capsys.readouterr()
    assert main(arguments) == 0
    assert "already complete" in " ".join(capsys.readouterr().err.split())


@pytest.mark.integration
def test_a_checkpoint_is_published_even_if_no_broker_takes_its_event_which_exits_with_3(
    checkpoint: Path, tmp_path: Path
) -> None:
    # in a separate process: kafka-python leaves the sockets of failed connections to the garbage collector
    arguments = ["publish", str(checkpoint), str(tmp_path / "to")]
    done = subprocess.run(
        [sys.executable, "-m", "judgestream_trainer", *arguments],
        env={
            **os.environ,
            "PYTHONPATH": PYTHONPATH,
            "JUDGESTREAM_KAFKA__BOOTSTRAP": "127.0.0.1:1",
            "JUDGESTREAM_KAFKA__CONNECT_TIMEOUT_S": "1",
        },
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert done.returncode == 3, done.stderr
    assert "no Kafka broker answers at 127.0.0.1:1" in " ".join(done.stderr.split())
    assert len(list((tmp_path / "to").iterdir())) == 1
