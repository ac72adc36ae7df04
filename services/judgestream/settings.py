"""All settings, typed and read once. Environment over file over running local stack over default.

A setting's variable is `JUDGESTREAM_` + group + `__` + name: `JUDGESTREAM_KAFKA__BOOTSTRAP`. A YAML file
with the same groups is named by `JUDGESTREAM_CONFIG`. An unknown name in either is an error. Servers that are
not named are those of the stack that runs in `local.data`.
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

from judgestream.core import limits
from judgestream.core.errors import ConfigurationError
from judgestream.core.fleet.server_list import parse_servers
from judgestream.local.running import running_settings

PREFIX = "JUDGESTREAM_"
CONFIG = PREFIX + "CONFIG"


class Group(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Kafka(Group):
    bootstrap: str = Field("127.0.0.1:29092", description="brokers as host:port, comma separated")
    security: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="security protocol"
    )
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        "SCRAM-SHA-512", description="SASL mechanism"
    )
    username: str = Field("", description="SASL user")
    password: SecretStr = Field(SecretStr(""), description="SASL password")
    ca_file: Path | None = Field(
        None, description="certificate authority file; default: the system's"
    )
    replication_factor: int = Field(
        1, ge=1, description="replication factor of topics that `topics apply` creates"
    )
    connect_timeout_s: float = Field(
        10.0, gt=0, description="time until a broker must have answered, and a topic been found"
    )
    session_timeout_s: float = Field(
        30.0, gt=0, description="a worker without a heartbeat for this long loses its partitions"
    )
    rebalance_timeout_s: float = Field(
        90.0,
        gt=0,
        description="time to finish in-flight requests in a rebalance; must exceed judging.deadline_s",
    )


class Redis(Group):
    url: SecretStr = Field(
        SecretStr("redis://127.0.0.1:26379/0"), description="Redis that workers share; empty = none"
    )
    timeout_s: float = Field(0.5, gt=0, description="time limit of a call")
    prefix: str = Field("judgestream", description="prefix of every key")

    @field_validator("url")
    @classmethod
    def _is_url(cls, value: SecretStr) -> SecretStr:
        """Checked here, because the client's own error quotes parts of the password."""
        text = value.get_secret_value()
        try:
            parts = urlsplit(text)
            sound = parts.scheme == "unix" or (bool(parts.hostname) and parts.port != 0)
        except ValueError:
            sound = False
        if text and (not sound or parts.scheme not in ("redis", "rediss", "unix")):
            raise ValueError(
                "invalid URL: use redis://HOST:PORT/0, rediss:// for TLS, or unix://PATH; write / @ : # in"
                " a password as %2F %40 %3A %23"
            )
        return value


def _start(text: str) -> str:
    """The start of a new group. Raises ValueError for an invalid value."""
    if text not in ("earliest", "latest"):
        try:
            datetime.fromisoformat(text)
        except ValueError:
            raise ValueError(
                f"invalid start {text[:40]!r}: use earliest, latest or an ISO time, such as"
                " 2026-01-31T12:00:00Z"
            ) from None
    return text


class Triton(Group):
    grpc: str = Field(
        "127.0.0.1:28001",
        description="Triton's gRPC address, host:port; several comma separated; dns:///name:port for every"
        " address of a name",
    )
    release: str = Field("", description="release to use; empty = the only judge loaded")
    control_key: SecretStr = Field(
        SecretStr(""), description="key to Triton's model control; empty = unrestricted"
    )
    device: Literal["cpu", "gpu"] = Field(
        "cpu",
        description="where judges run that `up`, `triton serve` and the rollout service install",
    )
    metrics_port: int = Field(
        0,
        ge=0,
        le=65535,
        description="metrics port of every Triton, for its free memory before a load; 0 = unknown",
    )

    @field_validator("grpc")
    @classmethod
    def _is_server_list(cls, value: str) -> str:
        parse_servers(value)
        return value


class Images(Group):
    fetch: bool = Field(False, description="whether workers fetch images by their URLs")
    allowed_hosts: str = Field(
        "",
        description="hosts to fetch from, comma separated, also *.example.com; empty = every public host",
    )
    deadline_s: float = Field(10.0, gt=0, description="time limit of fetching one image")
    max_bytes: int = Field(
        limits.IMAGE, ge=1, le=limits.IMAGE, description="largest image file that is fetched"
    )

    @property
    def hosts(self) -> tuple[str, ...]:
        """The entries of `allowed_hosts`."""
        return tuple(name.strip() for name in self.allowed_hosts.split(",") if name.strip())


