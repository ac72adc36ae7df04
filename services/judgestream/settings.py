"""Every setting, typed, read once. Environment over file over default.

A setting's variable is `JUDGESTREAM_` + group + `__` + name: `JUDGESTREAM_KAFKA__BOOTSTRAP`. A YAML file
with the same groups is named by `JUDGESTREAM_CONFIG`. An unknown name, in either, is an error.
"""

import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    YamlConfigSettingsSource,
)

from judgestream.core.errors import ConfigurationError

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


class Triton(Group):
    grpc: str = Field("127.0.0.1:28001", description="Triton's gRPC address, host:port")
    release: str = Field("", description="Triton model to ask; empty = the only judge loaded")
    control_key: SecretStr = Field(
        SecretStr(""), description="opens Triton's model control; empty = it is not restricted"
    )


class Judging(Group):
    group: str = Field("judgestream-judging", description="consumer group of the judging workers")
    inflight: int = Field(64, ge=1, description="requests in flight at Triton, per worker")
    outstanding: int = Field(
        512, ge=1, description="requests taken but not yet committed, per worker"
    )
    buffer_records: int = Field(
        4096, ge=1, description="records buffered ahead, per worker; at most 1 MiB each"
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
    commit_interval_s: float = Field(0.5, gt=0, description="between offset commits")
    verdict_format: Literal["application/protobuf", "application/json"] = Field(
        "application/protobuf", description="content type of published verdicts"
    )


class Bias(Group):
    group: str = Field("judgestream-bias", description="consumer group of the bias workers")
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
        yaml = (YamlConfigSettingsSource(settings_cls, yaml_file=file),) if file else ()
        return (init_settings, env_settings, *yaml)


def load(**overrides: Any) -> Settings:
    """The settings of this process.

    Raises:
        ConfigurationError: one line per wrong or unknown setting, each with its path.
    """
    file = os.environ.get(CONFIG)
    if file and not Path(file).is_file():
        raise ConfigurationError(f"{CONFIG} names {file}, which is not a file")
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
    except (
        Exception
    ) as exc:  # a YAML file that does not parse: pydantic-settings lets yaml's own error out
        raise ConfigurationError(f"{file}: {exc}") from exc
    if problems:
        raise ConfigurationError("settings are wrong:\n  " + "\n  ".join(problems))
    return settings


@cache
def names() -> Mapping[str, tuple[str, str, str]]:
    """Every setting: variable -> (path, default as text, description). The README's table."""
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
