"""The local stack of `judgestream up`."""

from pathlib import Path

from pydantic import Field

from judgestream.settings.group import Group


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
