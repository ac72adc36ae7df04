"""Who computes lets its threads sleep; who only imports the package changes nothing."""

import os
import subprocess
import sys

import pytest

from judgestream.engine.openmp import wait_passively
from tests.paths import ROOT


def test_threads_sleep_after_a_thousand_turns_unless_somebody_said_otherwise() -> None:
    environment: dict[str, str] = {}
    wait_passively(environment)
    assert environment == {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "1000"}
    for said in ({"OMP_WAIT_POLICY": "ACTIVE"}, {"OMP_WAIT_POLICY": ""}):
        told = dict(said)
        wait_passively(told)
        assert told == said
    told = {"GOMP_SPINCOUNT": "7"}
    wait_passively(told)
    assert told == {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "7"}


def test_importing_the_package_writes_no_environment() -> None:
    code = (
        "import os; before = dict(os.environ)\n"
        "import judgestream.checkpoints.manifest, judgestream.adapters.releases.model_repository\n"
        "assert dict(os.environ) == before, set(os.environ) - set(before)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "path", ["triton_models/judgelm/1/model.py", "tests/benchmarks/__main__.py"]
)
def test_what_computes_calls_it_before_torch_is_imported(path: str) -> None:
    text = (ROOT / path).read_text()
    called = text.index("wait_passively()")
    later = ("import torch", "engine.instance import", "import engine")
    assert all(text.index(one) > called for one in later if one in text)


def test_the_trainer_calls_it_and_has_no_torch_before_its_command_runs() -> None:
    code = (
        "import os, sys, judgestream_trainer.__main__ as m\n"
        "assert 'torch' not in sys.modules and 'OMP_WAIT_POLICY' not in os.environ\n"
        "m.main(['data', 'check', '/nowhere'])\n"
        "assert os.environ['OMP_WAIT_POLICY'] == 'PASSIVE'"
    )
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("OMP_", "GOMP_"))}
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=ROOT,
        env=environment,
    )
    assert done.returncode == 0, done.stderr
