"""One look at every server of a list: whether it answers, and its loaded models. Needs no control key."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from tritonclient.grpc.aio import InferenceServerClient

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


async def survey(servers: str, *, deadline_s: float) -> list[Sight]:
    """Every server of the setting `triton.grpc` as it is now. A name that cannot be resolved is one, too."""
    addresses = Addresses(parse_servers(servers))
    present = await addresses.now()
    unknown = [
        Sight(address=str(entry), problem=text) for entry, text in addresses.problems.items()
    ]
    return [*await asyncio.gather(*(_look(one, deadline_s) for one in present)), *unknown]


async def _look(address: str, deadline_s: float) -> Sight:
    client = InferenceServerClient(address)
    try:
        models: Sequence[str] = await loaded_models(client, deadline_s=deadline_s)
    except JudgestreamError as exc:
        return Sight(address=address, problem=str(exc))
    finally:
        await client.close()
    return Sight(address=address, models=tuple(models))
