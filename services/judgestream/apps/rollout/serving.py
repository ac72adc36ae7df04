"""The gRPC server: the service, health checks and reflection, behind TLS beyond this machine."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from ipaddress import ip_address

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from judgestream.adapters.tls.server import ServerTls
from judgestream.apps.rollout.api import RolloutApi
from judgestream.core.errors import ConfigurationError
from judgestream.settings import Rollout
from judgestream.v1 import rollout_pb2
from judgestream.v1.rollout_pb2_grpc import add_RolloutsServicer_to_server

log = logging.getLogger(__name__)

SERVICE = rollout_pb2.DESCRIPTOR.services_by_name["Rollouts"].full_name
NAMES = ("", SERVICE)
"""Services whose health is reported: the whole server, and the rollout."""

HEALTH_S = 0.5
STOP_S = 3.0
MAX_CALL_BYTES = 64 << 10


@asynccontextmanager
async def served(
    settings: Rollout, api: RolloutApi, healthy: Callable[[], bool]
) -> AsyncIterator[None]:
    """Serve on `rollout.grpc` until the body ends. Calls in progress then get `STOP_S` to finish.

    Raises:
        ConfigurationError: nothing can listen at the address, it needs TLS, or a file of TLS is wrong.
    """
    address = settings.grpc
    tls = ServerTls.of(settings, "rollout")
    if tls is None:
        require_local(address, allowed=settings.plaintext)
    credentials = None if tls is None else tls.credentials()
    server = grpc.aio.server(
        options=[
            ("grpc.max_receive_message_length", MAX_CALL_BYTES),
            ("grpc.so_reuseport", 0),
        ]
    )
    servicer = health.aio.HealthServicer()
    for name in NAMES:
        await servicer.set(name, health_pb2.HealthCheckResponse.NOT_SERVING)
    add_RolloutsServicer_to_server(api, server)  # type: ignore[no-untyped-call]
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    reflection.enable_server_reflection(
        (SERVICE, health.SERVICE_NAME, reflection.SERVICE_NAME), server
    )
    try:
        bound = (
            server.add_insecure_port(address)
            if credentials is None
            else server.add_secure_port(address, credentials)
        )
    except RuntimeError:
        bound = 0
    if not bound:
        raise ConfigurationError(
            f"the rollout service cannot listen on {address}: stop its listener, or set another"
            " JUDGESTREAM_ROLLOUT__GRPC (host:port)"
        )
    await server.start()
    log.info("serving the rollout on %s, %s", address, _security(tls))
    watching = asyncio.create_task(_report(servicer, healthy))
    try:
        yield
    finally:
        watching.cancel()
        await servicer.enter_graceful_shutdown()
        api.close()
        await server.stop(STOP_S)


def require_local(address: str, *, allowed: bool) -> None:
    """Raise ConfigurationError for an address that other machines reach, unless this is allowed."""
    if allowed or address.startswith("unix:"):
        return
    host = address.rpartition(":")[0].strip("[]")
    try:
        local = ip_address(host).is_loopback
    except ValueError:
        local = host == "localhost"
    if not local:
        raise ConfigurationError(
            f"the rollout service does not listen on {address} without TLS: set"
            " rollout.server_certificate_file and rollout.server_key_file, or rollout.plaintext to true where"
            " the network is closed to others"
        )


def _security(tls: ServerTls | None) -> str:
    if tls is None:
        return "without TLS"
    return "with TLS" if tls.client_ca_file is None else "with mutual TLS"


async def _report(servicer: health.aio.HealthServicer, healthy: Callable[[], bool]) -> None:
    """Keep the reported health up to date."""
    shown: bool | None = None
    while True:
        if (now := healthy()) != shown:
            shown = now
            states = health_pb2.HealthCheckResponse
            for name in NAMES:
                await servicer.set(name, states.SERVING if now else states.NOT_SERVING)
        await asyncio.sleep(HEALTH_S)
