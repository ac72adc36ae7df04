"""A suite by its name."""

from judgestream.core.errors import ConfigurationError
from judgestream.suites.base import Suite
from judgestream.suites.table import SUITES


def suite_named(name: str) -> Suite:
    if name not in SUITES:
        raise ConfigurationError(f"no suite {name[:60]!r}: use one of {', '.join(SUITES)}")
    return SUITES[name]
