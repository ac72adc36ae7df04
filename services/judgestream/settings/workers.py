"""The services: what each kind of worker consumes and does, and the rollout service."""

from datetime import datetime
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, field_validator, model_validator

from judgestream.settings.group import Group
from judgestream.settings.grpc import Grpc
from judgestream.settings.texts import entries, url_parts


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
        description="requests over the judge's context: refuse = dead letter, cut = shorten all answers (for"
        " an image scorer: the question)",
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
        if text and url_parts(text, ("http", "https")) is None:
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


class Rollout(Grpc):
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
    movers: str = Field(
        "",
        description="names in the certificates of those who may make moves, comma separated; empty = every"
        " caller whom client_ca_file admits",
    )
    plaintext: bool = Field(
        False, description="whether the service may listen without TLS beyond 127.0.0.1"
    )

    @property
    def mover_names(self) -> frozenset[str]:
        """The entries of `movers`."""
        return frozenset(entries(self.movers))

    @model_validator(mode="after")
    def _movers_have_certificates(self) -> "Rollout":
        if self.mover_names and self.client_ca_file is None:
            raise ValueError(
                "rollout.movers needs client_ca_file: without it no caller shows a certificate"
            )
        return self


class Worker(Group):
    metrics_host: str = Field(
        "127.0.0.1", description="address of the metrics server for Prometheus"
    )
    metrics_port: int = Field(
        0,
        ge=0,
        le=65535 - 400,
        description="base of the metrics ports: judging slot n: base + n, bias: base + 100 + n, rollout:"
        " base + 200 + n, shadow: base + 300 + n; 0 = none",
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
    log_format: Literal["text", "json"] = Field(
        "text", description="log lines as text, or as one JSON object each"
    )
