"""The parameters in a release's config.pbtxt, in the form that the installers write."""

import re
from collections.abc import Mapping
from pathlib import Path

from judgestream.adapters.releases.model_config import pbtxt_quoted, write_file
from judgestream.core.costs import Terms
from judgestream.core.errors import ConfigurationError

_PARAMETER = re.compile(
    r'parameters\s*\{\s*key:\s*"((?:[^"\\]|\\.)*)"\s*'
    r'value:\s*\{\s*string_value:\s*"((?:[^"\\]|\\.)*)"'
)
_LARGEST_CONFIG = 1 << 20

CONFIG = "config.pbtxt"
TERMS = tuple(Terms().parameters())
"""Names of the parameters with prices and budget. They are not part of a release's identity."""


def parameters_of(folder: Path) -> Mapping[str, str]:
    """The parameters of a model's configuration; {} without one, and for a file in another form."""
    config = folder / CONFIG
    try:
        if config.stat().st_size > _LARGEST_CONFIG:
            return {}
        text = config.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return {}
    return {_plain(key): _plain(value) for key, value in _PARAMETER.findall(text)}


def with_terms(config: str, terms: Terms) -> str:
    """The configuration with these prices and this budget in place of those in it."""
    lines = [line for line in config.splitlines() if _name(line) not in TERMS]
    if terms != Terms():
        lines += [
            f'parameters {{ key: "{name}" value: {{ string_value: "{pbtxt_quoted(value)}" }} }}'
            for name, value in terms.parameters().items()
        ]
    return "\n".join(lines) + "\n"


def kept_terms(folder: Path) -> Terms:
    """The terms of a release that may be installed already: installing it again keeps them.

    Raises:
        ConfigurationError: they were changed by hand and are invalid.
    """
    return Terms.of(parameters_of(folder))


def set_terms(folder: Path, terms: Terms) -> None:
    """Change the prices and the budget of an installed release. Its next load shows them to the workers.

    Raises:
        ConfigurationError: the configuration cannot be read or written.
    """
    config = folder / CONFIG
    try:
        write_file(config, with_terms(config.read_text(encoding="utf-8"), terms))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"{config} cannot be changed: {error}; install the release again"
        ) from error


def _name(line: str) -> str:
    match = _PARAMETER.match(line.strip())
    return _plain(match[1]) if match else ""


def _plain(quoted: str) -> str:
    return re.sub(r"\\(.)", r"\1", quoted)
