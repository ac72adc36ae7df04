"""One connection to a secured broker, as far as its login, to learn why it refuses us.

The client libraries retry every failure until their time is up, and then report only that no broker answers.
"""

import socket
import ssl
import struct
from time import monotonic
from typing import Any

from kafka.errors import KafkaError, UnsupportedSaslMechanismError, for_code
from kafka.net.sasl import get_sasl_mechanism
from kafka.protocol.metadata import ApiVersionsRequest, MetadataRequest
from kafka.protocol.parser import KafkaProtocol
from kafka.protocol.sasl import SaslAuthenticateRequest, SaslHandshakeRequest

from judgestream.adapters.kafka.connection import client_options
from judgestream.adapters.kafka.refusals import of_certificate, of_login
from judgestream.core.errors import AccessDenied, ConfigurationError
from judgestream.settings import Kafka

CALL_S = 5.0
"""Time limit of one step: a connection, a request."""

MAX_FRAME = 1 << 20
DEFAULT_PORT = 9092
STEPS = 10
"""More messages than any login has."""

SECURE = ("SSL", "SASL_SSL", "SASL_PLAINTEXT")


class Closed(Exception):
    """The broker closed the connection instead of answering. The text says what that means."""


def greet(settings: Kafka) -> None:
    """Connect and log in once to the first broker that answers. Does nothing for plain text without a login.

    A broker that does not answer is not an error here: the client waits for it.

    Raises:
        AccessDenied: the broker refuses us, or its certificate is not acceptable; the message says how to fix
            it.
    """
    if settings.security in SECURE:
        _first(settings, hints=False)


def reason(settings: Kafka) -> str:
    """What a new connection says about the failure of another one, for its message; "" for nothing."""
    try:
        return _first(settings, hints=True)
    except AccessDenied as exc:
        return str(exc)


def _first(settings: Kafka, *, hints: bool) -> str:
    """A hint of the first broker that answers, or ""."""
    deadline = monotonic() + settings.connect_timeout_s
    try:
        options = client_options(settings)
    except ConfigurationError as exc:
        raise AccessDenied(str(exc)) from exc
    for address in settings.addresses:
        left = min(CALL_S, deadline - monotonic())
        if left <= 0:
            break
        try:
            return _greet(settings, options, address, left)
        except Closed as exc:
            if hints:
                return str(exc)
        except (ssl.SSLEOFError, ssl.SSLZeroReturnError, ConnectionResetError):
            # also a broker that stops in this moment
            if hints:
                return (
                    f"{address} closes the connection during TLS: check the port and kafka.security"
                )
        except ssl.SSLError as exc:
            if problem := of_certificate(exc, settings, address):
                raise AccessDenied(problem) from exc
        except ConfigurationError as exc:  # of a token
            raise AccessDenied(str(exc)) from exc
        except KafkaError as exc:
            if problem := of_login(exc, settings, address):
                raise AccessDenied(problem) from exc
        except (OSError, ValueError, struct.error):
            continue
    return ""


def _greet(settings: Kafka, options: dict[str, Any], address: str, timeout_s: float) -> str:
    with _connected(options, address, timeout_s) as connection:
        wire = _Wire(connection, _closing(settings, address))
        wire.ask(ApiVersionsRequest(version=0))
        if settings.login:
            _log_in(wire, options, address)
        answer = wire.ask(MetadataRequest(version=4, topics=[], allow_auto_topic_creation=False))
    if settings.encrypted:
        _check_advertised(settings, options, answer.brokers, timeout_s)
    return ""


def _connected(options: dict[str, Any], address: str, timeout_s: float) -> socket.socket:
    host, port = _split(address)
    raw = socket.create_connection((host, port), timeout=timeout_s)
    context: ssl.SSLContext | None = options["ssl_context"]
    if context is None:
        return raw
    try:
        return context.wrap_socket(raw, server_hostname=host)
    except BaseException:
        raw.close()
        raise


def _split(address: str) -> tuple[str, int]:
    """Host without brackets, and port."""
    host, _, port = address.rpartition(":")
    return (host.strip("[]"), int(port)) if host else (address, DEFAULT_PORT)


def _check_advertised(
    settings: Kafka, options: dict[str, Any], brokers: list[Any], timeout_s: float
) -> None:
    """Clients continue at the addresses that the brokers advertise, whose certificates they check by name."""
    others = [f"{one.host}:{one.port}" for one in brokers]
    others = [address for address in others if address not in settings.addresses]
    if not others:
        return
    try:
        _connected(options, others[0], timeout_s).close()
    except ssl.SSLCertVerificationError as exc:
        raise AccessDenied(of_certificate(exc, settings, others[0])) from exc
    except OSError:
        return  # the client tries the other brokers


def _log_in(wire: "_Wire", options: dict[str, Any], address: str) -> None:
    """Raises KafkaError as the broker answers."""
    name = options["sasl_mechanism"]
    handshake = wire.ask(SaslHandshakeRequest(version=1, mechanism=name))
    error = for_code(handshake.error_code)
    if error is UnsupportedSaslMechanismError or (
        not handshake.error_code and name not in handshake.mechanisms
    ):
        raise UnsupportedSaslMechanismError(", ".join(sorted(handshake.mechanisms)))
    if handshake.error_code:
        raise error()
    mechanism = get_sasl_mechanism(name)(host=_split(address)[0], **options)
    for _ in range(STEPS):
        if mechanism.is_done():
            return
        answer = wire.ask(SaslAuthenticateRequest(version=1, auth_bytes=mechanism.auth_bytes()))
        if answer.error_code:
            # without the broker's text, which may repeat what we sent
            raise for_code(answer.error_code)()
        mechanism.receive(answer.auth_bytes)


def _closing(settings: Kafka, address: str) -> str:
    """What it means when the broker closes a connection without an answer."""
    if not settings.encrypted:
        return (
            f"{address} closes the connection at once: if its port expects TLS, set kafka.security to SSL or"
            " SASL_SSL"
        )
    if not settings.login:
        return f"{address} closes the connection: if it expects a login, set kafka.security to SASL_SSL"
    if settings.by_token:
        return f"{address} closes the connection at the login: renew the token if it has expired"
    return f"{address} closes the connection during the login"


class _Wire:
    """Requests and answers over a blocking connection."""

    def __init__(self, connection: socket.socket, closing: str) -> None:
        self._connection = connection
        self._closing = closing
        self._protocol = KafkaProtocol(
            client_id="judgestream-greeting", receive_message_max_bytes=MAX_FRAME
        )

    def ask(self, request: Any) -> Any:
        self._protocol.send_request(request)
        try:
            self._connection.sendall(self._protocol.send_bytes())
            while True:
                content = self._connection.recv(1 << 16)
                if not content:
                    raise Closed(self._closing)
                for _, answer in self._protocol.receive_bytes(content):
                    return answer
        except (ConnectionError, KafkaError) as exc:
            # also an answer that is not Kafka's, such as an alert of TLS
            raise Closed(self._closing) from exc
