"""Fixtures of every test package. Nothing heavy, nothing that starts a server."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from judgestream.engine.openmp import wait_passively
from tests.paths import SHARED

wait_passively()  # before any test imports torch: the machine's cores are shared

# one machine in many is slow: time is never what a property test is about
settings.register_profile(
    "default",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.register_profile("nightly", settings.get_profile("default"), max_examples=20_000)
settings.load_profile("default")

SHARED_DATA = "JUDGESTREAM_SHARED"

# No test may find a stack that runs for the user of this machine.
os.environ["JUDGESTREAM_LOCAL__DATA"] = "/nonexistent/judgestream-tests"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of published data sets: `$JUDGESTREAM_SHARED`, else `../shared/data`. Skips without."""
    beside = SHARED / "data"
    folder = Path(os.environ.get(SHARED_DATA) or beside)
    if not folder.is_dir():
        pytest.skip(f"no published data at {folder}: set {SHARED_DATA} to the folder that has it")
    return folder
