"""What the command's exit code tells a script.

| code | meaning                                                                          |
|------|----------------------------------------------------------------------------------|
| 0    | done                                                                             |
| 1    | the answer is no: differences found, some requests unscored, a gate not met      |
| 2    | wrong usage, settings or input; nothing that waiting mends                       |
| 3    | a server does not answer                                                         |
| 4    | time ran out                                                                     |
| 130  | interrupted (Ctrl-C)                                                             |
| 141  | whoever read our output went away (`... | head`), as for any Unix program        |
"""

from enum import IntEnum
from typing import ClassVar

from judgestream.core.errors import ConfigurationError, JudgestreamError, PoisonError


class ExitCode(IntEnum):
    OK = 0
    NO = 1
    USAGE = 2
    SERVER = 3
    TIMEOUT = 4
    INTERRUPTED = 130
    PIPE = 141


class TimeRanOut(JudgestreamError):
    """What was waited for has not come in the time that the user gave."""

    code: ClassVar[str] = "time_ran_out"


def exit_code(error: JudgestreamError) -> ExitCode:
    """The code for an error of our tree. What is neither wrong input nor a deadline is a server's."""
    if isinstance(error, TimeRanOut):
        return ExitCode.TIMEOUT
    if isinstance(error, ConfigurationError | PoisonError):
        return ExitCode.USAGE
    return ExitCode.SERVER
