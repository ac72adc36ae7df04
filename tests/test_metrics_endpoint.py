"""The pages of the HTTP server, over real connections."""

import asyncio
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from http.client import HTTPConnection
from threading import Thread
from typing import Any

import pytest

from judgestream.apps.worker.heartbeat import LOOP_S, Heartbeat
from judgestream.core.errors import ConfigurationError
from judgestream.local.ports import free_port
from judgestream.metrics_endpoint import MOST_CLIENTS, serve
from judgestream.process_health import Check, Health


class Site:
    def __init__(self) -> None:
        self.health = Health()
        self.port = free_port()

    def ask(self, path: str, method: str = "GET") -> tuple[int, bytes]:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request(method, path)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def page(self, path: str) -> tuple[int, Any]:
        status, body = self.ask(path)
        return status, json.loads(body)


@pytest.fixture
def site() -> Iterator[Site]:
    made = Site()
    server = serve("127.0.0.1", made.port, settings="PORT", health=made.health)
    assert server is not None
    yield made
    server.shutdown()
    server.server_close()


def test_the_pages_say_what_the_checks_say(site: Site) -> None:
    assert site.page("/livez") == (200, {"ok": True, "checks": []})
    assert site.page("/readyz")[0] == 503
    site.health.ready_while(lambda: Check(name="judge", ok=True, detail="answers"))
    site.health.started()
    assert site.page("/readyz") == (
        200,
        {
            "ok": True,
            "checks": [
                {"name": "state", "ok": True, "detail": "started"},
                {"name": "judge", "ok": True, "detail": "answers"},
            ],
        },
    )
    site.health.drain()
    assert site.page("/readyz")[0] == 503
    assert site.page("/livez")[0] == 200


def test_metrics_are_served_beside_them(site: Site) -> None:
    status, body = site.ask("/metrics")
    assert status == 200
    assert b"judgestream_build_info" in body


def test_other_paths_and_methods_are_refused(site: Site) -> None:
    status, body = site.ask("/healthz")
    assert status == 404
    assert b"/metrics, /livez, /readyz" in body
    assert site.ask("/livez", "POST")[0] == 405
    assert site.ask("/livez", "HEAD") == (200, b"")


def test_a_blocked_event_loop_is_reported(site: Site) -> None:
    """The loop is real; only the clock is ahead, so that nobody waits."""
    ahead = 0.0
    heartbeat = Heartbeat(clock=lambda: time.monotonic() + ahead)
    site.health.live_while(heartbeat.check)

    async def body() -> int:
        nonlocal ahead
        heartbeat.start()
        answers: list[int] = []
        asked = Thread(target=lambda: answers.append(site.ask("/livez")[0]))
        ahead = LOOP_S + 1
        asked.start()
        asked.join()  # blocks the loop
        return answers[0]

    assert asyncio.run(body()) == 503


def test_a_client_that_says_nothing_delays_no_other(site: Site) -> None:
    with socket.create_connection(("127.0.0.1", site.port)):
        assert site.ask("/livez")[0] == 200


def test_a_taken_port_is_named(site: Site) -> None:
    with pytest.raises(ConfigurationError, match=f"127.0.0.1:{site.port} .*set another PORT"):
        serve("127.0.0.1", site.port, settings="PORT")


def test_no_port_serves_nothing() -> None:
    assert serve("127.0.0.1", 0, settings="PORT") is None


def test_clients_that_hang_on_hold_up_no_probe_and_few_threads(site: Site) -> None:
    """Each sends a byte from time to time, so none of them is silent."""
    before = threading.active_count()
    with ExitStack() as held:
        clients = [
            held.enter_context(socket.create_connection(("127.0.0.1", site.port), 5))
            for _ in range(2 * MOST_CLIENTS)
        ]
        for client in clients:
            with suppress(OSError):
                client.sendall(b"GET /livez HTTP/1.1\r\nX: ")
        assert site.page("/livez")[0] == 200
        deadline = time.monotonic() + 10
        while threading.active_count() - before > MOST_CLIENTS:
            assert time.monotonic() < deadline, (
                "waited too long for the first clients to be dropped"
            )
            time.sleep(0.01)
        assert clients[0].recv(1) == b""
