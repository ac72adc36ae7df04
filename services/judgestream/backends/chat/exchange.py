"""One HTTP exchange with a chat endpoint: a request body out, a response of limited size back."""

import socket
import ssl
import zlib
from collections.abc import Mapping
from dataclasses import dataclass

import httpx

from judgestream.backends.chat.endpoint import Endpoint
from judgestream.backends.chat.message import NotChat
from judgestream.backends.chat.protocols import PROTOCOLS
from judgestream.core.errors import EndpointUnreachable, JudgeUnavailable

MAX_BODY = 16 << 20
"""Bytes of one response, unpacked."""
MAX_ERROR_BODY = 64 << 10


@dataclass(kw_only=True, slots=True)
class Answer:
    """A response with any status."""

    status: int
    headers: Mapping[str, str]
    raw: bytes


class Exchange:
    """The connections to one endpoint. One event loop at a time; call `close` when done."""

    def __init__(self, endpoint: Endpoint, transport: httpx.AsyncBaseTransport | None) -> None:
        self._endpoint = endpoint
        protocol = PROTOCOLS[endpoint.options.protocol]
        self._path = protocol.path
        headers = {
            "Accept-Encoding": "identity",
            **protocol.headers(endpoint),
            **endpoint.options.headers,
        }
        self._client = httpx.AsyncClient(
            base_url=endpoint.url.rstrip("/") + "/",
            headers=headers,
            timeout=endpoint.deadline_s,
            transport=transport,
            limits=httpx.Limits(max_connections=endpoint.concurrency + 1),
            follow_redirects=False,
        )

    async def close(self) -> None:
        await self._client.aclose()

    async def post(self, body: Mapping[str, object]) -> Answer:
        """The response to one request.

        Raises:
            NotChat: a success whose body is too large, or has an unsupported content encoding.
            EndpointUnreachable, JudgeUnavailable: no response.
        """
        try:
            async with self._client.stream("POST", self._path, json=body) as response:
                raw = await _body(response)
                return Answer(status=response.status_code, headers=response.headers, raw=raw)
        except (httpx.TransportError, httpx.InvalidURL) as error:
            reason = self._endpoint.without_key(str(error))
            text = f"{self._endpoint.url}: {type(error).__name__}: {reason}"
            if _unreachable(error):
                raise EndpointUnreachable(text) from error
            raise JudgeUnavailable(text) from error


async def _body(response: httpx.Response) -> bytes:
    """The unpacked body; of an error, the first part. Raises NotChat, see `Exchange.post`."""
    success = response.is_success
    limit = MAX_BODY if success else MAX_ERROR_BODY
    packed = bytearray()
    async for part in response.aiter_raw():
        packed += part
        if len(packed) > limit:
            if success:
                raise NotChat(f"more than {limit >> 20} MiB")
            break
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    if encoding in ("", "identity"):
        return bytes(packed[:limit])
    try:
        if encoding not in ("gzip", "x-gzip", "deflate"):
            raise zlib.error(encoding)
        unpacked = zlib.decompressobj(47).decompress(bytes(packed), limit + 1)
    except zlib.error as error:
        if success:
            raise NotChat(f"unsupported content-encoding {encoding[:40]!r}") from error
        return b""
    if success and len(unpacked) > limit:
        raise NotChat(f"more than {limit >> 20} MiB when unpacked")
    return unpacked[:limit]


def _unreachable(error: BaseException) -> bool:
    """Whether an operator has to act: the name does not resolve, or the certificate is not trusted."""
    if isinstance(error, httpx.UnsupportedProtocol | httpx.InvalidURL):
        return True
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError):
            return True
        if isinstance(cause, socket.gaierror):
            return cause.errno != socket.EAI_AGAIN
        cause = cause.__cause__ or cause.__context__
    return False
