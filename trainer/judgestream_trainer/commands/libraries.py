"""The import of a job's libraries, which only the trainer's extra installs."""

from collections.abc import Iterator
from contextlib import contextmanager

from judgestream.core.errors import ConfigurationError
from judgestream.engine.openmp import wait_passively


@contextmanager
def trainer_libraries() -> Iterator[None]:
    """For the import of a job: OpenMP is configured before torch loads.

    Raises:
        ConfigurationError: a library is not installed; the message names the extra.
    """
    wait_passively()
    try:
        yield
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"this command needs {error.name}, which is not installed:"
            " pip install 'judgestream[trainer]'"
        ) from error
