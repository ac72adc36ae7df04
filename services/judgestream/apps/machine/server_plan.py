"""Which servers of one machine are the stack's own, and on which ports these listen.

A server that the settings name (`kafka.bootstrap`, `redis.url`, `triton.grpc`) is somebody else's: it is used
and never started or stopped. An address that is the stack's own (`. environment` sets them) and at which
nothing answers names no server of somebody else's.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from judgestream.core.errors import ConfigurationError
from judgestream.local.ports import HOST, is_free
from judgestream.local.stack import External
from judgestream.local.variables import host_port, read_variables
from judgestream.settings import PREFIX, Settings

KAFKA = f"{PREFIX}KAFKA__BOOTSTRAP"
REDIS = f"{PREFIX}REDIS__URL"
TRITON = f"{PREFIX}TRITON__GRPC"


@dataclass(frozen=True, kw_only=True, slots=True)
class ServerPlan:
    """Which servers are somebody else's (External), and on which ports ours listen (None: a free one)."""

    kafka: External | None
    valkey: External | None
    triton: External | None
    ports: Mapping[str, int | None]

    @property
    def ours(self) -> list[str]:
        return [n for n in ("kafka", "valkey", "triton") if getattr(self, n) is None]

    def taken_ports(self, others: Mapping[str, int]) -> Mapping[str, int]:
        """What each port that we are going to listen on is for.

        Raises:
            ConfigurationError: two of them are the same.
        """
        parts = {
            "Kafka (local.kafka_port)": ("kafka", "kafka"),
            "Valkey (local.redis_port)": ("valkey", "valkey"),
            "Triton HTTP (local.triton_http_port)": ("triton", "http"),
            "Triton gRPC (local.triton_grpc_port)": ("triton", "grpc"),
            "Triton metrics (local.triton_metrics_port)": ("triton", "metrics"),
        }
        wanted = {
            purpose: port
            for purpose, (server, name) in parts.items()
            if server in self.ours and (port := self.ports[name]) is not None
        }
        wanted |= others
        purposes: dict[int, str] = {}
        for purpose, port in wanted.items():
            if port in purposes:
                raise ConfigurationError(
                    f"port {port} is wanted twice, for {purposes[port]} and for {purpose}: change one"
                )
            purposes[port] = purpose
        return wanted


def plan_servers(settings: Settings, data: Path, *, free_ports: bool) -> ServerPlan:
    local = settings.local
    last = read_variables(data)

    def port(name: str) -> int | None:
        return int(getattr(local, name)) if not free_ports or _named(local, name) else None

    ports = {
        "kafka": port("kafka_port"),
        "valkey": port("redis_port"),
        "http": port("triton_http_port"),
        "grpc": port("triton_grpc_port"),
        "metrics": port("triton_metrics_port"),
    }

    def external(
        group: object, field: str, address: str, own: str, name: str, variable: str
    ) -> External | None:
        if not _named(group, field):
            return None
        place = host_port(address)
        mine = (HOST, int(getattr(local, name)))
        before = host_port(last.get(variable, ""))
        if place is not None and place in (mine, before) and is_free(place[1]):
            if not _named(local, name):
                ports[own] = place[1]
            return None
        return External(address=address)

    url = settings.redis.url.get_secret_value()
    if _named(settings.redis, "url") and not url:
        raise ConfigurationError(
            "redis.url is empty, and the local stack needs a Redis for its bias worker and controller: unset"
            " JUDGESTREAM_REDIS__URL to have one started"
        )
    kafka, redis, triton = settings.kafka, settings.redis, settings.triton
    return ServerPlan(
        kafka=external(kafka, "bootstrap", kafka.bootstrap, "kafka", "kafka_port", KAFKA),
        valkey=external(redis, "url", url, "valkey", "redis_port", REDIS),
        triton=external(triton, "grpc", triton.grpc, "grpc", "triton_grpc_port", TRITON),
        ports=ports,
    )


def _named(group: object, field: str) -> bool:
    """Whether the user gave this setting, in whatever way."""
    return field in getattr(group, "model_fields_set", ())
