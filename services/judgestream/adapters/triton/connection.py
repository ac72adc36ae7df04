"""The connection to one Triton: the only place where its clients are made.

When a file of `tls` is renewed, calls that begin afterwards use a new channel. Calls in flight finish on the
former one.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from time import monotonic

import grpc
from tritonclient.grpc.aio import InferenceServerClient
from tritonclient.utils import InferenceServerException

from judgestream.adapters.tls.client import PLAINTEXT, ClientTls
from judgestream.adapters.tls.handshake import NO_CONNECTION, tls_problem
from judgestream.core.errors import ConfigurationError

log = logging.getLogger(__name__)

LOOK_S = 1.0
"""Between two looks at the files."""

PROBE_S = 5.0
"""A reason that TLS gave is repeated for this long without another handshake."""

_LARGEST_MESSAGE = 2**31 - 1
_OPTIONS: Sequence[tuple[str, str | int]] = (
    ("grpc.max_send_message_length", _LARGEST_MESSAGE),
    ("grpc.max_receive_message_length", _LARGEST_MESSAGE),
)


class _Channel:
    """One client, and the number of calls that use it now."""

    def __init__(self, client: InferenceServerClient) -> None:
        self.client = client
        self.calls = 0


class Connection:
    """Safe to use from many tasks of one event loop."""

    def __init__(
        self,
        address: str,
        tls: ClientTls = PLAINTEXT,
        options: Sequence[tuple[str, str | int]] = (),
    ) -> None:
        """
        Args:
            address: host:port of Triton's gRPC.
            options: of the channel.

        Raises:
            ConfigurationError: a file of `tls` is missing or wrong, as `ClientTls.usable_credentials`.
        """
        self.address = address
        self._tls = tls
        self._options = [*_OPTIONS, *options, *tls.options]
        self._seen = tls.stamp()
        self._looked_at = monotonic()
        self._newest = self._opened(tls.usable_credentials())
        self._problem, self._probed_at = "", -PROBE_S

    @asynccontextmanager
    async def client(self, *, explain: bool = True) -> AsyncIterator[InferenceServerClient]:
        """The client for one call.

        Args:
            explain: find out whether TLS is the reason for a failed connection, and put this into the error.
                Takes up to 2 s when the server's host does not answer.
        """
        await self._renew()
        used = self._newest
        used.calls += 1
        try:
            yield used.client
        except InferenceServerException as exc:
            text = exc.message() or ""
            problem = await self._explained(text) if explain else ""
            if not problem:
                raise
            raise InferenceServerException(problem, status=exc.status()) from exc
        finally:
            used.calls -= 1
            if used is not self._newest and not used.calls:
                await used.client.close()

    async def close(self) -> None:
        """End the calls in flight, too."""
        await self._newest.client.close()

    def _opened(self, credentials: grpc.ChannelCredentials | None) -> _Channel:
        return _Channel(
            InferenceServerClient(self.address, creds=credentials, channel_args=self._options)
        )

    async def _renew(self) -> None:
        """Open a new channel if the files have changed. While they are wrong, the former channel stays."""
        if not self._tls.enabled or monotonic() - self._looked_at < LOOK_S:
            return
        self._looked_at = monotonic()
        now = self._tls.stamp()
        if now == self._seen:
            return
        self._seen = now
        try:
            former, self._newest = self._newest, self._opened(self._tls.credentials())
        except ConfigurationError as exc:
            log.warning("the connection to Triton at %s is not renewed: %s", self.address, exc)
            return
        self._probed_at = -PROBE_S
        log.info("the connection to Triton at %s uses renewed files", self.address)
        if not former.calls:
            await former.client.close()

    async def _explained(self, text: str) -> str:
        """Why no connection was made, if TLS is the reason; ""."""
        if not any(part in text for part in NO_CONNECTION):
            return ""
        if monotonic() - self._probed_at >= PROBE_S:
            self._problem = await asyncio.to_thread(tls_problem, self.address, self._tls)
            self._probed_at = monotonic()
        return self._problem
