"""Errors between a Redis client and its server, each with how to fix it. None quotes a URL or a password."""

import ssl
from dataclasses import dataclass

from redis.exceptions import (
    AskError,
    AuthenticationError,
    BusyLoadingError,
    ClusterCrossSlotError,
    ClusterDownError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
)

from judgestream.adapters.tls.reasons import NOT_TLS
from judgestream.core.errors import StoreUnavailable

CLUSTER = (
    "redis.url names a server in cluster mode, whose scripts cannot use keys of several slots (CROSSSLOT):"
    " use a single Redis or Valkey, with replicas if needed"
)
ENDED = (ConnectionResetError, BrokenPipeError)
RIGHTS = "give it the rights that `judgestream redis users` lists"


@dataclass(frozen=True, kw_only=True, slots=True)
class Failure:
    """Why a call failed. `lasting`: it fails again until somebody acts."""

    text: str
    lasting: bool = False


ANSWERS: tuple[tuple[type[RedisError], str, bool], ...] = (
    (NoPermissionError, f"the Redis user lacks a right ({{}}): {RIGHTS}", True),
    (AskError, CLUSTER, True),  # also MovedError
    (ClusterCrossSlotError, CLUSTER, True),
    (ClusterDownError, CLUSTER, True),
    (BusyLoadingError, "Redis is loading its data: wait until it has read its file", False),
    (OutOfMemoryError, "Redis is full: raise its maxmemory, or use a separate server", False),
    (ReadOnlyError, "redis.url names a replica: use the address of the primary", True),
)
"""Class of the error -> text, with the server's words in place of {}, and whether it is lasting."""

WORDS: tuple[tuple[tuple[str, ...], str, bool], ...] = (
    (
        ("ACL failure in script",),
        f"the Redis user lacks a right inside a script: {RIGHTS}",
        True,
    ),
    (("MOVED", "CROSSSLOT", "CLUSTERDOWN", "ASK "), CLUSTER, True),
    (
        ("MISCONF",),
        "Redis cannot write its file and accepts no changes: free its disk, see its log",
        False,
    ),
    (
        ("DENIED",),
        "Redis is in protected mode and accepts this machine only: give it a password",
        True,
    ),
    (("READONLY",), "redis.url names a replica: use the address of the primary", True),
)
"""First words of the server's answer -> text, and whether it is lasting."""

TLS: tuple[tuple[str, str], ...] = (
    (
        "CERTIFICATE_REQUIRED",
        "Redis requires a client certificate: set redis.certificate_file and redis.key_file",
    ),
    (
        "ALERT",
        "Redis refuses the client certificate ({}): check redis.certificate_file and redis.key_file",
    ),
    *(
        (reason, "the server of redis.url does not use TLS: use redis:// for it, or its TLS port")
        for reason in NOT_TLS
    ),
)
"""Reason of OpenSSL -> text, with the reason in place of {}. All are lasting."""


def failure(exc: BaseException) -> Failure:
    """What went wrong, and how to fix it."""
    for cause in _chain(exc):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return Failure(
                text=f"Redis's certificate is not trusted ({cause.verify_message}): name its authority in"
                " redis.ca_file, use the host that the certificate names, and renew an expired one",
                lasting=True,
            )
        if isinstance(cause, ssl.SSLError):
            return _tls(cause)
        if isinstance(cause, TimeoutError) and "handshake" in str(cause):
            return Failure(
                text="Redis does not answer over TLS: use redis:// in redis.url if it does not use TLS,"
                " or its TLS port"
            )
    if isinstance(exc, AuthenticationError):
        return _login(str(exc))
    if isinstance(exc, RedisError):
        for kind, text, lasting in ANSWERS:
            if isinstance(exc, kind):
                return Failure(text=text.format(exc), lasting=lasting)
    words = str(exc)
    for starts, text, lasting in WORDS:
        if words.startswith(starts):
            return Failure(text=text, lasting=lasting)
    if "closed by server" in words or any(isinstance(one, ENDED) for one in _chain(exc)):
        return Failure(
            text="Redis does not answer: it closed the connection. If it uses TLS, write rediss:// in"
            " redis.url; else see its log"
        )
    if isinstance(exc, ResponseError):
        return Failure(text=f"Redis: {exc}")
    return Failure(
        text=f"Redis does not answer ({words or type(exc).__name__}): start it, or set JUDGESTREAM_REDIS__URL"
    )


def unavailable(exc: BaseException) -> StoreUnavailable:
    return StoreUnavailable(failure(exc).text)


def _login(words: str) -> Failure:
    if "required" in words.lower():
        text = "Redis requires a login: set redis.password, and redis.username"
    else:
        text = "Redis refuses the login: check redis.username and redis.password, or the login in redis.url"
    return Failure(text=text, lasting=True)


def _tls(error: ssl.SSLError) -> Failure:
    if isinstance(error, ssl.SSLEOFError):
        return Failure(
            text="Redis ended the TLS connection: if it requires a client certificate, set"
            " redis.certificate_file and redis.key_file to one that it accepts; else see its log"
        )
    reason = error.reason or str(error)
    for word, text in TLS:
        if word in reason.upper():
            return Failure(text=text.format(reason), lasting=True)
    return Failure(
        text=f"no TLS connection to Redis ({reason}): check redis.ca_file and its server"
    )


def _chain(exc: BaseException | None) -> list[BaseException]:
    """The exception and its causes, outermost first."""
    found: list[BaseException] = []
    while exc is not None and exc not in found:
        found.append(exc)
        exc = exc.__cause__ or exc.__context__
    return found
