"""The engine's tiny checkpoints, for the tests of the backends."""

from tests.engine.conftest import _one_thread, checkpoint_of, folder_of, taught_of

__all__ = ["_one_thread", "checkpoint_of", "folder_of", "taught_of"]
