"""The source of each setting's value."""

import os
from collections.abc import Mapping
from enum import StrEnum

from judgestream.settings.loading import PREFIX, Settings, load, names, stack_fields


class Origin(StrEnum):
    """The source of a setting's value."""

    ENVIRONMENT = "environment"
    FILE = "file"
    STACK = "running stack"
    DEFAULT = "default"


def origins(settings: Settings) -> Mapping[str, Origin]:
    """Path of every setting -> source of its value, for settings from `load`."""
    variables = {name.upper() for name in os.environ}
    groups = {group for group in Settings.model_fields if f"{PREFIX}{group}".upper() in variables}
    stack = stack_fields(load(find_stack=False))
    sources: dict[str, Origin] = {}
    for variable, (path, _, _) in names().items():
        group, name = path.split(".")
        named = name in getattr(settings, group).model_fields_set
        if variable in variables:
            sources[path] = Origin.ENVIRONMENT
        elif named and path in stack:
            sources[path] = Origin.STACK
        elif named:
            sources[path] = Origin.ENVIRONMENT if group in groups else Origin.FILE
        else:
            sources[path] = Origin.DEFAULT
    return sources
