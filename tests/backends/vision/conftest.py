"""One tiny vision judge for all tests of this folder: random, and taught."""

from pathlib import Path

import pytest

from judgestream.backends.vision.checkpoint import VisionCheckpoint, load
from judgestream.backends.vision.judge import VisionJudge
from tests.backends.vision import tiny
from tests.engine.conftest import _one_thread

__all__ = ["_one_thread"]


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Do not write into it."""
    return tiny.make(tmp_path_factory.mktemp("llava") / "checkpoint")


@pytest.fixture(scope="session")
def random_judge(folder: Path) -> VisionJudge:
    return VisionJudge(load(folder))


@pytest.fixture(scope="session")
def taught(folder: Path) -> VisionCheckpoint:
    """A checkpoint that answers `tiny.LESSONS`."""
    checkpoint = load(folder)
    tiny.teach(checkpoint)
    return checkpoint
