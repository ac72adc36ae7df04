"""Every setting, typed, read once. Environment over file over running local stack over default.

A setting's variable is `JUDGESTREAM_` + group + `__` + name: `JUDGESTREAM_KAFKA__BOOTSTRAP`. A YAML file
with the same groups is named by `JUDGESTREAM_CONFIG`. An unknown name, in either, is an error. Where servers
are not named, those of the stack that runs in `local.data` are used.
"""

import os
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    YamlConfigSettingsSource,
)

from judgestream.core.errors import ConfigurationError
from judgestream.local.running import running_settings

PREFIX = "JUDGESTREAM_"
CONFIG = PREFIX + "CONFIG"


class Group(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Kafka(Group):
    bootstrap: str = Field("127.0.0.1:29092", description="brokers, host:port, comma separated")
    security: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="security protocol"
    )
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        "SCRAM-SHA-512", description="how to log in, with a SASL protocol"
    )
    username: str = Field("", description="SASL user")
    password: SecretStr = Field(SecretStr(""), description="SASL password")
    ca_file: Path | None = Field(None, description="certificate authority file; else the system's")
    replication_factor: int = Field(1, ge=1, description="of topics that `topics apply` creates")
    session_timeout_s: float = Field(
        30.0, gt=0, description="a worker silent for this long loses its partitions"
    )
    rebalance_timeout_s: float = Field(
        90.0, gt=0, description="must exceed judging.deadline_s: in-flight work is waited for"
    )


class Redis(Group):
    url: SecretStr = Field(
        SecretStr("redis://127.0.0.1:26379/0"), description="what workers share; empty = go without"
    )
    timeout_s: float = Field(0.5, gt=0, description="an answer later than this counts as none")
    prefix: str = Field("judgestream", description="of every key")

    @field_validator("url")
    @classmethod
    def _is_url(cls, value: SecretStr) -> SecretStr:
        """Told here, where its words can be chosen: a client's own quote parts of the password."""
        text = value.get_secret_value()
        try:
            parts = urlsplit(text)
            sound = parts.scheme == "unix" or (bool(parts.hostname) and parts.port != 0)
        except ValueError:
            sound = False
        if text and (not sound or parts.scheme not in ("redis", "rediss", "unix")):
            raise ValueError(
                "give redis://HOST:PORT/0, rediss:// for TLS or unix://PATH; signs such as / @ : # in a"
                " password are written as %2F %40 %3A %23"
            )
        return value


def _start(text: str) -> str:
    """Where a new group starts; ValueError for what is not a place."""
    if text not in ("earliest", "latest"):
        try:
            datetime.fromisoformat(text)
        except ValueError:
            raise ValueError(
                f"{text[:40]!r} is not earliest, latest or an ISO time such as 2026-01-31T12:00:00Z"
            ) from None
    return text


class Triton(Group):
    grpc: str = Field("127.0.0.1:28001", description="Triton's gRPC address, host:port")
    release: str = Field("", description="Triton model to ask; empty = the only judge loaded")
    control_key: SecretStr = Field(
        SecretStr(""), description="opens Triton's model control; empty = it is not restricted"
    )


class Consumer(Group):
    """One kind of worker as a Kafka consumer: its group, and how much it takes at a time."""

    group: str
    start: str = Field(
        "earliest",
        description="where a group without commits starts: earliest, latest or an ISO time",
    )
    inflight: int = Field(64, ge=1, description="records handled at the same time, per worker")
    outstanding: int = Field(
        512, ge=1, description="records taken but not yet committed, per worker"
    )
    buffer_records: int = Field(
        4096, ge=1, description="records buffered ahead, per worker; at most 1 MiB each"
    )
    commit_interval_s: float = Field(0.5, gt=0, description="between offset commits")

    _check_start = field_validator("start")(_start)


