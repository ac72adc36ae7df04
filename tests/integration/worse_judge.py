"""A second judge beside the instant one, which prefers the other answer everywhere."""

import asyncio
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from judgestream.adapters.triton.control import TritonControl
from judgestream.local.triton import TritonServer
from judgestream.settings import Triton
from tests.integration.cluster import INSTANT, MODELS

INVERTED = "inverted"
"""Its name in Triton. It has another checkpoint digest than the instant judge."""


@contextmanager
def inverted_judge(triton: TritonServer) -> Iterator[str]:
    """The inverted judge, loaded beside what the server has; it is unloaded at the end."""
    folder = triton.model_repository / INVERTED
    if not folder.exists():
        shutil.copytree(MODELS / INSTANT, folder)
        config = folder / "config.pbtxt"
        text = config.read_text().replace("1757a470", "0775a471")
        config.write_text(
            text.replace(
                "parameters [", 'parameters [\n  { key: "inverted" value { string_value: "1" } },'
            )
        )
    asyncio.run(_control(triton, load=True))
    try:
        yield INVERTED
    finally:
        asyncio.run(_control(triton, load=False))


async def _control(triton: TritonServer, *, load: bool) -> None:
    async with TritonControl(triton.grpc_url, Triton().control_key) as control:
        await (control.load(INVERTED) if load else control.unload(INVERTED))
