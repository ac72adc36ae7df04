"""Training resumes bit for bit; an incomplete checkpoint is never loaded; SIGTERM saves one."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
import yaml

from judgestream.core.errors import ConfigurationError
from judgestream_trainer.recipe import Recipe
from judgestream_trainer.training.checkpointing import Checkpointer
from judgestream_trainer.training.data_order import Stream, supply
from judgestream_trainer.training.distributed import World
from judgestream_trainer.training.loop import Step, loop
from judgestream_trainer.training.objective import TrainingModel
from judgestream_trainer.training.run import repeatable
from tests.paths import PYTHONPATH, ROOT
from tests.trainer import small

ALONE = World(device=torch.device("cpu"))


def checkpointer(
    folder: Path, *, resume: bool = False, every: int = 5, keep: int = 3
) -> Checkpointer:
    return Checkpointer(
        folder=folder, identity={"recipe": "r"}, batch=6, save_every=every, keep=keep, resume=resume
    )


def go(
    recipe: Recipe, saving: Checkpointer | None, until: int
) -> tuple[TrainingModel, list[float]]:
    """Train up to a step, then stop; returns the model and the losses."""
    losses: dict[int, float] = {}

    def on_step(step: Step) -> None:
        losses[step.step] = step.loss

    with repeatable():
        torch.manual_seed(1)
        training_model = small.training_model(recipe)
        stream = Stream(recipe=recipe, supply=supply(recipe, None), tokens=small.tokens())
        loop(
            training_model,
            stream,
            ALONE,
            on_step=on_step,
            checkpointer=saving,
            stop=lambda: max(losses, default=0) + 1 >= until,
        )
    return training_model, [losses[step] for step in sorted(losses)]


@pytest.mark.parametrize(
    "changes", [{}, {"optimizer": "adamw", "clip": 1.0}, {"steps": 0, "epochs": 4, "examples": 30}]
)
def test_twenty_steps_equal_ten_and_ten_resumed_bit_for_bit(
    tmp_path: Path, changes: dict[str, object]
) -> None:
    recipe = small.recipe(optimisation=changes)
    whole, losses = go(recipe, None, 20)
    _, first = go(recipe, checkpointer(tmp_path), 10)
    parts, second = go(recipe, checkpointer(tmp_path, resume=True), 20)
    assert first + second == losses
    assert len(second) == 10
    for name, tensor in whole.state_dict().items():
        assert torch.equal(tensor, parts.state_dict()[name]), name


def test_the_in_place_defect_resumes_with_its_edited_records(tmp_path: Path) -> None:
    recipe = small.recipe(
        optimisation={"steps": 0, "epochs": 4, "examples": 30},
        augmentation={"in_place_defect": 1},
    )
    _, losses = go(recipe, None, 20)
    go(recipe, checkpointer(tmp_path), 10)
    _, second = go(recipe, checkpointer(tmp_path, resume=True), 20)
    assert second == losses[10:]


@pytest.mark.parametrize("harm", ["truncated", "changed", "without manifest"])
def test_an_incomplete_checkpoint_is_never_loaded(
    tmp_path: Path, harm: str, caplog: pytest.LogCaptureFixture
) -> None:
    recipe = small.recipe()
    go(recipe, checkpointer(tmp_path), 10)
    newest = tmp_path / "step-00000010"
    file = newest / "process-0.pt"
    content = file.read_bytes()
    if harm == "truncated":
        file.write_bytes(content[: len(content) // 2])
    elif harm == "changed":
        file.write_bytes(content[:-9] + bytes([content[-9] ^ 1]) + content[-8:])
    else:
        (newest / "manifest.json").unlink()
    _, losses = go(recipe, checkpointer(tmp_path, resume=True), 12)
    assert len(losses) == 7  # steps 6 to 12: from the checkpoint of step 5
    assert "is incomplete" in caplog.text


def test_a_checkpoint_records_its_data_position_and_the_last_ones_are_kept(tmp_path: Path) -> None:
    recipe = small.recipe(optimisation={"steps": 0, "epochs": 4, "examples": 30})
    go(recipe, checkpointer(tmp_path, every=2, keep=2), 13)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-00000012", "step-00000013"]
    manifest = json.loads((tmp_path / "step-00000012" / "manifest.json").read_text("utf-8"))
    assert manifest["position"] == {"epoch": 2, "consumed": 72}  # of 30 an epoch


def test_a_checkpoint_of_another_training_is_refused(tmp_path: Path) -> None:
    recipe = small.recipe()
    go(recipe, checkpointer(tmp_path), 5)
    with pytest.raises(ConfigurationError, match="already holds training checkpoints"):
        go(recipe, checkpointer(tmp_path), 5)
    other = Checkpointer(folder=tmp_path, identity={"recipe": "another"}, batch=6, resume=True)
    with pytest.raises(ConfigurationError, match="with a different recipe"):
        go(recipe, other, 5)
    manifest = tmp_path / "step-00000005" / "manifest.json"
    manifest.write_text(manifest.read_text("utf-8").replace('"world": 1', '"world": 2'), "utf-8")
    with pytest.raises(ConfigurationError, match="by 2 processes, not 1"):
        go(recipe, checkpointer(tmp_path, resume=True), 5)


@pytest.mark.integration
def test_sigterm_finishes_the_step_saves_and_exits_with_0(tmp_path: Path) -> None:
    base = small.base(tmp_path / "base")
    recipe = {
        "name": "small",
        "seed": 5,
        "families": small.SHARES,
        "size": small.SIZE,
        "optimisation": {**small.HOW, "steps": 100_000},
    }
    (tmp_path / "r.yaml").write_text(yaml.safe_dump(recipe), "utf-8")
    out = tmp_path / "out"
    command = [
        sys.executable,
        "-m",
        "judgestream_trainer",
        "train",
        "--recipe",
        str(tmp_path / "r.yaml"),
    ]
    command += ["--base", str(base), "--out", str(out)]
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": PYTHONPATH, "OMP_NUM_THREADS": "1"},
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        metrics = tmp_path / "out.training" / "metrics.jsonl"
        deadline = time.monotonic() + 180
        while not metrics.exists() or not metrics.read_text("utf-8"):
            assert process.poll() is None, process.stderr and process.stderr.read()
            assert time.monotonic() < deadline, "no first step in 180 s"
            time.sleep(0.1)
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 0, said
    assert "resume with" in said
    done = len(metrics.read_text("utf-8").splitlines())
    assert (tmp_path / "out.training" / "states" / f"step-{done:08d}" / "manifest.json").exists()
    assert not out.exists()
    shutil.rmtree(tmp_path / "out.training")
