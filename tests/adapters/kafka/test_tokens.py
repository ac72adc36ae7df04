"""Tokens are read again or fetched again in time, and refusals name the setting without the secret."""

import base64
import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from judgestream.adapters.kafka.tokens import EndpointToken, token_source
from judgestream.core.errors import BrokerUnavailable, ConfigurationError
from judgestream.settings import Kafka
from tests.integration.secured.certificates import Authority

SECRET = "se:cret ü"


@dataclass
class Endpoint:
    """Answers with `status` and `body`, and keeps what it was asked."""

    url: str
    status: int = 200
    body: Any = None
    location: str = ""
    asked: list[tuple[str, dict[str, list[str]]]] = field(default_factory=list)


@contextmanager
def endpoint(authority: Authority) -> Iterator[Endpoint]:
    certificate = authority.server("issuer")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            sent = self.rfile.read(int(self.headers["Content-Length"])).decode()
            told.asked.append((self.headers["Authorization"], parse_qs(sent)))
            content = told.body if isinstance(told.body, bytes) else json.dumps(told.body).encode()
            self.send_response(told.status)
            if told.location:
                self.send_header("Location", told.location)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.certificate, certificate.key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    told = Endpoint(url=f"https://127.0.0.1:{server.server_port}/token")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield told
    finally:
        server.shutdown()
        server.server_close()
        thread.join(timeout=5)


def settings(at: Endpoint, authority: Authority | None, **more: Any) -> Kafka:
    return Kafka(
        security="SASL_SSL",
        sasl_mechanism="OAUTHBEARER",
        token_endpoint=at.url,
        client_id="judging",
        client_secret=SECRET,
        ca_file=None if authority is None else authority.file,
        connect_timeout_s=2.0,
        **more,
    )


def test_the_file_is_read_again_for_every_login(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("first.token.x\n")
    token = token_source(Kafka(security="SASL_SSL", sasl_mechanism="OAUTHBEARER", token_file=file))
    assert token() == "first.token.x"
    file.write_text("second.token.x")
    assert token() == "second.token.x"


@pytest.mark.parametrize("content", [b"", b" \n", b"a b", b"a\x01b", b"\xff\xfe", b"x" * 70_000])
def test_a_file_without_a_token_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "token"
    file.write_bytes(content)
    token = token_source(Kafka(security="SASL_SSL", sasl_mechanism="OAUTHBEARER", token_file=file))
    with pytest.raises(ConfigurationError, match=r"kafka\.token_file .* contains no token"):
        token()


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    file = tmp_path / "none"
    token = token_source(Kafka(security="SASL_SSL", sasl_mechanism="OAUTHBEARER", token_file=file))
    with pytest.raises(ConfigurationError, match=f"kafka.token_file {file} cannot be read"):
        token()


def test_the_endpoint_is_asked_again_shortly_before_the_token_expires(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    now = [0.0]
    with endpoint(authority) as at:
        token = EndpointToken(settings(at, authority, scope="kafka"), clock=lambda: now[0])
        at.body = {"access_token": "one", "expires_in": 300}
        assert token() == "one"
        at.body = {"access_token": "two", "expires_in": "10"}
        now[0] = 269.9
        assert token() == "one"
        now[0] = 270.0
        assert token() == "two"
        # 10 s, of which a fifth is kept back
        at.body = {"access_token": "three"}
        now[0] = 277.9
        assert token() == "two"
        now[0] = 278.0
        assert token() == "three"
    authorization, fields = at.asked[0]
    assert fields == {"grant_type": ["client_credentials"], "scope": ["kafka"]}
    kind, _, pair = authorization.partition(" ")
    assert kind == "Basic"
    assert base64.b64decode(pair) == b"judging:se%3Acret+%C3%BC"


def test_a_valid_token_outlives_an_endpoint_that_is_down(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    now = [0.0]
    with endpoint(authority) as at:
        at.body = {"access_token": "one", "expires_in": 100}
        token = EndpointToken(settings(at, authority), clock=lambda: now[0])
        assert token() == "one"
        at.status = 503
        now[0] = 99.0
        assert token() == "one"
        now[0] = 100.0
        with pytest.raises(BrokerUnavailable, match="status 503"):
            token()


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (401, {"error": "invalid_client"}, "kafka.client_id and kafka.client_secret"),
        (400, {"error": "unauthorized_client"}, "kafka.client_id and kafka.client_secret"),
        (400, {"error": "invalid_scope"}, "correct kafka.scope"),
        (400, {"error": f"you sent {SECRET}"}, r"issues no token \(status 400\)"),
        (403, b"<html>", "kafka.client_id and kafka.client_secret"),
        (404, b"", "check the address"),
        (302, b"", r"issues no token \(status 302\)"),
        (200, b"<html>", "answers without an access_token"),
        (200, [], "answers without an access_token"),
        (200, {"access_token": 5}, "answers without an access_token"),
        (200, {"access_token": "a\x01auth=b"}, "answers without an access_token"),
    ],
)
def test_a_refusal_names_the_setting_and_not_the_secret(
    tmp_path: Path, status: int, body: Any, message: str
) -> None:
    authority = Authority(tmp_path)
    with endpoint(authority) as at:
        at.status, at.body = status, body
        at.location = f"{at.url}/elsewhere" if status == 302 else ""
        with pytest.raises(ConfigurationError, match=message) as refused:
            token_source(settings(at, authority))()
    assert len(at.asked) == 1
    assert SECRET not in str(refused.value)


def test_an_endpoint_that_is_not_trusted_gets_no_secret(tmp_path: Path) -> None:
    with endpoint(Authority(tmp_path)) as at:
        with pytest.raises(ConfigurationError, match="not trusted .*: add its authority"):
            token_source(settings(at, None))()
    assert at.asked == []


def test_an_endpoint_that_is_away_may_come_back(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    with endpoint(authority) as at:
        token = token_source(settings(at, authority))
    with pytest.raises(BrokerUnavailable, match="does not answer"):
        token()
