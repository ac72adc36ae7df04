"""Tokens for OAUTHBEARER: from a file, or by OAuth 2.0 client credentials (RFC 6749, section 4.4)."""

import base64
import http.client
import json
import ssl
import time
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any, Protocol
from urllib.error import HTTPError, URLError
from urllib.parse import quote_plus, urlencode
from urllib.request import HTTPRedirectHandler, HTTPSHandler, Request, build_opener

from judgestream.adapters.tls.files import check_regular
from judgestream.core.errors import BrokerUnavailable, ConfigurationError
from judgestream.settings import Kafka

MAX_BYTES = 64 << 10
"""Of a token, and of an endpoint's answer."""

UNKNOWN_LIFE_S = 60.0
"""How long a token is used whose endpoint does not say how long it is valid."""

EARLY_S, EARLY_SHARE = 30.0, 0.2
"""A token is replaced this long before it expires; for a shorter one this share of its life."""


class Token(Protocol):
    """Returns the token for one login. May block.

    Raises:
        ConfigurationError: there is none; the message names the setting.
        BrokerUnavailable: the endpoint does not answer.
    """

    def __call__(self) -> str: ...


def token_source(settings: Kafka) -> Token:
    """For settings that log in by token. All clients of a process share an endpoint's token."""
    if settings.token_file is not None:
        return FileToken(settings.token_file)
    return _of_endpoint(settings)


class FileToken:
    """The file's content as it is now: the process that writes the file renews the token."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __call__(self) -> str:
        check_regular(self._path, "kafka.token_file")
        try:
            with self._path.open("rb") as file:
                content = file.read(MAX_BYTES + 1)
        except OSError as exc:
            raise ConfigurationError(
                f"kafka.token_file {self._path} cannot be read: {exc.strerror or exc}: the issuer of the"
                " token must write it there, readable for this user"
            ) from exc
        return _checked(
            content,
            f"kafka.token_file {self._path} contains no token: write one token and nothing else",
        )


class EndpointToken:
    """A token of the endpoint, kept until shortly before it expires."""

    def __init__(self, settings: Kafka, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._clock = clock
        self._lock = Lock()
        self._token = ""  # nosec B105 - none yet
        self._replace_at = self._expires_at = 0.0

    def __call__(self) -> str:
        with self._lock:
            now = self._clock()
            if now < self._replace_at:
                return self._token
            try:
                self._token, life_s = self._fetch()
            except BrokerUnavailable:
                if now < self._expires_at:
                    return self._token
                raise
            self._expires_at = now + life_s
            self._replace_at = self._expires_at - min(EARLY_S, EARLY_SHARE * life_s)
            return self._token

    def _fetch(self) -> tuple[str, float]:
        settings = self._settings
        names = f"kafka.token_endpoint {settings.token_endpoint}"
        fields = {"grant_type": "client_credentials"}
        if settings.scope:
            fields["scope"] = settings.scope
        request = Request(  # noqa: S310 - the settings accept https only
            settings.token_endpoint,
            data=urlencode(fields).encode(),
            headers={
                "Authorization": _basic(settings),
                "Content-Type": "application/x-www-form-urlencoded",
                "Accept": "application/json",
            },
        )
        opener = build_opener(HTTPSHandler(context=self._context()), _NoRedirect)
        try:
            with opener.open(request, timeout=settings.connect_timeout_s) as answer:
                body = answer.read(MAX_BYTES)
        except HTTPError as exc:
            with exc:
                raise _refused(exc.code, _oauth_error(exc), names) from None
        except (URLError, OSError, http.client.HTTPException) as exc:
            reason = getattr(exc, "reason", None) or exc
            if isinstance(reason, ssl.SSLCertVerificationError):
                raise ConfigurationError(
                    f"{names} has a certificate that is not trusted ({reason.verify_message}): add its"
                    " authority to kafka.ca_file"
                ) from exc
            raise BrokerUnavailable(f"{names} does not answer: {reason}") from exc
        return _parsed(body, names)

    def _context(self) -> ssl.SSLContext:
        """Trusts the system's authorities and ours: the endpoint may use either."""
        context = ssl.create_default_context()
        if self._settings.ca_file is not None:
            check_regular(self._settings.ca_file, "kafka.ca_file")
            try:
                context.load_verify_locations(self._settings.ca_file)
            except OSError as exc:
                raise ConfigurationError(
                    f"kafka.ca_file {self._settings.ca_file} cannot be used ({exc}): set it to a PEM file of"
                    " certificates"
                ) from exc
        return context


@lru_cache(maxsize=8)
def _of_endpoint(settings: Kafka) -> EndpointToken:
    return EndpointToken(settings)


class _NoRedirect(HTTPRedirectHandler):
    """A redirect would send the client's secret to another address."""

    def redirect_request(self, *_: Any) -> None:
        return None


def _basic(settings: Kafka) -> str:
    """HTTP Basic, with both parts form-encoded first (RFC 6749, 2.3.1)."""
    pair = (
        f"{quote_plus(settings.client_id)}:{quote_plus(settings.client_secret.get_secret_value())}"
    )
    return "Basic " + base64.b64encode(pair.encode()).decode()


def _oauth_error(exc: HTTPError) -> str:
    """The `error` of the answer, one of the words of RFC 6749, 5.2. Other text may repeat what we sent."""
    try:
        error = json.loads(exc.read(MAX_BYTES))["error"]
    except (ValueError, KeyError, TypeError, OSError, http.client.HTTPException):
        return ""
    known = {
        *("invalid_request", "invalid_client", "invalid_grant"),
        *("unauthorized_client", "unsupported_grant_type", "invalid_scope"),
    }
    return error if error in known else ""


def _refused(status: int, error: str, names: str) -> Exception:
    if status >= 500 or status == 429:
        return BrokerUnavailable(f"{names} answers with status {status}: try again later")
    told = f"status {status}" + (f", {error}" if error else "")
    if error == "invalid_scope":
        return ConfigurationError(f"{names} refuses the scope ({told}): correct kafka.scope")
    if error in ("invalid_client", "unauthorized_client") or status in (401, 403):
        return ConfigurationError(
            f"{names} refuses this client ({told}): check kafka.client_id and kafka.client_secret"
        )
    return ConfigurationError(f"{names} issues no token ({told}): check the address")


def _parsed(body: bytes, names: str) -> tuple[str, float]:
    """The token and its life in seconds."""
    problem = f"{names} answers without an access_token: check the address"
    try:
        answer = json.loads(body)
        token, life = answer["access_token"], answer.get("expires_in")
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ConfigurationError(problem) from None
    if not isinstance(token, str):
        raise ConfigurationError(problem)
    try:
        # some issuers write the number as text
        life_s = float(life)
    except (TypeError, ValueError):
        life_s = UNKNOWN_LIFE_S
    return _checked(token.encode(), problem), life_s if 0 < life_s < 1e9 else UNKNOWN_LIFE_S


def _checked(content: bytes, problem: str) -> str:
    """The token, if it is one: characters of RFC 6750 only, so that it cannot add fields to the login."""
    token = content.decode("ascii", errors="replace").strip()
    extra = set("-._~+/=")
    if not token or len(content) > MAX_BYTES or not all(c.isalnum() or c in extra for c in token):
        raise ConfigurationError(problem)
    return token
