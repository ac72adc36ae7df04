"""The files of a Triton model: config.pbtxt from its template, and model.py."""

import os
from collections.abc import Mapping
from pathlib import Path
from string import Template

import judgestream
from judgestream.core.errors import ConfigurationError


def bundled_models() -> Path:
    """The folder `triton_models`: inside an installed wheel, or at the top of a checkout.

    Raises:
        ConfigurationError: neither exists.
    """
    package = Path(judgestream.__file__).resolve().parent
    for folder in (package / "_triton_models", package.parents[1] / "triton_models"):
        if folder.is_dir():
            return folder
    raise ConfigurationError(
        f"no Triton models beside {package}; install the judgestream wheel again"
    )


def package_root() -> Path:
    """The folder that Triton's Python adds to its path where this package is not installed."""
    return Path(judgestream.__file__).resolve().parents[1]


def model_files(source: Path, values: Mapping[str, object]) -> dict[str, str]:
    """The text of config.pbtxt, with its placeholders filled in, and of 1/model.py."""
    try:
        code = (source / "1" / "model.py").read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"{source} is not a Triton model: {error}") from error
    return {"config.pbtxt": model_config(source, values), "1/model.py": code}


def model_config(source: Path, values: Mapping[str, object]) -> str:
    """The text of config.pbtxt with its placeholders filled in, comments left out."""
    quoted = {
        key: str(value).lower() if isinstance(value, bool) else pbtxt_quoted(str(value))
        for key, value in values.items()
    }
    try:
        config = (source / "config.pbtxt").read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"{source} is not a Triton model: {error}") from error
    settings = [line for line in config.splitlines() if not line.lstrip().startswith("#")]
    try:
        return Template("\n".join(settings) + "\n").substitute(quoted)
    except (KeyError, ValueError) as error:
        raise ConfigurationError(f"{source}/config.pbtxt: unknown placeholder {error}") from error


def pbtxt_quoted(text: str) -> str:
    """The contents of a string in protobuf's text format, escaped, so that no value can end its string and
    start another setting."""
    return "".join(
        f"\\{ord(sign):03o}" if ord(sign) < 0x20 or ord(sign) == 0x7F else _ESCAPED.get(sign, sign)
        for sign in text
    )


_ESCAPED = {"\\": "\\\\", '"': '\\"', "'": "\\'"}


def write_file(path: Path, text: str) -> None:
    """Write a file atomically, and only if it differs: Triton reloads files with a new time stamp."""
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)
