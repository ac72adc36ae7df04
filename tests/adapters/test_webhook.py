"""The webhook: a real server that fails, redirects, hangs and recovers; callers never wait."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

import pytest
from aiohttp import web

from judgestream.adapters.webhook import QUEUE, TRIES, Delivery, Webhook

Answer = Callable[[web.Request], Awaitable[web.Response]]


async def outcomes(answers: list[int | float], bodies: int = 1) -> tuple[list[str], list[bytes]]:
    """Outcomes of the bodies at a server with these statuses in turn (a float: it hangs for these seconds),
    and what the server received."""
    received: list[bytes] = []
    given = iter(answers)

    async def answer(request: web.Request) -> web.Response:
        received.append(await request.read())
        next_ = next(given, 200)
        if isinstance(next_, float):
            await asyncio.sleep(next_)
            next_ = 200
        return web.Response(status=next_, headers={"Location": "/elsewhere"})

    app = web.Application()
    app.router.add_post("/hook/s3cret", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    _, port = runner.addresses[0][:2]
    told: list[str] = []
    url = f"http://127.0.0.1:{port}/hook/s3cret?token=hidden"
    async with Webhook(
        url, on_outcome=told.append, pauses=lambda _: 0.001, deadline_s=0.3
    ) as webhook:
        sending = asyncio.create_task(webhook.run())
        for number in range(bodies):
            webhook.send(Delivery(body=f"{number}".encode(), what=f"alarm {number}"))
        async with asyncio.timeout(10):
            while len(told) < bodies:
                await asyncio.sleep(0.005)
        sending.cancel()
    await runner.cleanup()
    return told, received


@pytest.mark.parametrize(
    ("answers", "told", "tries"),
    [
        ([200], "sent", 1),
        ([503, 500, 204], "sent", 3),
        ([429, 200], "sent", 2),
        ([0.6, 200], "sent", 2),
        ([404, 200], "failed", 1),
        ([302, 302, 302, 302, 302, 302, 200], "failed", TRIES),
        ([500] * 20, "failed", TRIES),
    ],
    ids=["taken", "recovers", "too many", "hangs", "refused", "redirects", "broken"],
)
async def test_a_body_is_sent_again_while_that_may_help(
    answers: list[int | float], told: str, tries: int, caplog: pytest.LogCaptureFixture
) -> None:
    found, received = await outcomes(answers)
    assert (found, len(received)) == ([told], tries)
    text = caplog.text
    assert "s3cret" not in text and "hidden" not in text
    assert ("127.0.0.1" in text) == (told == "failed")


async def test_bodies_arrive_in_order_and_too_many_are_dropped(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.ERROR)
    found, received = await outcomes([], bodies=QUEUE + 3)
    assert sorted(found) == ["dropped"] * 3 + ["sent"] * QUEUE
    assert received == [f"{number}".encode() for number in range(QUEUE)]
    assert "alarm 102 was dropped" in caplog.text


async def test_a_server_that_is_not_there_costs_its_tries() -> None:
    told: list[str] = []
    async with Webhook(
        "http://127.0.0.1:1/x", on_outcome=told.append, pauses=lambda _: 0.001
    ) as webhook:
        sending = asyncio.create_task(webhook.run())
        webhook.send(Delivery(body=b"", what="alarm"))
        async with asyncio.timeout(10):
            while not told:
                await asyncio.sleep(0.005)
        sending.cancel()
    assert told == ["failed"]
