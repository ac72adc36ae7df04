"""The services of the last release, for tests that run two versions side by side."""

import io
import subprocess
import sys
import tarfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.contracts.released import commit
from tests.paths import ROOT


class LastRelease:
    """The code of the commit that `protos/released.txt` names, run by this interpreter.

    It moves on with that file: `python -m tests.contracts.released --write`, on main, after a release.
    """

    def __init__(self, folder: Path) -> None:
        """Unpack it. Skips the test where git does not have the commit."""
        asked = ["git", "-C", str(ROOT), "archive", "--format=tar", commit(), "services"]
        try:
            found = subprocess.run(asked, capture_output=True, check=True, timeout=60)
        except FileNotFoundError:
            pytest.skip("the code of the last release is in the history: install git")
        except subprocess.CalledProcessError as exc:
            pytest.skip(
                f"commit {commit()[:7]}, the last release, is not here: run `git fetch --unshallow`, or test"
                f" in a full clone ({exc.stderr.decode().strip()})"
            )
        with tarfile.open(fileobj=io.BytesIO(found.stdout)) as archive:
            archive.extractall(folder, filter="data")
        self.sources = folder / "services"

    def environment(self, variables: Mapping[str, str]) -> dict[str, str]:
        """`variables`, such as those of a cluster, of a process that runs the release."""
        return {**variables, "PYTHONPATH": str(self.sources)}

    def run(
        self, *arguments: str, variables: Mapping[str, str]
    ) -> subprocess.CompletedProcess[str]:
        """Run Python with these arguments until it ends."""
        return subprocess.run(
            [sys.executable, *arguments],
            env=self.environment(variables),
            cwd=self.sources,
            capture_output=True,
            text=True,
            timeout=60,
        )
