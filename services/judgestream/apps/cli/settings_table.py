"""`judgestream settings`: every setting with its current value and meaning."""

from pathlib import Path

from pydantic import SecretStr

from judgestream.core.masking import MASK, masked
from judgestream.settings import Origin, Settings, load, names, origins, secret_file
from judgestream.terminal import options
from judgestream.terminal.output import OutputFormat, json_line, line, paragraph


def settings(form: options.Format = OutputFormat.TEXT) -> None:
    """Print every setting with its value, secrets masked, and where the value comes from.

    The source is the environment, the settings file, the running local stack, or the default. Fails if a
    setting is invalid, and names it.
    """
    current = load()
    sources = origins(current)
    for variable, (path, default, meaning) in names().items():
        value, source = shown(current, path), str(sources[path])
        if sources[path] is Origin.SECRET_FILE:
            source = f"file {secret_file(path)}"
        if form is OutputFormat.TEXT:
            origin = "" if sources[path] is Origin.DEFAULT else f"  (from the {source})"
            line(f"{variable} = {value}{origin}")
            paragraph(meaning, indent=4)
            continue
        json_line(
            {
                "variable": variable,
                "value": value,
                "source": source,
                "default": default,
                "meaning": meaning,
            }
        )


def shown(current: Settings, path: str) -> str:
    """One setting's value as text. Secrets are masked; in a secret address only its password."""
    group, name = path.split(".")
    value: object = getattr(getattr(current, group), name)
    if isinstance(value, SecretStr):
        secret = value.get_secret_value()
        if "://" in secret:
            return masked(secret)
        return MASK if secret else ""
    if isinstance(value, Path):
        return str(value)
    return "" if value is None else str(value)
