"""Images by URL, fetched from public addresses only.

Every address that a host name resolves to is checked, at every redirect, and the connection goes to one of
the addresses that were checked: a name that resolves differently the next time gains nothing.
"""

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self
from urllib.parse import SplitResult, urljoin, urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

from judgestream.core.addresses import address_problem, host_allowed
from judgestream.core.errors import ImageUnavailable, InvalidRequest
from judgestream.core.images import url_problem
from judgestream.core.limits import quoted
from judgestream.core.masking import masked
from judgestream.settings import Images

MAX_REDIRECTS = 3
CONCURRENCY = 16
TRIES = 3
FIRST_PAUSE_S = 0.5

_REDIRECTS = frozenset((301, 302, 303, 307, 308))
_TRANSIENT = frozenset((408, 425, 429, 500, 502, 503, 504))
_BLOCK = 1 << 16


class ImageFetcher:
    """Fetches images for one worker. Use it as an async context manager, inside an event loop.

    problem   why an address must not be connected to; "" if it may
    """

    def __init__(self, settings: Images, problem: Callable[[str], str] = address_problem) -> None:
        self._settings = settings
        self._allowed = settings.hosts
        self._problem = problem
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def fetch(self, url: str) -> bytes:
        """The file at this URL.

        Raises:
            InvalidRequest: it must not be fetched, is missing, or is too large.
            ImageUnavailable: its server does not answer, after several tries.
        """
        if not self._settings.fetch:
            raise InvalidRequest(
                "images are not fetched here: send the image's bytes in data, or set"
                " JUDGESTREAM_IMAGES__FETCH=true for the workers"
            )
        for number in range(1, TRIES + 1):
            try:
                async with asyncio.timeout(self._settings.deadline_s):
                    return await self._followed(url)
            except aiohttp.InvalidURL as error:
                raise InvalidRequest(f"{masked(str(error))} is not a URL: correct it") from error
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                if number == TRIES:
                    why = f"{type(error).__name__} {error}".strip()
                    raise ImageUnavailable(
                        f"{masked(url)} cannot be fetched ({masked(why)}), after {TRIES} tries: replay the"
                        " request when its server answers again"
                    ) from error
            await asyncio.sleep(FIRST_PAUSE_S * 2 ** (number - 1))
        raise AssertionError("unreachable")

    async def _followed(self, url: str) -> bytes:
        """The file, over redirects. Each of them is checked like the URL itself."""
        for _ in range(MAX_REDIRECTS + 1):
            self._check(url)
            session = self._opened()
            async with session.get(url, allow_redirects=False) as response:
                place = response.headers.get("Location", "")
                if response.status in _REDIRECTS and place:
                    url = _joined(url, place)
                    continue
                if response.status in _TRANSIENT:
                    raise aiohttp.ClientError(f"HTTP status {response.status}")
                if response.status != 200:
                    raise InvalidRequest(
                        f"{masked(url)} gives HTTP status {response.status}: correct the URL"
                    )
                return await self._body(url, response)
        raise InvalidRequest(
            f"{masked(url)} redirects more than {MAX_REDIRECTS} times: use the final URL"
        )

    async def _body(self, url: str, response: aiohttp.ClientResponse) -> bytes:
        limit = self._settings.max_bytes
        if (response.content_length or 0) > limit:
            raise InvalidRequest(_too_large(url, limit))
        data = bytearray()
        async for block in response.content.iter_chunked(_BLOCK):
            data += block
            if len(data) > limit:
                raise InvalidRequest(_too_large(url, limit))
        return bytes(data)

    def _check(self, url: str) -> None:
        """Raise InvalidRequest unless the URL may be fetched, as far as its text shows."""
        if problem := url_problem(url):
            raise InvalidRequest(problem)
        parts = _split(url)
        host = parts.hostname or ""
        if parts.username is not None or parts.password is not None:
            raise InvalidRequest(
                f"{masked(url)} has a user or a password: use a URL that needs none"
            )
        if not host_allowed(host, self._allowed):
            raise InvalidRequest(
                f"host {quoted(host)} is not in images.allowed_hosts ({', '.join(self._allowed)}): add it"
                " there, or send the image's bytes in data"
            )
        # aiohttp asks no resolver about a literal address; 3.14.0 takes 127.1 and 2130706433 for one
        problem = self._problem(host)
        if problem == "is not an address":
            if host.replace(".", "").isdigit():
                raise InvalidRequest(
                    f"host {quoted(host)} is not a name and not an address: write an address as four numbers"
                )
        elif problem:
            raise _forbidden(host, host, problem)

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.TCPConnector(
                resolver=_CheckedResolver(self._problem),
                use_dns_cache=False,
                force_close=True,
                limit=CONCURRENCY,
            )
            self._session = aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                trust_env=False,  # a proxy would resolve names itself, unchecked
                headers={"Accept": "image/*", "Accept-Encoding": "identity"},
            )
        return self._session


class _CheckedResolver(AbstractResolver):
    """Resolves a name, and refuses it if any of its addresses is not public."""

    def __init__(self, problem: Callable[[str], str]) -> None:
        self._resolver = ThreadedResolver()
        self._problem = problem

    async def resolve(self, host: str, port: int = 0, family: Any = 0) -> list[ResolveResult]:
        results = await self._resolver.resolve(host, port, family)
        for result in results:
            if problem := self._problem(result["host"]):
                raise _forbidden(host, result["host"], problem)
        return results

    async def close(self) -> None:
        await self._resolver.close()


def _joined(url: str, place: str) -> str:
    try:
        return urljoin(url, place)
    except ValueError as error:
        raise InvalidRequest(
            f"{masked(url)} redirects to what is not a URL ({error}): use another URL"
        ) from error


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 - raises for an invalid port
    except ValueError as error:
        raise InvalidRequest(f"{masked(url)} is not a URL ({error}): correct it") from error
    if not parts.hostname:
        raise InvalidRequest(f"{masked(url)} has no host: correct the URL")
    return parts


def _forbidden(host: str, address: str, problem: str) -> InvalidRequest:
    return InvalidRequest(
        f"host {quoted(host)} has the address {quoted(address)}, which {problem}: images are fetched from"
        " public addresses only; send the image's bytes in data"
    )


def _too_large(url: str, limit: int) -> str:
    return f"{masked(url)} has more than {limit} bytes: use a smaller picture"