class Judging(Consumer):
    group: str = Field("judgestream-judging", description="consumer group of the judging workers")
    accept_backlog: int = Field(
        1000,
        ge=0,
        description="records that a new group may begin with at an endpoint that is paid for",
    )
    deadline_s: float = Field(30.0, gt=0, description="one call to the judge")
    max_age_s: float = Field(
        3600.0, gt=0, description="a request still failing this long after its first try fails"
    )
    backoff_s: float = Field(0.1, gt=0, description="first pause after a retryable failure")
    max_backoff_s: float = Field(10.0, gt=0, description="longest pause between two tries")
    published_ttl_s: int = Field(
        86_400, ge=1, description="how long Redis remembers that a verdict was published"
    )
    too_long: Literal["refuse", "cut"] = Field(
        "refuse",
        description="a request that exceeds the judge's context: a dead letter, or all answers cut evenly",
    )
    verdict_format: Literal["application/protobuf", "application/json"] = Field(
        "application/protobuf", description="content type of published verdicts"
    )


class Bias(Consumer):
    group: str = Field("judgestream-bias", description="consumer group of the bias workers")
    inflight: int = Field(256, ge=1, description="verdicts counted at the same time, per worker")
    outstanding: int = Field(
        2048, ge=1, description="verdicts taken but not yet committed, per worker"
    )
    window_s: int = Field(60, ge=1, description="length of a tumbling window")
    lateness_s: int = Field(
        30, ge=0, description="how late a verdict may be before a window is final"
    )
    retention_s: int = Field(86_400, ge=60, description="how long a window can still be corrected")
    publish_interval_s: float = Field(2.0, gt=0, description="between reports of a growing window")


class Worker(Group):
    metrics_host: str = Field("127.0.0.1", description="where Prometheus may scrape")
    metrics_port: int = Field(
        0,
        ge=0,
        le=65535 - 300,
        description="base of the metrics ports: judging slot n: base + n, bias: base + 100 + n; 0 = none",
    )
    stall_s: float = Field(
        120.0, gt=0, description="a worker with lag that does nothing this long is ended"
    )
    startup_s: float = Field(60.0, gt=0, description="a worker not assigned by then is ended")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="log level")


class Local(Group):
    data: Path = Field(
        Path("~/.local/share/judgestream"), description="the local stack's data, kept over restarts"
    )
    kafka_port: int = Field(29092, ge=1, le=65535, description="of the local Kafka")
    redis_port: int = Field(26379, ge=1, le=65535, description="of the local Valkey")
    triton_http_port: int = Field(28000, ge=1, le=65535, description="of the local Triton")
    triton_grpc_port: int = Field(28001, ge=1, le=65535, description="of the local Triton")
    triton_metrics_port: int = Field(28002, ge=1, le=65535, description="of the local Triton")
    checkpoint: Path | None = Field(None, description="judge to serve; the bundled one if not set")
    judging_workers: int = Field(1, ge=1, le=64, description="judging workers of the local stack")


class Settings(BaseSettings):
    """All groups. Read through `load`, once, by the entry points; everything else is handed its part."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter="__", extra="forbid", frozen=True
    )

    kafka: Kafka = Field(default_factory=Kafka)
    redis: Redis = Field(default_factory=Redis)
    triton: Triton = Field(default_factory=Triton)
    judging: Judging = Field(default_factory=Judging)
    bias: Bias = Field(default_factory=Bias)
    worker: Worker = Field(default_factory=Worker)
    local: Local = Field(default_factory=Local)

    @model_validator(mode="after")
    def _work_fits_rebalance(self) -> "Settings":
        if self.kafka.rebalance_timeout_s <= self.judging.deadline_s:
            raise ValueError(
                "kafka.rebalance_timeout_s must exceed judging.deadline_s, or a rebalance during a slow"
                " judgement expels the worker and its window is judged twice"
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
        return (init_settings, env_settings, *from_file)


def load(*, find_stack: bool = True, **overrides: Any) -> Settings:
    """The settings of this process.

    Args:
        find_stack: take the addresses that nobody names from the local stack, if one runs in `local.data`.

    Raises:
        ConfigurationError: one line per wrong or unknown setting, each with its path.
    """
    file = os.environ.get(CONFIG)
    if file:
        _check_file(file)
    unknown = _unknown_variables(os.environ)
    problems = [f"{name}: no such setting (see `judgestream settings`)" for name in unknown]
    told = {name.upper() for name in unknown}
    try:
        settings = Settings(**overrides)
    except ValidationError as exc:
        for error in exc.errors(include_url=False, include_input=False):
            parts = [str(part) for part in error["loc"]]
            if PREFIX + "__".join(parts).upper() in told:
                continue  # the variable has been named already
            path = ".".join(parts) or "settings"
            problems.append(f"{path}: {error['msg']}")
    except SettingsError as exc:
        problems.append(f"{exc}: give JSON for a whole group, or one variable for each setting")
    if problems:
        raise ConfigurationError("settings are wrong:\n  " + "\n  ".join(problems))
    return _with_stack(settings) if find_stack else settings


def _check_file(file: str) -> None:
    """Raise ConfigurationError unless the settings file holds groups of settings."""
    if not Path(file).is_file():
        raise ConfigurationError(f"{CONFIG} names {file}, which is not a file")
    try:
        loaded = yaml.safe_load(Path(file).read_text(encoding="utf-8-sig"))
    except yaml.MarkedYAMLError as exc:
        # without the line itself, which may hold a password
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
            f"{CONFIG} names {file}, which holds no groups of settings: write `kafka:` and below it,"
            " indented, `bootstrap: host:9092`"
        )


class Origin(StrEnum):
    """Where a setting's value comes from."""

    ENVIRONMENT = "environment"
    FILE = "file"
    STACK = "running stack"
    DEFAULT = "default"


