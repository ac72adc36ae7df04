"""Entry points set OpenMP's waiting policy before torch is imported; importing the package sets nothing."""

import os
import subprocess
import sys

from judgestream.engine.openmp import wait_passively
from tests.paths import ROOT


def test_threads_sleep_after_a_short_spin_unless_the_environment_says_otherwise() -> None:
    environment: dict[str, str] = {}
    wait_passively(environment)
    assert environment == {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "1000"}
    for given in ({"OMP_WAIT_POLICY": "ACTIVE"}, {"OMP_WAIT_POLICY": ""}):
        environment = dict(given)
        wait_passively(environment)
        assert environment == given
    environment = {"GOMP_SPINCOUNT": "7"}
    wait_passively(environment)
    assert environment == {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "7"}


def test_importing_the_package_writes_no_environment() -> None:
    code = (
        "import os; before = dict(os.environ)\n"
        "import judgestream.checkpoints.manifest, judgestream.adapters.releases.model_repository\n"
        "assert dict(os.environ) == before, set(os.environ) - set(before)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_the_engine_model_calls_it_before_it_imports_torch() -> None:
    code = (
        "import os, sys\n"
        "from judgestream.backends import entry_points\n"
        "assert 'torch' not in sys.modules and 'OMP_WAIT_POLICY' not in os.environ\n"
        "class Stop(Exception): ...\n"
        "class Finder:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'torch': raise Stop(os.environ['OMP_WAIT_POLICY'])\n"
        "sys.meta_path.insert(0, Finder())\n"
        "try: entry_points.judgelm({}, None)\n"
        "except Stop as stop: assert str(stop) == 'PASSIVE'\n"
        "else: raise AssertionError('torch was not imported')"
    )
    _run(code)


def test_benchmarks_call_it_before_they_import_torch() -> None:
    text = (ROOT / "tests/benchmarks/__main__.py").read_text()
    assert text.index("wait_passively()") < text.index("from tests.benchmarks import")


def test_the_trainer_calls_it_and_has_no_torch_before_its_command_runs() -> None:
    code = (
        "import os, sys, judgestream_trainer.__main__ as m\n"
        "assert 'torch' not in sys.modules and 'OMP_WAIT_POLICY' not in os.environ\n"
        "try:\n    m.main(['data', 'check', '/nowhere'])\nexcept SystemExit:\n    pass\n"
        "assert os.environ['OMP_WAIT_POLICY'] == 'PASSIVE'"
    )
    _run(code)


def _run(code: str) -> None:
    """Run the code in a new process without OpenMP settings."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("OMP_", "GOMP_"))}
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=ROOT,
        env=environment,
    )
    assert done.returncode == 0, done.stderr
