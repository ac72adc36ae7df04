"""Fetching of images, from a real server on this machine: what is refused, and what is returned.

The loopback address is not public, so the tests that fetch replace the check.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from aiohttp import web

from judgestream.adapters.images import fetching
from judgestream.adapters.images.fetching import ImageFetcher
from judgestream.adapters.images.resolving import resolved
from judgestream.core.errors import ImageUnavailable, InvalidRequest
from judgestream.core.types import Image, Request
from judgestream.settings import Images
from tests.core.build import request
from tests.images.files import claimed_png, image_file

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
PNG = image_file("PNG")
FETCHES = Images(fetch=True)


def anywhere(address: str) -> str:
    return ""


@asynccontextmanager
async def served(handler: Handler) -> AsyncIterator[str]:
    """The URL of a server that answers every request with this handler."""
    runner = web.AppRunner(_app(handler))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        port = runner.addresses[0][1]
        yield f"http://127.0.0.1:{port}"
    finally:
        await runner.cleanup()


def _app(handler: Handler) -> web.Application:
    app = web.Application()
    app.router.add_get("/{path:.*}", handler)
    return app


def fetched(
    handler: Handler,
    path: str = "/cat.png",
    *,
    settings: Images = FETCHES,
    problem: Callable[[str], str] = anywhere,
) -> bytes:
    async def run() -> bytes:
        async with served(handler) as base, ImageFetcher(settings, problem) as fetcher:
            return await fetcher.fetch(base + path)

    return asyncio.run(run())


async def image(asked: web.Request) -> web.Response:
    return web.Response(body=PNG, content_type="image/png")


def test_an_image_is_fetched() -> None:
    assert fetched(image) == PNG


def test_nothing_is_fetched_by_default() -> None:
    with pytest.raises(InvalidRequest, match="JUDGESTREAM_IMAGES__FETCH=true"):
        fetched(image, settings=Images())


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "169.254.169.254"])
def test_a_literal_private_address_is_refused(host: str) -> None:
    with pytest.raises(InvalidRequest, match="images are fetched from public addresses only"):
        asyncio.run(ImageFetcher(FETCHES).fetch(f"http://{host}:9/cat.png"))


@pytest.mark.parametrize(
    ("host", "message"),
    [
        ("localhost", "which is not public"),
        ("0x7f000001", "which is not public"),
        ("127.1", "write an address as four numbers"),
        ("2130706433", "write an address as four numbers"),
    ],
)
def test_a_name_of_a_private_address_is_refused(host: str, message: str) -> None:
    """No connection is made: the resolver refuses the name."""

    async def run() -> None:
        async with ImageFetcher(FETCHES) as fetcher:
            await fetcher.fetch(f"http://{host}:9/cat.png")

    with pytest.raises(InvalidRequest, match=message):
        asyncio.run(run())


def test_a_redirect_to_a_private_address_is_refused() -> None:
    """The server stands for a public one; it sends the worker to the metadata service."""

    async def redirect(asked: web.Request) -> web.Response:
        raise web.HTTPFound("http://169.254.169.254/latest/meta-data/")

    def only_the_server(address: str) -> str:
        return "" if address == "127.0.0.1" else "is not public"

    with pytest.raises(InvalidRequest, match="'169.254.169.254', which is not public"):
        fetched(redirect, problem=only_the_server)


@pytest.mark.parametrize("target", ["file:///etc/passwd", "gopher://a.example/", "//[::1"])
def test_a_redirect_to_another_scheme_is_refused(target: str) -> None:
    async def redirect(asked: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": target})

    with pytest.raises(InvalidRequest):
        fetched(redirect)


def test_a_redirect_is_followed() -> None:
    async def once(asked: web.Request) -> web.Response:
        if asked.path == "/cat.png":
            return web.Response(status=302, headers={"Location": "/dog.png"})
        return web.Response(body=PNG)

    assert fetched(once) == PNG


def test_endless_redirects_are_refused() -> None:
    async def again(asked: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": asked.path + "x"})

    with pytest.raises(InvalidRequest, match="redirects more than 3 times"):
        fetched(again)


def test_a_missing_image_is_refused() -> None:
    async def missing(asked: web.Request) -> web.Response:
        raise web.HTTPNotFound

    with pytest.raises(InvalidRequest, match="gives HTTP status 404"):
        fetched(missing, "/cat.png?token=hunter2")


def test_secrets_of_a_url_are_masked() -> None:
    async def missing(asked: web.Request) -> web.Response:
        raise web.HTTPNotFound

    with pytest.raises(InvalidRequest) as caught:
        fetched(missing, "/cat.png?token=hunter2")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("stated", [True, False])
def test_a_large_file_is_refused(stated: bool) -> None:
    async def large(asked: web.Request) -> web.StreamResponse:
        if stated:
            return web.Response(body=bytes(2000))
        response = web.StreamResponse()
        await response.prepare(asked)
        for _ in range(20):
            await response.write(bytes(100))
        return response

    with pytest.raises(InvalidRequest, match="has more than 1000 bytes"):
        fetched(large, settings=Images(fetch=True, max_bytes=1000))


def test_a_compressed_response_is_not_inflated() -> None:
    async def compressed(asked: web.Request) -> web.Response:
        response = web.Response(body=bytes(10_000_000))
        response.enable_compression(web.ContentCoding.gzip)
        return response

    assert len(fetched(compressed, settings=Images(fetch=True, max_bytes=100_000))) < 100_000


def test_a_server_that_fails_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "FIRST_PAUSE_S", 0.0)
    asked_for: list[str] = []

    async def failing(asked: web.Request) -> web.Response:
        asked_for.append(asked.path)
        if len(asked_for) < 3:
            raise web.HTTPServiceUnavailable
        return web.Response(body=PNG)

    assert fetched(failing) == PNG
    assert len(asked_for) == 3


def test_a_server_that_keeps_failing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "FIRST_PAUSE_S", 0.0)

    async def failing(asked: web.Request) -> web.Response:
        raise web.HTTPServiceUnavailable

    with pytest.raises(ImageUnavailable, match="after 3 tries: replay the request"):
        fetched(failing)


def test_a_slow_server_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "FIRST_PAUSE_S", 0.0)

    async def slow(asked: web.Request) -> web.Response:
        await asyncio.sleep(0.5)  # stopping the server waits for it
        return web.Response(body=PNG)

    with pytest.raises(ImageUnavailable, match="TimeoutError"):
        fetched(slow, settings=Images(fetch=True, deadline_s=0.05))


def test_a_host_must_be_on_the_allow_list() -> None:
    with pytest.raises(InvalidRequest, match="'127.0.0.1' is not in images.allowed_hosts"):
        fetched(image, settings=Images(fetch=True, allowed_hosts="a.example, *.b.example"))
    assert fetched(image, settings=Images(fetch=True, allowed_hosts="127.0.0.1")) == PNG


@pytest.mark.parametrize(
    "url",
    ["http://user:secret@a.example/", "http:///cat.png", "http://a.example:99999/", "http://[::1/"],
)
def test_a_url_that_cannot_be_fetched_is_refused(url: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        asyncio.run(ImageFetcher(FETCHES).fetch(url))
    assert "secret" not in str(caught.value)


class Files:
    """Files by URL."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self._files = files

    async def fetch(self, url: str) -> bytes:
        if url not in self._files:
            raise ImageUnavailable(f"{url} cannot be fetched: replay the request")
        return self._files[url]


