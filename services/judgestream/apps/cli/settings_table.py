"""`judgestream settings`: every setting, its value here and now, and what it means."""

from pathlib import Path

from pydantic import SecretStr

from judgestream.apps.cli import options
from judgestream.apps.cli.output import OutputFormat, json_line, table
from judgestream.core.masking import MASK, masked
from judgestream.settings import Settings, load, names


def settings(form: options.Format = OutputFormat.TEXT) -> None:
    """Print every setting with its value, secrets masked. Fails when one is wrong, naming it."""
    current = load()
    rows = [
        (variable, shown(current, path), default, meaning)
        for variable, (path, default, meaning) in names().items()
    ]
    if form is OutputFormat.TEXT:
        table(("variable", "value", "meaning"), [(v, value, m) for v, value, _, m in rows])
        return
    for variable, value, default, meaning in rows:
        json_line({"variable": variable, "value": value, "default": default, "meaning": meaning})


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
