"""Fixtures of every test package. Nothing heavy, nothing that starts a server."""

import os
from pathlib import Path

import pytest

SHARED_DATA = "JUDGESTREAM_SHARED"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of published data sets: `$JUDGESTREAM_SHARED`, else `../shared/data`. Skips without."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get(SHARED_DATA) or beside)
    if not folder.is_dir():
        pytest.skip(f"no published data at {folder}: set {SHARED_DATA} to the folder that has it")
    return folder
