"""The one place where clients of Redis are made, with their login and TLS."""

from inspect import signature
from typing import Any

from redis import Redis
from redis.asyncio import Redis as AsyncRedis
from redis.asyncio import SSLConnection as AsyncTls
from redis.connection import AbstractConnection

from judgestream.adapters.tls.files import content
from judgestream.settings import Redis as RedisSettings

UNNAMED: dict[str, None] = (
    {"driver_info": None}
    if "driver_info" in signature(AbstractConnection).parameters
    else {"lib_name": None, "lib_version": None}
)
"""Keeps redis-py from naming itself by CLIENT SETINFO: that needs a right, which Redis 7.0 does not know."""


class _FreshTls(AsyncTls):
    """Reads the certificates again for every connection, so that renewed files are used.

    redis-py's synchronous connection does so by itself.
    """

    def _connection_arguments(self) -> Any:
        self.ssl_context.context = None
        return super()._connection_arguments()


def client(settings: RedisSettings, *, timeout_s: float | None = None) -> Redis | None:
    """A synchronous client with a deadline on every call; None when no Redis is set. Does not connect yet.

    Args:
        timeout_s: instead of the setting.

    Raises:
        ConfigurationError: a certificate file cannot be read.
    """
    url = settings.url.get_secret_value()
    if not url:
        return None
    made: Redis = Redis.from_url(url, **_options(settings, timeout_s))
    return made


def async_client(settings: RedisSettings) -> AsyncRedis | None:
    """As `client`, for asyncio."""
    url = settings.url.get_secret_value()
    if not url:
        return None
    made: AsyncRedis = AsyncRedis.from_url(url, **_options(settings, None))
    if settings.uses_tls:  # given as an option, it would lose against the URL's class
        made.connection_pool.connection_class = _FreshTls
    return made


def _options(settings: RedisSettings, timeout_s: float | None) -> dict[str, Any]:
    limit = settings.timeout_s if timeout_s is None else timeout_s
    # RESP 2 needs the fewest rights: no HELLO, no notifications
    options: dict[str, Any] = {
        "socket_timeout": limit,
        "socket_connect_timeout": limit,
        "protocol": 2,
        **UNNAMED,
    }
    if settings.username:
        options["username"] = settings.username
    if password := settings.password.get_secret_value():
        options["password"] = password
    if settings.uses_tls:
        files = {
            "ssl_ca_certs": ("ca_file", settings.ca_file),
            "ssl_certfile": ("certificate_file", settings.certificate_file),
            "ssl_keyfile": ("key_file", settings.key_file),
        }
        for option, (name, file) in files.items():
            if file is not None:
                content(file, f"redis.{name}")
                options[option] = str(file)
        options["ssl_check_hostname"] = True
    return options
