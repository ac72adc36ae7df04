"""One look at every server of a list: whether it answers, and its loaded models. Needs no control key."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from judgestream.adapters.tls.client import PLAINTEXT, ClientTls
from judgestream.adapters.triton.connection import Connection
from judgestream.adapters.triton.model_config import loaded_models
from judgestream.adapters.triton.resolving import Addresses
from judgestream.core.errors import JudgestreamError
from judgestream.core.fleet.server_list import parse_servers


@dataclass(frozen=True, kw_only=True, slots=True)
class Sight:
    """One server.

    models    that are loaded
    problem   why it does not answer; or ""
    """

    address: str
    models: tuple[str, ...] = ()
    problem: str = ""


async def survey(servers: str, *, deadline_s: float, tls: ClientTls = PLAINTEXT) -> list[Sight]:
    """Every server of the setting `triton.grpc` as it is now. A name that cannot be resolved is one, too.

    Raises:
        ConfigurationError: a file of `tls` is missing or wrong.
    """
    addresses = Addresses(parse_servers(servers))
    present = await addresses.now()
    unknown = [
        Sight(address=str(entry), problem=text) for entry, text in addresses.problems.items()
    ]
    connections = [Connection(one, tls=tls) for one in present]
    return [*await asyncio.gather(*(_look(one, deadline_s) for one in connections)), *unknown]


async def _look(connection: Connection, deadline_s: float) -> Sight:
    try:
        models: Sequence[str] = await loaded_models(connection, deadline_s=deadline_s)
    except JudgestreamError as exc:
        return Sight(address=connection.address, problem=str(exc))
    finally:
        await connection.close()
    return Sight(address=connection.address, models=tuple(models))
