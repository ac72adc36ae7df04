"""The Kafka settings as arguments of each client library."""

import asyncio
from typing import Any

from kafka.net.sasl.oauth import AbstractTokenProvider

from judgestream.adapters.kafka.tls import tls_context
from judgestream.adapters.kafka.tokens import Token, token_source
from judgestream.settings import Kafka


class TokenProvider(AbstractTokenProvider):  # type: ignore[misc]  # kafka-python ships no types
    """A token source as kafka-python wants it."""

    def __init__(self, source: Token) -> None:
        super().__init__()
        self._source = source

    def token(self) -> str:
        return self._source()


def client_options(settings: Kafka) -> dict[str, Any]:
    """For kafka-python."""
    options = _options(settings)
    if settings.by_token:
        options["sasl_oauth_token_provider"] = TokenProvider(token_source(settings))
    return options


def aiokafka_options(settings: Kafka) -> dict[str, Any]:
    """For aiokafka. Raises no error of a token: the client cannot handle foreign ones."""
    from aiokafka.abc import AbstractTokenProvider as Provider
    from aiokafka.errors import AuthenticationFailedError

    class AsyncTokenProvider(Provider):  # type: ignore[misc]  # aiokafka ships no types
        """A token source as aiokafka wants it: an await, and errors that aiokafka knows."""

        async def token(self) -> str:
            try:
                return await asyncio.to_thread(source)
            except Exception as exc:
                raise AuthenticationFailedError(str(exc)) from exc

    options = _options(settings)
    if settings.by_token:
        source = token_source(settings)
        options["sasl_oauth_token_provider"] = AsyncTokenProvider()
    return options


def faust_options(settings: Kafka) -> dict[str, Any]:
    """For `faust.App`. Only its producer would use them: our transport makes the consumer itself."""
    import faust

    brokers = ";".join(f"kafka://{address}" for address in settings.addresses)
    options: dict[str, Any] = {"broker": brokers}
    context = tls_context(settings)
    if settings.by_token:
        provider = aiokafka_options(settings)["sasl_oauth_token_provider"]
        options["broker_credentials"] = faust.OAuthCredentials(
            oauth_cb=provider, ssl_context=context
        )
    elif settings.login:
        options["broker_credentials"] = faust.SASLCredentials(
            username=settings.username,
            password=settings.password.get_secret_value(),
            mechanism=settings.sasl_mechanism,
            ssl_context=context,
        )
    elif context is not None:
        options["broker_credentials"] = faust.SSLCredentials(context)
    return options


def _options(settings: Kafka) -> dict[str, Any]:
    """What kafka-python and aiokafka name alike."""
    options: dict[str, Any] = {
        "bootstrap_servers": list(settings.addresses),
        "security_protocol": settings.security,
        "ssl_context": tls_context(settings),
    }
    if settings.login:
        options["sasl_mechanism"] = settings.sasl_mechanism
    if settings.login and not settings.by_token:
        options["sasl_plain_username"] = settings.username
        options["sasl_plain_password"] = settings.password.get_secret_value()
    return options
