"""Reading the settings: environment over file over running local stack over default."""

import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field, SecretStr, ValidationError, model_validator
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    YamlConfigSettingsSource,
)

from judgestream.core.errors import ConfigurationError
from judgestream.local.running import running_settings
from judgestream.settings.group import Group
from judgestream.settings.kafka import Kafka
from judgestream.settings.local import Local
from judgestream.settings.secret_files import SUFFIX, SecretFileError, named_files, read_secret
from judgestream.settings.servers import Images, Redis, Triton
from judgestream.settings.telemetry import Telemetry
from judgestream.settings.workers import Bias, Judging, Rollout, Shadow, Worker

PREFIX = "JUDGESTREAM_"
CONFIG = PREFIX + "CONFIG"


class Settings(BaseSettings):
    """All groups. Entry points read them once through `load` and pass the parts on."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
    )

    kafka: Kafka = Field(default_factory=Kafka)
    redis: Redis = Field(default_factory=Redis)
    triton: Triton = Field(default_factory=Triton)
    images: Images = Field(default_factory=Images)
    judging: Judging = Field(default_factory=Judging)
    shadow: Shadow = Field(default_factory=Shadow)
    bias: Bias = Field(default_factory=Bias)
    rollout: Rollout = Field(default_factory=Rollout)
    worker: Worker = Field(default_factory=Worker)
    telemetry: Telemetry = Field(default_factory=Telemetry)
    local: Local = Field(default_factory=Local)

    @model_validator(mode="after")
    def _work_fits_rebalance(self) -> "Settings":
        if self.kafka.rebalance_timeout_s <= self.judging.deadline_s:
            raise ValueError(
                "kafka.rebalance_timeout_s must exceed judging.deadline_s, or a rebalance during a slow"
                " judgement expels the worker, and its requests are judged twice"
            )
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        file = os.environ.get(CONFIG)
        from_file = (
            (
                YamlConfigSettingsSource(
                    settings_cls, yaml_file=file, yaml_file_encoding="utf-8-sig"
                ),
            )
            if file
            else ()
        )
        if isinstance(env_settings, EnvSettingsSource):
            files = {f"{name}{SUFFIX}".lower() for name in secrets()}
            env_settings.env_vars = {
                name: value
                for name, value in env_settings.env_vars.items()
                if name.lower() not in files
            }
        secret_files = InitSettingsSource(settings_cls, dict(_from_files()[0]))
        return (init_settings, secret_files, env_settings, *from_file)


def load(*, find_stack: bool = True, **overrides: Any) -> Settings:
    """The settings of this process.

    Args:
        find_stack: take addresses that are not set from the local stack, if one runs in `local.data`.

    Raises:
        ConfigurationError: one line per invalid or unknown setting, with its path.
    """
    file = os.environ.get(CONFIG)
    if file:
        _check_file(file)
    unknown = _unknown_variables(os.environ)
    problems = [f"{name}: no such setting (see `judgestream settings`)" for name in unknown]
    reported = {name.upper() for name in unknown}
    problems += _from_files()[1]
    try:
        settings = Settings(**overrides)
    except ValidationError as exc:
        for error in exc.errors(include_url=False, include_input=False):
            parts = [str(part) for part in error["loc"]]
            if PREFIX + "__".join(parts).upper() in reported:
                continue
            path = ".".join(parts) or "settings"
            problems.append(f"{path}: {error['msg']}")
    except SettingsError as exc:
        problems.append(f"{exc}: set a whole group as JSON, or each setting with its own variable")
    if problems:
        raise ConfigurationError("invalid settings:\n  " + "\n  ".join(problems))
    return _with_stack(settings) if find_stack else settings


def _check_file(file: str) -> None:
    """Raise ConfigurationError unless the settings file contains groups of settings."""
    if not Path(file).is_file():
        raise ConfigurationError(f"{CONFIG} names {file}, which is not a file")
    try:
        loaded = yaml.safe_load(Path(file).read_text(encoding="utf-8-sig"))
    except yaml.MarkedYAMLError as exc:
        # The line itself may contain a password.
        line = "" if exc.problem_mark is None else f" in line {exc.problem_mark.line + 1}"
        raise ConfigurationError(
            f"{CONFIG} names {file}, which is not YAML: {exc.problem}{line}"
        ) from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError) as exc:
        why = getattr(exc, "strerror", None) or type(exc).__name__
        raise ConfigurationError(f"{CONFIG} names {file}, which cannot be read: {why}") from exc
    if loaded is not None and not (
        isinstance(loaded, dict) and all(isinstance(key, str) for key in loaded)
    ):
        raise ConfigurationError(
            f"{CONFIG} names {file}, which contains no groups of settings: write `kafka:` and below it,"
            " indented, `bootstrap: host:9092`"
        )


def _with_stack(settings: Settings) -> Settings:
    """The settings, with the running stack's addresses where none are set."""
    groups: dict[str, dict[str, object]] = {}
    for path, value in stack_fields(settings).items():
        group, name = path.split(".")
        field = getattr(settings, group).__class__.model_fields[name]
        groups.setdefault(group, {})[name] = (
            SecretStr(value) if field.annotation is SecretStr else value
        )
    return settings.model_copy(
        update={
            group: getattr(settings, group).model_copy(update=values)
            for group, values in groups.items()
        }
    )


