"""Two processes train as one does: same losses, same weights, and a state that goes on."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests.trainer import small
from trainer.train import fine_tune
from trainer.world import World

ROOT = Path(__file__).resolve().parents[2]
HOW = {"optimizer": "adamw", "steps": 6, "row_tokens": 200, "clip": 1.0}


def processes(count: int, *arguments: str) -> list[str]:
    """Run this file in `count` processes that know of each other as torchrun's do."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    path = os.pathsep.join((str(ROOT / "services"), str(ROOT)))
    shared = {
        **os.environ,
        "PYTHONPATH": path,
        "OMP_NUM_THREADS": "1",
        "WORLD_SIZE": str(count),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "GLOO_SOCKET_IFNAME": "lo",
    }
    started = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.trainer.test_world", *arguments],
            cwd=ROOT,
            env={**shared, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for rank in range(count)
    ]
    try:
        said = [process.communicate(timeout=240)[0] for process in started]
    finally:
        for process in started:
            process.kill()
    for process, text in zip(started, said, strict=True):
        assert process.returncode == 0, text
    return said


@pytest.mark.parametrize(
    ("optimizer", "rank"), [("adamw", 0), ("muon", 0), ("adamw", 4)], ids=["adamw", "muon", "lora"]
)
def test_two_processes_train_as_one(tmp_path: Path, optimizer: str, rank: int) -> None:
    base = small.base(tmp_path / "base")
    arguments = (str(base), str(tmp_path / "two"), optimizer, str(rank), "6")
    processes(2, *arguments)
    alone: list[float] = []
    train(base, tmp_path / "one", optimizer, rank, 6, alone)
    together = [float(x) for x in (tmp_path / "two.losses").read_text("utf-8").split()]
    assert together == pytest.approx(alone, abs=1e-5)
    one, two = (load_file(tmp_path / name / "model.safetensors") for name in ("one", "two"))
    assert one.keys() == two.keys()
    for name, tensor in one.items():
        torch.testing.assert_close(two[name], tensor, atol=1e-5, rtol=1e-5)


def test_a_sharded_state_goes_on_to_the_bit(tmp_path: Path) -> None:
    base = small.base(tmp_path / "base")
    processes(2, str(base), str(tmp_path / "whole"), "adamw", "0", "6")
    work = str(tmp_path / "work")
    processes(2, str(base), str(tmp_path / "first"), "adamw", "0", "3", work)
    processes(2, str(base), str(tmp_path / "parts"), "adamw", "0", "6", work)
    whole, parts = (load_file(tmp_path / n / "model.safetensors") for n in ("whole", "parts"))
    for name, tensor in whole.items():
        assert torch.equal(tensor, parts[name]), name


def test_every_process_takes_as_many_rows_and_each_row_counts_once() -> None:
    rows = list("abcde")
    shares = [
        World(device=torch.device("cpu"), rank=rank, size=2).share(rows) for rank in range(2)
    ]
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

    def report(step: object) -> None:
        losses.append(step.loss)  # type: ignore[attr-defined]
        if len(losses) == until < 6:
            os.kill(os.getpid(), 15)

    fine_tune(
        recipe,
        small.examples(40),
        base=base,
        out=out,
        report=report,
        work=work,
        resume=work is not None,
    )


if __name__ == "__main__":
    seen: list[float] = []
    base, out, optimizer, rank, until, *rest = sys.argv[1:]
    torch.set_num_threads(1)
    where = Path(rest[0]) if rest else None
    train(Path(base), Path(out), optimizer, int(rank), int(until), seen, where)
    if os.environ["RANK"] == "0":
        Path(f"{out}.losses").write_text("\n".join(map(str, seen)), "utf-8")