def origins(settings: Settings) -> Mapping[str, Origin]:
    """Path of every setting -> where its value comes from, for settings as `load` returns them."""
    variables = {name.upper() for name in os.environ}
    groups = {group for group in Settings.model_fields if f"{PREFIX}{group}".upper() in variables}
    stack = _stack_fields(_explicit())
    found: dict[str, Origin] = {}
    for variable, (path, _, _) in names().items():
        group, name = path.split(".")
        named = name in getattr(settings, group).model_fields_set
        if variable in variables:
            found[path] = Origin.ENVIRONMENT
        elif named and path in stack:
            found[path] = Origin.STACK
        elif named:
            found[path] = Origin.ENVIRONMENT if group in groups else Origin.FILE
        else:
            found[path] = Origin.DEFAULT
    return found


def _explicit() -> Settings:
    return load(find_stack=False)


def _with_stack(settings: Settings) -> Settings:
    """The settings, with the running stack's addresses where nobody names others."""
    groups: dict[str, dict[str, object]] = {}
    for path, value in _stack_fields(settings).items():
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


def _stack_fields(settings: Settings) -> Mapping[str, str]:
    """What the running stack adds to settings that the user gave. What belongs to its Triton (the release,
    the key) counts only where that Triton is the one that is asked."""
    found = dict(running_settings(settings.local.data))
    grpc = found.get("triton.grpc")
    if "grpc" in settings.triton.model_fields_set and settings.triton.grpc != grpc:
        found = {path: value for path, value in found.items() if not path.startswith("triton.")}
    return {
        path: value
        for path, value in found.items()
        if path.split(".")[1] not in getattr(settings, path.split(".")[0]).model_fields_set
    }


@cache
def names() -> Mapping[str, tuple[str, str, str]]:
    """Every setting: variable -> (path, default as text, description). See docs/reference/settings.md."""
    found: dict[str, tuple[str, str, str]] = {}
    for group, group_field in Settings.model_fields.items():
        model = group_field.annotation
        if not (isinstance(model, type) and issubclass(model, Group)):
            raise TypeError(f"settings group {group} is no Group")
        for name, field in model.model_fields.items():
            default = field.default
            text = default.get_secret_value() if isinstance(default, SecretStr) else default
            found[f"{PREFIX}{group}__{name}".upper()] = (
                f"{group}.{name}",
                "" if text is None else str(text),
                field.description or "",
            )
    return found


def _unknown_variables(environ: Mapping[str, str]) -> list[str]:
    """pydantic-settings passes over variables that it does not know; a misspelt one would be silent."""
    known = {*names(), CONFIG, *(f"{PREFIX}{group}".upper() for group in Settings.model_fields)}
    return [
        name
        for name in sorted(environ)
        if name.upper().startswith(PREFIX) and name.upper() not in known
    ]