class Consumer(Group):
    """One kind of worker as a Kafka consumer: its group, and how much it takes at a time."""

    group: str
    start: str = Field(
        "earliest",
        description="start of a group without commits: earliest, latest or an ISO time",
    )
    inflight: int = Field(64, ge=1, description="records handled at the same time, per worker")
    outstanding: int = Field(
        512, ge=1, description="records taken but not yet committed, per worker"
    )
    buffer_records: int = Field(
        4096, ge=1, description="records prefetched per worker; at most 1 MiB each"
    )
    commit_interval_s: float = Field(0.5, gt=0, description="interval of offset commits")

    _check_start = field_validator("start")(_start)


class Judging(Consumer):
    group: str = Field("judgestream-judging", description="consumer group of the judging workers")
    accept_backlog: int = Field(
        1000,
        ge=0,
        description="largest backlog that a new group accepts at a paid endpoint, in records",
    )
    deadline_s: float = Field(30.0, gt=0, description="time limit of one call to the judge")
    max_age_s: float = Field(
        3600.0,
        gt=0,
        description="a request is failed when it still fails this long after its first attempt",
    )
    backoff_s: float = Field(0.1, gt=0, description="first pause after a retryable failure")
    max_backoff_s: float = Field(10.0, gt=0, description="longest pause between two attempts")
    published_ttl_s: int = Field(
        86_400, ge=1, description="how long Redis remembers published verdicts"
    )
    too_long: Literal["refuse", "cut"] = Field(
        "refuse",
        description="requests over the judge's context: refuse = dead letter, cut = shorten all answers",
    )
    swap_rate: float = Field(
        1.0,
        ge=0.01,
        le=1.0,
        description="share of pairs to judge in both orders; all while an alarm on position bias is raised",
    )
    verdict_format: Literal["application/protobuf", "application/json"] = Field(
        "application/protobuf", description="content type of published verdicts"
    )
    second_order_below: float = Field(
        0.0,
        ge=0,
        le=1,
        description="ask the second order of a pair outside swap_rate where the first is less confident",
    )


class Shadow(Consumer):
    """The shadow worker, which judges what never reaches consumers."""

    group: str = Field("judgestream-shadow", description="consumer group of the shadow workers")
    start: str = Field(
        "latest",
        description="start of a group without commits: earliest, latest or an ISO time",
    )
    inflight: int = Field(
        8, ge=1, description="records judged at the same time, per worker: live requests go first"
    )
    probe_share: float = Field(
        0.0, ge=0, le=1, description="share of the requests that a known-answer probe accompanies"
    )


class Bias(Consumer):
    group: str = Field("judgestream-bias", description="consumer group of the bias workers")
    inflight: int = Field(256, ge=1, description="verdicts counted at the same time, per worker")
    outstanding: int = Field(
        2048, ge=1, description="verdicts taken but not yet committed, per worker"
    )
    window_s: int = Field(60, ge=1, description="length of a window")
    hop_s: int = Field(
        0,
        ge=0,
        description="interval between the starts of windows, a divisor of window_s; 0 = window_s",
    )
    lateness_s: int = Field(
        30, ge=0, description="how late a verdict may arrive before its window is final"
    )
    idle_s: int = Field(
        60,
        ge=1,
        description="a partition without lag is idle when it delivers nothing for this long",
    )
    retention_s: int = Field(
        31 * 86_400,
        ge=60,
        description="how long after a verdict's arrival Redis keeps what it counted; longer than the topic",
    )
    publish_interval_s: float = Field(
        2.0, gt=0, description="interval of reports on an open window"
    )
    alarms: Path | None = Field(
        None, description="YAML file with the limits that raise alarms; default: the shipped one"
    )
    webhook: SecretStr = Field(
        SecretStr(""), description="URL that alarms are sent to by POST, as JSON; empty = none"
    )

    @field_validator("webhook")
    @classmethod
    def _is_http(cls, value: SecretStr) -> SecretStr:
        """The error does not quote the URL, which often contains a secret."""
        text = value.get_secret_value()
        try:
            parts = urlsplit(text)
            sound = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            sound = False
        if text and not sound:
            raise ValueError("invalid URL: use https://HOST/PATH")
        return value

    @property
    def hop(self) -> int:
        """Seconds between the starts of two windows."""
        return self.hop_s or self.window_s

    @model_validator(mode="after")
    def _windows_are_whole_hops(self) -> "Bias":
        if self.window_s % self.hop:
            raise ValueError(
                f"bias.window_s ({self.window_s}) must be a multiple of bias.hop_s ({self.hop_s})"
            )
        return self


