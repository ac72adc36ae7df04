"""Checkpoints that all engine tests share, made once per run."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
import torch

from judgestream.engine.checkpoint import Checkpoint, load
from tests.engine import tiny


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def folder_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """kind -> a checkpoint folder of that kind. Do not write into it."""

    @cache
    def make(kind: str) -> Path:
        return tiny.make(tmp_path_factory.mktemp(kind) / "checkpoint", kind)

    return make


@pytest.fixture(scope="session")
def checkpoint_of(folder_of: Callable[[str], Path]) -> Callable[[str], Checkpoint]:
    """kind -> the loaded checkpoint."""

    @cache
    def loaded(kind: str) -> Checkpoint:
        return load(folder_of(kind))

    return loaded


@pytest.fixture(params=tiny.KINDS)
def checkpoint(
    request: pytest.FixtureRequest, checkpoint_of: Callable[[str], Checkpoint]
) -> Checkpoint:
    """One loaded checkpoint of each tokenizer kind."""
    return checkpoint_of(str(request.param))


@pytest.fixture(scope="session")
def taught_of(folder_of: Callable[[str], Path]) -> Callable[[str], Checkpoint]:
    """kind -> a checkpoint that answers `tiny.PROMPTS` with `tiny.REPLIES`."""

    @cache
    def taught(kind: str) -> Checkpoint:
        checkpoint = load(folder_of(kind))
        tiny.teach(checkpoint)
        return checkpoint

    return taught


@pytest.fixture(params=tiny.KINDS)
def taught(request: pytest.FixtureRequest, taught_of: Callable[[str], Checkpoint]) -> Checkpoint:
    """One taught checkpoint of each tokenizer kind."""
    return taught_of(str(request.param))


@pytest.fixture(params=[(state, kind) for state in ("random", "taught") for kind in tiny.KINDS])
def any_checkpoint(
    request: pytest.FixtureRequest,
    checkpoint_of: Callable[[str], Checkpoint],
    taught_of: Callable[[str], Checkpoint],
) -> Checkpoint:
    """Random and taught checkpoints of each tokenizer kind."""
    state, kind = request.param
    return taught_of(kind) if state == "taught" else checkpoint_of(kind)