def stack_fields(settings: Settings) -> Mapping[str, str]:
    """The values that the running stack adds to the user's settings. Its release and key are added only if
    its Triton is the one that the settings name."""
    values = dict(running_settings(settings.local.data))
    grpc = values.get("triton.grpc")
    if "grpc" in settings.triton.model_fields_set and settings.triton.grpc != grpc:
        values = {path: value for path, value in values.items() if not path.startswith("triton.")}
    return {
        path: value
        for path, value in values.items()
        if path.split(".")[1] not in getattr(settings, path.split(".")[0]).model_fields_set
    }


def _from_files() -> tuple[Mapping[str, dict[str, SecretStr]], list[str]]:
    """The secrets that files contain, by group and name, and one line per file that cannot be used."""
    groups: dict[str, dict[str, SecretStr]] = {}
    problems: list[str] = []
    known = secrets()
    files = named_files(os.environ, known)
    for variable, path in known.items():
        if path not in files:
            continue
        group, name = path.split(".")
        try:
            secret = read_secret(variable, files[path], os.environ)
        except SecretFileError as exc:
            problems.append(str(exc))
        else:
            groups.setdefault(group, {})[name] = SecretStr(secret)
    return groups, problems


@cache
def secrets() -> Mapping[str, str]:
    """Variable -> path of every secret setting."""
    return {
        variable: path
        for variable, (path, _, _) in names().items()
        if _model(path.split(".")[0]).model_fields[path.split(".")[1]].annotation is SecretStr
    }


def _model(group: str) -> type[Group]:
    model = Settings.model_fields[group].annotation
    if not (isinstance(model, type) and issubclass(model, Group)):
        raise TypeError(f"settings group {group} is not a Group")
    return model


@cache
def names() -> Mapping[str, tuple[str, str, str]]:
    """Every setting: variable -> (path, default as text, description). See docs/reference/settings.md."""
    table: dict[str, tuple[str, str, str]] = {}
    for group in Settings.model_fields:
        for name, field in _model(group).model_fields.items():
            default = field.default
            text = default.get_secret_value() if isinstance(default, SecretStr) else default
            table[f"{PREFIX}{group}__{name}".upper()] = (
                f"{group}.{name}",
                "" if text is None else str(text),
                field.description or "",
            )
    return table


def _unknown_variables(environ: Mapping[str, str]) -> list[str]:
    """Misspelt variables, which pydantic-settings ignores silently."""
    groups = (f"{PREFIX}{group}".upper() for group in Settings.model_fields)
    known = {*names(), CONFIG, *groups, *(f"{name}{SUFFIX}" for name in secrets())}
    return [
        name
        for name in sorted(environ)
        if name.upper().startswith(PREFIX) and name.upper() not in known
    ]