def with_images(*images: Image) -> Request:
    plain = request()
    first, second = plain.candidates
    return replace(plain, candidates=(replace(first, images=images), second))


def test_every_image_gets_its_bytes() -> None:
    asked = with_images(Image(url="u"), Image(data=PNG))
    found = asyncio.run(resolved(asked, Files({"u": PNG})))
    assert found == with_images(Image(url="u", data=PNG), Image(data=PNG))
    assert asyncio.run(resolved(request(), Files({}))) == request()


def test_all_images_together_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = with_images(Image(data=PNG), Image(data=PNG))
    monkeypatch.setattr("judgestream.core.limits.IMAGES_TOGETHER", 2 * len(PNG))
    asyncio.run(resolved(asked, Files({})))
    monkeypatch.setattr("judgestream.core.limits.IMAGES_TOGETHER", 2 * len(PNG) - 1)
    with pytest.raises(InvalidRequest, match="its images have .* bytes together"):
        asyncio.run(resolved(asked, Files({})))


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (Image(data=claimed_png(9000, 9000)), "candidates[1].images[2]: has 9000 x 9000 pixels"),
        (Image(url="html"), "candidates[1].images[2]: is not an image file"),
        (Image(url="gif", media_type="image/png"), "candidates[1].images[2]: is image/gif, not"),
        (Image(url="gone"), "candidates[1].images[2]: gone cannot be fetched"),
    ],
)
def test_an_error_names_the_field(image: Image, message: str) -> None:
    files = Files({"html": b"<html>", "gif": image_file("GIF")})
    with pytest.raises((InvalidRequest, ImageUnavailable)) as caught:
        asyncio.run(resolved(with_images(Image(data=PNG), image), files))
    assert str(caught.value).startswith(f"request 'r1': {message}")