class Rollout(Group):
    """The rollout service, and the workers that follow its routes."""

    grpc: str = Field(
        "127.0.0.1:28003",
        description="address of the rollout service, host:port, for it and its callers",
    )
    follow: bool = Field(
        True,
        description="whether workers follow the published routes; false = triton.release answers everything",
    )
    repository: Path | None = Field(
        None, description="Triton's model repository; default: that of the local stack"
    )
    policy: Path | None = Field(
        None, description="YAML file with the policy of the evidence gate; default: the shipped one"
    )
    auto_stage: bool = Field(
        True,
        description="whether published checkpoints are staged and put into shadow by themselves",
    )
    grace_s: float = Field(
        600.0, ge=0, description="how long a release that left traffic stays loaded"
    )
    least_servers: int = Field(
        1, ge=1, description="Triton servers that must have loaded a release before it is ready"
    )


class Worker(Group):
    metrics_host: str = Field(
        "127.0.0.1", description="address of the metrics server for Prometheus"
    )
    metrics_port: int = Field(
        0,
        ge=0,
        le=65535 - 400,
        description="base of the metrics ports: judging slot n: base + n, bias: base + 100 + n, shadow:"
        " base + 300 + n; 0 = none",
    )
    stall_s: float = Field(
        120.0,
        gt=0,
        description="a worker that has lag but makes no progress for this long is ended",
    )
    startup_s: float = Field(
        60.0, gt=0, description="a worker without partitions after this long is ended"
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="log level")


class Local(Group):
    data: Path = Field(
        Path("~/.local/share/judgestream"),
        description="data folder of the local stack, kept over restarts",
    )
    kafka_port: int = Field(29092, ge=1, le=65535, description="port of the local Kafka")
    redis_port: int = Field(26379, ge=1, le=65535, description="port of the local Valkey")
    triton_http_port: int = Field(
        28000, ge=1, le=65535, description="HTTP port of the local Triton"
    )
    triton_grpc_port: int = Field(
        28001, ge=1, le=65535, description="gRPC port of the local Triton"
    )
    triton_metrics_port: int = Field(
        28002, ge=1, le=65535, description="metrics port of the local Triton"
    )
    rollout_port: int = Field(
        28003, ge=1, le=65535, description="gRPC port of the local rollout service"
    )
    checkpoint: Path | None = Field(
        None, description="checkpoint of the judge to serve; default: the bundled one"
    )
    judging_workers: int = Field(
        1, ge=1, le=64, description="number of judging workers of the local stack"
    )


class Settings(BaseSettings):
    """All groups. Entry points read them once through `load` and pass the parts on."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter="__", extra="forbid", frozen=True
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
        return (init_settings, env_settings, *from_file)


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
    stack = _stack_fields(_explicit())
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


def _explicit() -> Settings:
    return load(find_stack=False)


def _with_stack(settings: Settings) -> Settings:
    """The settings, with the running stack's addresses where none are set."""
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


@cache
def names() -> Mapping[str, tuple[str, str, str]]:
    """Every setting: variable -> (path, default as text, description). See docs/reference/settings.md."""
    table: dict[str, tuple[str, str, str]] = {}
    for group, group_field in Settings.model_fields.items():
        model = group_field.annotation
        if not (isinstance(model, type) and issubclass(model, Group)):
            raise TypeError(f"settings group {group} is not a Group")
        for name, field in model.model_fields.items():
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
    known = {*names(), CONFIG, *(f"{PREFIX}{group}".upper() for group in Settings.model_fields)}
    return [
        name
        for name in sorted(environ)
        if name.upper().startswith(PREFIX) and name.upper() not in known
    ]
