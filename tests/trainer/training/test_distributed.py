"""Two processes train like one: same losses, same weights, and checkpoints that resume."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from judgestream_trainer.training.distributed import World
from judgestream_trainer.training.run import fine_tune
from tests.paths import PYTHONPATH, ROOT
from tests.trainer import small

HOW = {"optimizer": "adamw", "steps": 6, "row_tokens": 200, "clip": 1.0}


# name, optimizer, LoRA rank, steps until SIGTERM (of 6), whether checkpoints are kept and resumed
JOBS = (
    ("adamw", "adamw", 0, 6, False),
    ("muon", "muon", 0, 6, False),
    ("lora", "adamw", 4, 6, False),
    ("stopped", "adamw", 0, 3, True),
    ("resumed", "adamw", 0, 6, True),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output of two processes that run all jobs, started as torchrun does."""
    folder = tmp_path_factory.mktemp("world")
    small.base(folder / "base")
    sockets = [socket.socket() for _ in JOBS]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [str(one.getsockname()[1]) for one in sockets]
    for one in sockets:
        one.close()
    shared = {
        **os.environ,
        "PYTHONPATH": PYTHONPATH,
        "OMP_NUM_THREADS": "1",
        "WORLD_SIZE": "2",
        "MASTER_ADDR": "127.0.0.1",
        "GLOO_SOCKET_IFNAME": "lo",
    }
    started = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.trainer.training.test_distributed", str(folder), *ports],
            cwd=ROOT,
            env={**shared, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for rank in range(2)
    ]
    try:
        said = [process.communicate(timeout=400)[0] for process in started]
    finally:
        for process in started:
            process.kill()
    for process, text in zip(started, said, strict=True):
        assert process.returncode == 0, text
    return folder


@pytest.mark.integration
# Muon's Newton-Schulz runs in bf16, where the order of a sum shows
@pytest.mark.parametrize(
    ("name", "optimizer", "rank", "tolerance"),
    [("adamw", "adamw", 0, 1e-5), ("muon", "muon", 0, 1e-2), ("lora", "adamw", 4, 1e-5)],
)
def test_two_processes_train_as_one(
    folder: Path, tmp_path: Path, name: str, optimizer: str, rank: int, tolerance: float
) -> None:
    alone: list[float] = []
    train(folder / "base", tmp_path, optimizer, rank, 6, alone)
    together = json.loads((folder / f"{name}.json").read_text("utf-8"))
    assert together == pytest.approx(alone, abs=tolerance)
    one, two = load_file(tmp_path / "model.safetensors"), weights(folder / name)
    assert one.keys() == two.keys()
    for key, tensor in one.items():
        torch.testing.assert_close(two[key], tensor, atol=tolerance, rtol=tolerance)


@pytest.mark.integration
def test_a_sharded_checkpoint_resumes_bit_for_bit(folder: Path) -> None:
    assert not (folder / "stopped").exists()
    whole, resumed = weights(folder / "adamw"), weights(folder / "resumed")
    for name, tensor in whole.items():
        assert torch.equal(tensor, resumed[name]), name


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model.safetensors")


def test_every_process_takes_as_many_parts_and_each_part_counts_once() -> None:
    rows = list("abcde")
    shares = [World(device=torch.device("cpu"), rank=rank, size=2).share(rows) for rank in range(2)]
    assert [len(share) for share in shares] == [3, 3]
    assert sorted(row for share in shares for row, counted in share if counted) == rows


def train(
    base: Path,
    out: Path,
    optimizer: str,
    rank: int,
    until: int,
    losses: list[float],
    work: Path | None = None,
) -> None:
    recipe = small.recipe(
        base=True,
        optimisation={**HOW, "optimizer": optimizer},
        lora={"rank": rank},
        records={"save_every": 1},
    )

    def on_step(step: object) -> None:
        losses.append(step.loss)  # type: ignore[attr-defined]
        if len(losses) == until < 6:
            os.kill(os.getpid(), 15)

    fine_tune(
        recipe,
        small.examples(40),
        base=base,
        out=out,
        on_step=on_step,
        work=work,
        resume=work is not None,
    )


def main(folder: Path, ports: list[str]) -> None:
    torch.set_num_threads(1)
    for (name, optimizer, rank, until, kept), port in zip(JOBS, ports, strict=True):
        os.environ["MASTER_PORT"] = port
        seen: list[float] = []
        work = folder / "work" if kept else None
        train(folder / "base", folder / name, optimizer, rank, until, seen, work)
        if os.environ["RANK"] == "0":
            (folder / f"{name}.json").write_text(json.dumps(seen), "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
