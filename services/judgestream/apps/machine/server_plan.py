"""The plan of a local stack: which servers it runs, on which ports, and which are external.

A server that the settings name (`kafka.bootstrap`, `redis.url`, `triton.grpc`) is external: it is used, and
never started or stopped. The stack's own address (`. environment` sets it) does not make a server external
while nothing listens there.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from judgestream.core.errors import ConfigurationError
from judgestream.local.ports import HOST, is_free
from judgestream.local.stack import External, places
from judgestream.local.variables import host_port, read_variables
from judgestream.settings import PREFIX, Settings

KAFKA = f"{PREFIX}KAFKA__BOOTSTRAP"
REDIS = f"{PREFIX}REDIS__URL"
TRITON = f"{PREFIX}TRITON__GRPC"
ROLLOUT = f"{PREFIX}ROLLOUT__GRPC"


@dataclass(frozen=True, kw_only=True, slots=True)
class ServerPlan:
    """External servers, and the ports of the servers that the stack runs (None: a free port)."""

    kafka: External | None
    valkey: External | None
    triton: External | None
    ports: Mapping[str, int | None]

    @property
    def ours(self) -> list[str]:
        return [n for n in ("kafka", "valkey", "triton") if getattr(self, n) is None]

    def taken_ports(self, others: Mapping[str, int]) -> Mapping[str, int]:
        """Purpose -> port, for each port that the stack will listen on.

        Raises:
            ConfigurationError: two purposes share a port.
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
        if (port := self.ports["rollout"]) is not None:
            wanted["rollout service (local.rollout_port)"] = port
        wanted |= others
        purposes: dict[int, str] = {}
        for purpose, port in wanted.items():
            if port in purposes:
                raise ConfigurationError(
                    f"port {port} is used twice, for {purposes[port]} and for {purpose}: change one"
                )
            purposes[port] = purpose
        return wanted


def plan_servers(settings: Settings, data: Path, *, free_ports: bool) -> ServerPlan:
    """Looks at no external server, but reads their addresses: installing a judge comes next, and takes long.

    Raises:
        ConfigurationError: the address of an external server is not one.
    """
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
        "rollout": port("rollout_port"),
    }

    def external(
        group: object, field: str, address: str, own: str, name: str, variable: str
    ) -> External | None:
        if not _named(group, field):
            return None
        wanted = host_port(address)
        own_address = (HOST, int(getattr(local, name)))
        before = host_port(last.get(variable, ""))
        if wanted is not None and wanted in (own_address, before) and is_free(wanted[1]):
            if not _named(local, name):
                ports[own] = wanted[1]
            return None
        return External(address=address)

    url = settings.redis.url.get_secret_value()
    if _named(settings.redis, "url") and not url:
        raise ConfigurationError(
            "redis.url is empty, but the local stack's bias worker and rollout service need Redis: unset"
            " JUDGESTREAM_REDIS__URL, so that the stack starts one"
        )
    kafka, redis, triton = settings.kafka, settings.redis, settings.triton
    plan = ServerPlan(
        kafka=external(kafka, "bootstrap", kafka.bootstrap, "kafka", "kafka_port", KAFKA),
        valkey=external(redis, "url", url, "valkey", "redis_port", REDIS),
        triton=external(triton, "grpc", triton.grpc, "grpc", "triton_grpc_port", TRITON),
        ports=ports,
    )
    for name, part in (("Kafka", plan.kafka), ("Valkey", plan.valkey), ("Triton", plan.triton)):
        if part is not None:
            places(name, part.address)
    return plan


def _named(group: object, field: str) -> bool:
    """Whether the user gave this setting."""
    return field in getattr(group, "model_fields_set", ())
