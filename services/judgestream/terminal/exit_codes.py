"""The exit codes of every command.

| code | meaning                                                                          |
|------|----------------------------------------------------------------------------------|
| 0    | done                                                                             |
| 1    | the answer is no: differences found, some requests unscored, a gate not met      |
| 2    | wrong usage, settings or input; waiting does not help                            |
| 3    | a server does not answer                                                         |
| 4    | time ran out                                                                     |
| 130  | interrupted (Ctrl-C)                                                             |
| 141  | the reader of our output closed it (`... | head`), as for any Unix program       |
"""

from enum import IntEnum
from typing import ClassVar

from judgestream.core.errors import (
    AccessDenied,
    ConfigurationError,
    JudgestreamError,
    PoisonError,
)


class ExitCode(IntEnum):
    OK = 0
    NO = 1
    USAGE = 2
    SERVER = 3
    TIMEOUT = 4
    INTERRUPTED = 130
    PIPE = 141


class TimeRanOut(JudgestreamError):
    """The wait exceeded the time limit that the user gave."""

    code: ClassVar[str] = "time_ran_out"


def exit_code(error: JudgestreamError) -> ExitCode:
    """The exit code of a judgestream error. Other than wrong input, a refusal and a timeout: a server's."""
    if isinstance(error, TimeRanOut):
        return ExitCode.TIMEOUT
    if isinstance(error, ConfigurationError | PoisonError | AccessDenied):
        return ExitCode.USAGE
    return ExitCode.SERVER
