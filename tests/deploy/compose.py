"""Our services in deploy/compose.yaml, with their variables filled in as `docker compose` does."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.paths import ROOT

DEPLOY = ROOT / "deploy"
COMPOSE = DEPLOY / "compose.yaml"
OURS = "judgestream/"

_VARIABLE = re.compile(r"\$(?:(\$)|\{([A-Z_]+)(?:(:-|:\?)([^}]*))?\})")


@dataclass(frozen=True, kw_only=True)
class Service:
    """One of our services: the arguments after the program `judgestream`, and its environment."""

    name: str
    arguments: tuple[str, ...]
    environment: Mapping[str, str]
    raw: Mapping[str, Any]

    @property
    def settings(self) -> dict[str, str]:
        return {k: v for k, v in self.environment.items() if k.startswith("JUDGESTREAM_")}


def interpolated(text: str, variables: Mapping[str, str]) -> str:
    """`${NAME}`, `${NAME:-default}` and `${NAME:?message}` replaced, and `$$` by `$`.

    Raises:
        KeyError: a variable without a default is not given.
    """

    def value(match: re.Match[str]) -> str:
        escaped, name, operator, word = match.groups()
        if escaped:
            return "$"
        given = variables.get(name, "")
        if given or operator == ":-":
            return given or word
        raise KeyError(name)

    return _VARIABLE.sub(value, text)


def document(path: Path = COMPOSE) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return loaded


def secrets_of(path: Path = DEPLOY / "env.example") -> list[str]:
    """The variables that the example leaves empty for the user to set."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return [line[:-1] for line in lines if re.fullmatch(r"[A-Z_]+=", line)]


def our_services(variables: Mapping[str, str]) -> dict[str, Service]:
    """Every service that runs our image, by name."""
    return {
        name: Service(
            name=name,
            arguments=tuple(interpolated(word, variables) for word in raw["command"]),
            environment={
                key: interpolated(str(value), variables)
                for key, value in raw["environment"].items()
            },
            raw=raw,
        )
        for name, raw in document()["services"].items()
        if raw["image"].startswith(OURS)
    }
