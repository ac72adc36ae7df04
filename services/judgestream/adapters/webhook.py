"""Sending of JSON to one URL from the settings, which usually contains a secret."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import aiohttp

from judgestream.core.backoff import Backoff

log = logging.getLogger(__name__)

QUEUE = 100
TRIES = 6
DEADLINE_S = 10.0
PAUSES = Backoff(first_s=1.0, longest_s=60.0)
LEFT_OUT = frozenset({408, 425, 429})
"""Refusals that may pass, beside those of the server (5xx)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Delivery:
    """A body to send, with the words for it in the log."""

    body: bytes
    what: str


class Webhook:
    """A queue of bodies, and a task that sends them. Callers never wait.

    No text names more of the URL than its host. Redirects are not followed.
    """

    def __init__(
        self,
        url: str,
        *,
        on_outcome: Callable[[str], object],
        pauses: Callable[[int], float] = PAUSES,
        deadline_s: float = DEADLINE_S,
    ) -> None:
        """`on_outcome` is called with `sent`, `failed` or `dropped` for every body."""
        self._url = url
        self._host = urlsplit(url).hostname or ""
        self._on_outcome = on_outcome
        self._pauses = pauses
        self._timeout = aiohttp.ClientTimeout(total=deadline_s)
        self._queue: asyncio.Queue[Delivery] = asyncio.Queue(QUEUE)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._session is not None:
            await self._session.close()

    def send(self, delivery: Delivery) -> None:
        """Queue a body. Beyond `QUEUE` waiting ones it is dropped, counted and logged."""
        try:
            self._queue.put_nowait(delivery)
        except asyncio.QueueFull:
            self._on_outcome("dropped")
            log.error("the webhook at %s is too slow: %s was dropped", self._host, delivery.what)

    async def run(self) -> None:
        """Send what is queued, in order, until cancelled."""
        while True:
            delivery = await self._queue.get()
            problem = await self._deliver(delivery.body)
            self._on_outcome("failed" if problem else "sent")
            if problem:
                log.error(
                    "%s could not be sent to the webhook at %s: %s",
                    delivery.what,
                    self._host,
                    problem,
                )

    async def _deliver(self, body: bytes) -> str:
        """Try at most `TRIES` times. Returns the last problem, or ""."""
        problem = ""
        for attempt in range(1, TRIES + 1):
            status, problem = await self._post(body)
            if not problem or (400 <= status < 500 and status not in LEFT_OUT):
                return problem
            if attempt < TRIES:
                await asyncio.sleep(self._pauses(attempt))
        return f"{problem}, {TRIES} times"

    async def _post(self, body: bytes) -> tuple[int, str]:
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=self._timeout)
        try:
            async with self._session.post(
                self._url,
                data=body,
                headers={"Content-Type": "application/json"},
                allow_redirects=False,
            ) as answer:
                taken = 200 <= answer.status < 300
                return answer.status, "" if taken else f"HTTP status {answer.status}"
        except (aiohttp.ClientError, OSError, TimeoutError) as exc:
            # without its text, which may quote the URL
            return 0, type(exc).__name__
