"""A first connection says why a broker is not acceptable, before the client retries in vain."""

import re
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from socket import create_server
from time import monotonic

import pytest
from kafka.errors import (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    KafkaError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
)

from judgestream.adapters.kafka.greeting import greet, reason
from judgestream.adapters.kafka.refusals import identity, of_right
from judgestream.core.errors import AccessDenied
from judgestream.local.ports import free_port
from judgestream.settings import Kafka
from tests.integration.secured.certificates import Authority, Certificate


@contextmanager
def listener(certificate: Certificate | None) -> Iterator[int]:
    """The port of a server that greets by TLS, or closes every connection at once."""
    server = create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                accepted, _ = server.accept()
            except OSError:
                return
            with accepted:
                if certificate is None:
                    continue
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                context.load_cert_chain(certificate.certificate, certificate.key)
                try:
                    context.wrap_socket(accepted, server_side=True).close()
                except OSError:
                    continue  # the client's own error is the test's

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield server.getsockname()[1]
    finally:
        server.shutdown(2)
        server.close()
        thread.join(timeout=5)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ("expired", "has expired: renew it on the broker"),
        ("host", "is for another name: use a name that it contains"),
        ("authority", "is not trusted by .*: set kafka.ca_file"),
    ],
)
def test_a_bad_certificate_of_the_broker_is_named(tmp_path: Path, bad: str, message: str) -> None:
    authority = Authority(tmp_path)
    issuer = Authority(tmp_path, name="other") if bad == "authority" else authority
    hosts = ("elsewhere.test",) if bad == "host" else ("127.0.0.1",)
    certificate = issuer.server("bad", hosts=hosts, expired=bad == "expired")
    with listener(certificate) as port:
        settings = Kafka(bootstrap=f"127.0.0.1:{port}", security="SSL", ca_file=authority.file)
        with pytest.raises(AccessDenied, match=message) as refused:
            greet(settings)
    assert f"127.0.0.1:{port}" in str(refused.value)


@pytest.mark.parametrize("security", ["SSL", "PLAINTEXT"])
def test_a_closed_connection_is_a_hint_and_no_refusal(security: str) -> None:
    """A broker that stops closes connections, too."""
    with listener(None) as port:
        settings = Kafka.model_validate({"bootstrap": f"127.0.0.1:{port}", "security": security})
        greet(settings)
        assert re.search("closes the connection.* kafka.security", reason(settings))


def test_a_broker_that_is_away_is_left_to_the_client() -> None:
    settings = Kafka(
        bootstrap=f"127.0.0.1:{free_port()}, 127.0.0.1:{free_port()}",
        security="SASL_SSL",
        username="judging",
        password="hunter2",
        connect_timeout_s=2.0,
    )
    began = monotonic()
    greet(settings)
    assert reason(settings) == ""
    assert monotonic() - began < 2.0


USER = Kafka(security="SASL_SSL", username="judging", password="hunter2")


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (TopicAuthorizationFailedError(), "user judging may not use topic t in this way: grant"),
        (GroupAuthorizationFailedError(), "user judging may not use consumer group g: grant Read"),
        (ClusterAuthorizationFailedError(), "use a super user of the broker"),
        (KafkaError("InitProducerIdResponse: ClusterAuthorizationFailedError"), "use topic t in"),
        (UnknownTopicOrPartitionError(), ""),
    ],
)
def test_a_missing_right_is_named(error: KafkaError, message: str) -> None:
    told = of_right(error, USER, topic="t", group="g")
    assert message in told and bool(told) is bool(message)
    assert "hunter2" not in told


def test_we_are_named_by_our_login_and_never_by_a_secret() -> None:
    assert identity(USER) == "user judging"
    assert identity(Kafka()) == "a user without a login"
    token = Kafka(security="SASL_SSL", sasl_mechanism="OAUTHBEARER", token_file=Path("t"))
    assert identity(token) == "the user of kafka.token_file"
