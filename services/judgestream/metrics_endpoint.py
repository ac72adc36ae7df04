"""The HTTP server of a process: /metrics for Prometheus, /livez and /readyz for its supervisor.

It runs in separate threads, so that it also answers while the event loop is blocked.
"""

import json
import logging
import socket
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from socketserver import ThreadingMixIn
from typing import Any, cast
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import Gauge, make_wsgi_app

from judgestream.core.errors import ConfigurationError
from judgestream.process_health import Health, Report

log = logging.getLogger(__name__)

CLIENT_S = 10.0
"""A client that is silent for longer is dropped: it would hold a thread."""
MOST_CLIENTS = 64
"""Each has a thread and a file descriptor, which the work of the process needs, too. A new client takes the
place of the one that is connected longest: a probe is answered however many others hang on."""

Start = Callable[..., Any]
Page = Callable[[dict[str, Any], Start], Iterable[bytes]]


class Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._clients: dict[socket.socket, None] = {}
        self._changing = threading.Lock()
        super().__init__(*args, **kwargs)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._changing:
            while len(self._clients) >= MOST_CLIENTS:
                oldest = next(iter(self._clients))
                del self._clients[oldest]
                with suppress(OSError):
                    oldest.shutdown(socket.SHUT_RDWR)  # its thread closes it
            self._clients[request] = None
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._changing:
            self._clients.pop(request, None)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that hang up are ordinary."""
        log.debug("a client of the metrics server failed", exc_info=True)


class IPv6Server(Server):
    address_family = socket.AF_INET6


class Handler(WSGIRequestHandler):
    timeout = CLIENT_S

    def log_message(self, format: str, *args: Any) -> None:
        """Probes come every few seconds."""


def _installed() -> str:
    try:
        return version("judgestream")
    except PackageNotFoundError:  # the sources, not installed
        return "unknown"


build_info = Gauge(
    "judgestream_build_info", "1, with the version of judgestream that runs", ["version"]
)
build_info.labels(_installed()).set(1)


def serve(host: str, port: int, *, settings: str, health: Health | None = None) -> Server | None:
    """Serve until the process ends, or the server is shut down. Port 0 serves nothing.

    Args:
        settings: where port and host are set, for the error.
        health: the checks behind /livez and /readyz; None serves /metrics only.

    Raises:
        ConfigurationError: the port is taken, or the host is not an address of this machine.
    """
    if not port:
        return None
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        kind = IPv6Server if family == socket.AF_INET6 else Server
        server = make_server(host, port, application(health), kind, Handler)
    except OSError as exc:
        raise ConfigurationError(
            f"metrics cannot be served on {host}:{port} ({exc.strerror or exc}): stop its listener, or"
            f" set another {settings}"
        ) from exc
    threading.Thread(target=server.serve_forever, name="http", daemon=True).start()
    return server


def application(health: Health | None) -> Page:
    """The pages by path. `/livez` and `/readyz` answer 200 or 503, with every check as JSON."""
    pages: dict[str, Page] = {"/metrics": cast(Page, make_wsgi_app())}
    if health is not None:
        pages["/livez"] = lambda environ, start: _answer(environ, start, health.live())
        pages["/readyz"] = lambda environ, start: _answer(environ, start, health.ready())

    def respond(environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        page = pages.get(environ.get("PATH_INFO", ""))
        if page is not None:
            return page(environ, start)
        start("404 Not Found", [("Content-Type", "text/plain; charset=utf-8")])
        return [f"no such page: use {', '.join(pages)}\n".encode()]

    return respond


def _answer(environ: dict[str, Any], start: Start, report: Report) -> Iterable[bytes]:
    if environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
        start("405 Method Not Allowed", [("Allow", "GET, HEAD")])
        return [b""]
    body = {
        "ok": report.ok,
        "checks": [
            {"name": check.name, "ok": check.ok, "detail": check.detail} for check in report.checks
        ],
    }
    start(
        "200 OK" if report.ok else "503 Service Unavailable",
        [("Content-Type", "application/json"), ("Cache-Control", "no-store")],
    )
    return [b"" if environ["REQUEST_METHOD"] == "HEAD" else json.dumps(body).encode() + b"\n"]
