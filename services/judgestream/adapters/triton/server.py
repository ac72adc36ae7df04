"""One Triton of a fleet: its connection, which all releases share, its state, and our calls there."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from judgestream.adapters.tls.client import PLAINTEXT, ClientTls
from judgestream.adapters.triton.connection import Connection
from judgestream.adapters.triton.errors import judge_call
from judgestream.core.errors import JudgeDeadlineExceeded, JudgestreamError
from judgestream.core.fleet.report import ServerState

HEALTH_S = 2.0
"""Time limit of a health check."""

MISSES = 2
"""Health checks in a row without an answer in time that make a server count as down. A busy server may miss
one; one that refuses the connection is down at once."""

_RECONNECT = [
    # gRPC waits up to two minutes before it connects again; a server that is back must be found sooner
    ("grpc.initial_reconnect_backoff_ms", 100),
    # also the time limit of a connection attempt: a TLS handshake on a busy machine takes longer than 100 ms
    ("grpc.min_reconnect_backoff_ms", 2000),
    ("grpc.max_reconnect_backoff_ms", 1000),
]


class Server:
    """Safe to use from many tasks of one event loop.

    draining    an operator has set the mark: no new calls
    gone        its name in DNS no longer has this address: no new calls
    chosen      number of the latest choice of this server
    calls       finished calls, by outcome
    missed      health checks in a row without an answer in time
    """

    def __init__(
        self, address: str, clock: Callable[[], float], tls: ClientTls = PLAINTEXT
    ) -> None:
        """Raises ConfigurationError: a file of `tls` is missing or wrong."""
        self.address = address
        self.connection = Connection(address, tls=tls, options=_RECONNECT)
        self.clock = clock
        self.live = True
        self.reason = ""
        self.draining = False
        self.gone = False
        self.in_flight = 0
        self.chosen = 0
        self.calls: Counter[str] = Counter()
        self.check_now = asyncio.Event()
        self.missed = 0

    @property
    def state(self) -> ServerState:
        if not self.live:
            return ServerState.DOWN
        return ServerState.DRAINING if self.draining or self.gone else ServerState.UP

    @property
    def open(self) -> bool:
        """Whether it may get new calls at all."""
        return not (self.draining or self.gone)

    @contextmanager
    def call(self) -> Iterator[None]:
        """Counts a call in flight."""
        self.in_flight += 1
        try:
            yield
        finally:
            self.in_flight -= 1

    async def check(self) -> bool:
        """Check whether the server answers. Returns whether it has just come back.

        Triton's readiness does not count: it is false while any model is loading.
        """
        was_live = self.live
        try:
            with judge_call("(any)"):
                async with self.connection.client() as client:
                    self.live = bool(await client.is_server_live(client_timeout=HEALTH_S))
            self.reason = "" if self.live else "it is starting or stopping"
            self.missed = 0
        except JudgeDeadlineExceeded:
            self.missed += 1
            if self.missed >= MISSES:
                self.live, self.reason = False, f"no answer to a health check in {HEALTH_S:g} s"
        except JudgestreamError as exc:
            self.live, self.reason = False, str(exc)
        return self.live and not was_live

    async def close(self) -> None:
        await self.connection.close()
