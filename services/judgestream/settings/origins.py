"""The source of each setting's value."""

import os
from collections.abc import Mapping
from enum import StrEnum

from judgestream.settings.loading import PREFIX, Settings, load, names, secrets, stack_fields
from judgestream.settings.secret_files import named_files


class Origin(StrEnum):
    """The source of a setting's value."""

    ENVIRONMENT = "environment"
    FILE = "file"
    SECRET_FILE = "secret file"  # noqa: S105 # nosec B105 - where it comes from
    STACK = "running stack"
    DEFAULT = "default"


def secret_file(path: str) -> str:
    """The file that the environment names for a secret setting; "" for none."""
    return named_files(os.environ, secrets()).get(path, "")


def origins(settings: Settings) -> Mapping[str, Origin]:
    """Path of every setting -> source of its value, for settings from `load`."""
    variables = {name.upper() for name in os.environ}
    groups = {group for group in Settings.model_fields if f"{PREFIX}{group}".upper() in variables}
    files = named_files(os.environ, secrets())
    stack = stack_fields(load(find_stack=False))
    sources: dict[str, Origin] = {}
    for variable, (path, _, _) in names().items():
        group, name = path.split(".")
        named = name in getattr(settings, group).model_fields_set
        if path in files:
            sources[path] = Origin.SECRET_FILE
        elif variable in variables:
            sources[path] = Origin.ENVIRONMENT
        elif named and path in stack:
            sources[path] = Origin.STACK
        elif named:
            sources[path] = Origin.ENVIRONMENT if group in groups else Origin.FILE
        else:
            sources[path] = Origin.DEFAULT
    return sources
