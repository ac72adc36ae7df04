"""The engine's tiny checkpoints, for what runs inside Triton."""

from tests.engine.conftest import _one_thread, checkpoint_of, folder_of, taught_of

__all__ = ["_one_thread", "checkpoint_of", "folder_of", "taught_of"]
