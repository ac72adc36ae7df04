"""Each failure of Redis has one message that names what to change."""

import ssl

import pytest
from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    ClusterDownError,
    ConnectionError,
    MovedError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    ResponseError,
)

from judgestream.adapters.redis.failures import failure


def caused(exc: Exception, cause: BaseException) -> Exception:
    exc.__cause__ = cause
    return exc


def tls(reason: str) -> Exception:
    error = ssl.SSLError(1, reason)
    error.reason = reason
    return caused(ConnectionError("lost"), error)


@pytest.mark.parametrize(
    ("exc", "told", "lasting"),
    [
        (AuthenticationError("Authentication required."), "set redis.password", True),
        (AuthenticationError("invalid username-password pair"), "check redis.username", True),
        (NoPermissionError("no rights for 'get'"), "'get'): give it the rights", True),
        (BusyLoadingError("x"), "wait until it has read its file", False),
        (OutOfMemoryError("x"), "raise its maxmemory", False),
        (ReadOnlyError("x"), "address of the primary", True),
        (MovedError("1 h:2"), "cluster mode", True),
        (ClusterDownError("Hash slot not served"), "cluster mode", True),
        (ResponseError("CROSSSLOT Keys in request"), "cluster mode", True),
        (ResponseError("ACL failure in script: x"), "judgestream redis users", True),
        (ResponseError("MISCONF x"), "free its disk", False),
        (ResponseError("DENIED x"), "protected mode", True),
        (ResponseError("WRONGTYPE x"), "Redis: WRONGTYPE x", False),
        (ConnectionError("Error 111. Connection refused."), "JUDGESTREAM_REDIS__URL", False),
        (ConnectionError("Connection closed by server."), "rediss://", False),
        (caused(ConnectionError("x"), ConnectionResetError(104, "reset")), "rediss://", False),
        (tls("TLSV13_ALERT_CERTIFICATE_REQUIRED"), "requires a client certificate", True),
        (tls("TLSV1_ALERT_UNKNOWN_CA"), "refuses the client certificate", True),
        (tls("WRONG_VERSION_NUMBER"), "does not use TLS", True),
        (tls("UNHEARD_OF"), "UNHEARD_OF", False),
        (caused(ConnectionError("x"), ssl.SSLEOFError(8, "EOF")), "redis.certificate_file", False),
        (caused(ConnectionError("x"), TimeoutError("handshake timed out")), "redis://", False),
    ],
)
def test_a_failure_says_what_to_change(exc: Exception, told: str, lasting: bool) -> None:
    found = failure(exc)
    assert told in found.text
    assert found.lasting is lasting
