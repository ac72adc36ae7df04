"""`judgestream settings`: every setting, its value here and now, and what it means."""

from pathlib import Path

from pydantic import SecretStr

from judgestream.core.masking import MASK, masked
from judgestream.settings import Origin, Settings, load, names, origins
from judgestream.terminal import options
from judgestream.terminal.output import OutputFormat, json_line, line, paragraph


def settings(form: options.Format = OutputFormat.TEXT) -> None:
    """Print every setting with its value, secrets masked, and where the value comes from.

    That is the environment, the settings file, the running local stack, or the default. Fails when one is
    wrong, naming it.
    """
    current = load()
    sources = origins(current)
    for variable, (path, default, meaning) in names().items():
        value, source = shown(current, path), sources[path]
        if form is OutputFormat.TEXT:
            told = "" if source is Origin.DEFAULT else f"  (from the {source})"
            line(f"{variable} = {value}{told}")
            paragraph(meaning, indent=4)
            continue
        json_line(
            {
                "variable": variable,
                "value": value,
                "source": str(source),
                "default": default,
                "meaning": meaning,
            }
        )


def shown(current: Settings, path: str) -> str:
    """One setting's value as text. Of a secret address only the secrets in it are masked, else all of it."""
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
