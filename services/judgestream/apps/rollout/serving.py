"""The gRPC server: the service, health checks and reflection."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from judgestream.apps.rollout.api import RolloutApi
from judgestream.core.errors import ConfigurationError
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
async def served(address: str, api: RolloutApi, healthy: Callable[[], bool]) -> AsyncIterator[None]:
    """Serve until the body ends. Calls in progress then get `STOP_S` to finish.

    Raises:
        ConfigurationError: nothing can listen at the address.
    """
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
        bound = server.add_insecure_port(address)
    except RuntimeError:
        bound = 0
    if not bound:
        raise ConfigurationError(
            f"the rollout service cannot listen on {address}: stop its listener, or set another"
            " JUDGESTREAM_ROLLOUT__GRPC (host:port)"
        )
    await server.start()
    log.info("serving the rollout on %s", address)
    watching = asyncio.create_task(_report(servicer, healthy))
    try:
        yield
    finally:
        watching.cancel()
        await servicer.enter_graceful_shutdown()
        api.close()
        await server.stop(STOP_S)


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
