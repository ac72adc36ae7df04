"""Texts of the judge that later requests reuse, such as the analysis of a query.

A text is a function of its prompt: the release is immutable, and the most probable token is chosen each time.
So a reused text gives the verdict that a new one would give. Texts are kept in the worker's memory only. They
are bounded in number, and a worker that has lost them asks again.
"""

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager

from judgestream.apps.worker import metrics
from judgestream.core.passes import Pass
from judgestream.core.types import Release, Reply

MAX_KEPT = 1024


class KeptTexts:
    """The latest texts of one release. Only passes that are `reusable` are kept."""

    def __init__(self, release: Release) -> None:
        self._prefix = f"{release.name}\n{release.checkpoint_digest}\n{release.template_id}\n"
        self._kept: OrderedDict[bytes, Reply] = OrderedDict()
        self._asked: dict[bytes, asyncio.Event] = {}

    async def wait(self, one: Pass) -> bool:
        """Wait while another request asks for this text. Returns whether one did."""
        asked = self._asked.get(self._key(one)) if one.reusable else None
        if asked is not None:
            await asked.wait()
        return asked is not None

    def get(self, one: Pass) -> Reply | None:
        """The kept reply, which costs no tokens; None if the judge must be asked."""
        if not one.reusable:
            return None
        key = self._key(one)
        kept = self._kept.get(key)
        metrics.query_analyses.labels("asked" if kept is None else "reused").inc()
        if kept is not None:
            self._kept.move_to_end(key)
        return kept

    @contextmanager
    def asking(self, one: Pass) -> Iterator[None]:
        """Others that want this text `wait` until the block ends."""
        key = self._key(one)
        if not one.reusable or key in self._asked:
            yield
            return
        self._asked[key] = done = asyncio.Event()
        try:
            yield
        finally:
            del self._asked[key]
            done.set()

    def keep(self, one: Pass, reply: Reply) -> None:
        if not one.reusable:
            return
        self._kept[self._key(one)] = Reply(text=reply.text, finish_reason=reply.finish_reason)
        while len(self._kept) > MAX_KEPT:
            self._kept.popitem(last=False)

    def _key(self, one: Pass) -> bytes:
        content = f"{self._prefix}{one.max_tokens}\n{one.prompt}"
        return hashlib.sha256(content.encode(errors="surrogatepass")).digest()
