"""One HTTP exchange with a chat endpoint: a body goes out, and a bounded answer comes back."""

import socket
import ssl
import zlib
from collections.abc import Mapping
from dataclasses import dataclass

import httpx

from judgestream.backends.chat.endpoint import Endpoint
from judgestream.backends.chat.replies import NotChat
from judgestream.core.errors import EndpointUnreachable, JudgeUnavailable

MAX_BODY = 16 << 20
"""Bytes of one answer, unpacked."""
MAX_ERROR_BODY = 64 << 10


@dataclass(kw_only=True, slots=True)
class Answer:
    """What came back, whatever its status."""

    status: int
    headers: Mapping[str, str]
    raw: bytes


class Exchange:
    """The connections to one endpoint. One event loop at a time; `close` when done."""

    def __init__(self, endpoint: Endpoint, transport: httpx.AsyncBaseTransport | None) -> None:
        self._endpoint = endpoint
        headers = {"Accept-Encoding": "identity"}
        if endpoint.key:
            headers["Authorization"] = f"Bearer {endpoint.key}"
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
        """One answer to one request.

        Raises:
            NotChat: a success whose body is too large, or packed in a way that was not asked for.
            EndpointUnreachable, JudgeUnavailable: no answer at all.
        """
        try:
            async with self._client.stream("POST", "chat/completions", json=body) as answer:
                raw = await _bounded(answer)
                return Answer(status=answer.status_code, headers=answer.headers, raw=raw)
        except (httpx.TransportError, httpx.InvalidURL) as error:
            words = self._endpoint.without_key(str(error))
            text = f"{self._endpoint.url}: {type(error).__name__}: {words}"
            if _unreachable(error):
                raise EndpointUnreachable(text) from error
            raise JudgeUnavailable(text) from error


async def _bounded(answer: httpx.Response) -> bytes:
    """The body, unpacked, as far as it goes into memory safely. Raises: NotChat, see `Exchange.post`."""
    success = answer.is_success
    most = MAX_BODY if success else MAX_ERROR_BODY
    packed = bytearray()
    async for part in answer.aiter_raw():
        packed += part
        if len(packed) > most:
            if success:
                raise NotChat(f"more than {most >> 20} MiB")
            break
    encoding = answer.headers.get("content-encoding", "identity").strip().lower()
    if encoding in ("", "identity"):
        return bytes(packed[:most])
    try:
        if encoding not in ("gzip", "x-gzip", "deflate"):
            raise zlib.error(encoding)
        unpacked = zlib.decompressobj(47).decompress(bytes(packed), most + 1)
    except zlib.error as error:
        if success:
            raise NotChat(f"content-encoding {encoding[:40]!r}, which was not asked for") from error
        return b""
    if success and len(unpacked) > most:
        raise NotChat(f"more than {most >> 20} MiB when unpacked")
    return unpacked[:most]


def _unreachable(error: BaseException) -> bool:
    """Whether somebody has to act: the name does not resolve, or the connection cannot be trusted."""
    if isinstance(error, httpx.UnsupportedProtocol | httpx.InvalidURL):
        return True
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, ssl.SSLError):
            return True
        if isinstance(seen, socket.gaierror):
            return seen.errno != socket.EAI_AGAIN
        seen = seen.__cause__ or seen.__context__
    return False
