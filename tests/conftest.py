"""Fixtures of every test package, and the order of the test files. Starts no server."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings
from xdist.scheduler.loadfile import LoadFileScheduling  # type: ignore[import-untyped]

from judgestream.engine.openmp import wait_passively
from tests.paths import ROOT, SHARED

if TYPE_CHECKING:
    from tests.traced import Traces

# Both before any test imports torch: two pytest workers and the servers share the cores.
os.environ.setdefault("OMP_NUM_THREADS", "1")
wait_passively()

# No deadline: a loaded machine must not fail a property test.
settings.register_profile(
    "default",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.register_profile("nightly", settings.get_profile("default"), max_examples=20_000)
settings.load_profile("default")

SHARED_DATA = "JUDGESTREAM_SHARED"

# No test may find a stack that the user of this machine runs.
os.environ["JUDGESTREAM_LOCAL__DATA"] = "/nonexistent/judgestream-tests"


LONGEST_FIRST = (
    "integration/test_newcomer.py",
    "integration/test_local_stack.py",
    "integration/test_failing_judges.py",
    "integration/test_examples_to_release.py",
    "integration/test_trainer_service.py",
    "integration/test_rollout_evidence.py",
    "integration/test_rollout_proof.py",
    "integration/test_judging_faults.py",
    "integration/test_bias.py",
    "integration/test_rolling_upgrade.py",
    "integration/test_suites.py",
    "integration/test_demo.py",
    "integration/test_replay.py",
    "integration/test_compose_services.py",
    "integration/test_triton_fleet.py",
    "integration/test_poison_pills.py",
    "integration/test_local_servers.py",
    "integration/test_rollout.py",
    "integration/test_routing.py",
)
"""By measured duration. Two workers take whole files, so a long file must not be the last."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files first, then the other files with servers; the order within a file stays."""

    def place(item: pytest.Item) -> int:
        name = item.path.relative_to(ROOT / "tests").as_posix()
        if name in LONGEST_FIRST:
            return LONGEST_FIRST.index(name)
        return len(LONGEST_FIRST) + (item.get_closest_marker("integration") is None)

    items.sort(key=place)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of published data sets: `$JUDGESTREAM_SHARED`, else `../shared/data`. Skips if missing."""
    beside = SHARED / "data"
    folder = Path(os.environ.get(SHARED_DATA) or beside)
    if not folder.is_dir():
        pytest.skip(
            f"no published data at {folder}: set {SHARED_DATA} to the folder that contains it"
        )
    return folder


@pytest.fixture
def traces() -> Iterator["Traces"]:
    """The spans that this process records during the test."""
    from tests.traced import recording  # few tests need gRPC

    with recording() as found:
        yield found


class ByServers(LoadFileScheduling):  # type: ignore[misc]  # pytest-xdist ships no types
    """Gives each worker whole files, and files that share servers of a package to the same one."""

    def _split_scope(self, nodeid: str) -> str:
        file = str(super()._split_scope(nodeid))
        return file.replace("test_secured_stack_refusals.py", "test_secured_stack.py")


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """By `--dist loadfile` only."""
    if config.getvalue("dist") == "loadfile":
        return ByServers(config, log)
    return None
