"""The check of a chat-completions endpoint's base URL, shared by release installation and labelling."""

from urllib.parse import urlsplit

from judgestream.core.errors import ConfigurationError
from judgestream.core.limits import quoted


def check_base_url(url: str) -> None:
    """Accept `http(s)://host[:port][/path]` only.

    Raises:
        ConfigurationError: the URL is malformed, or carries credentials, a query or a fragment.
    """
    try:
        parts = urlsplit(url)
        has_host = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        has_host = False
    if not has_host or parts.scheme not in ("http", "https") or not url.isprintable():
        raise ConfigurationError(
            f"invalid endpoint URL {quoted(url)}: give the base URL up to and with /v1, for example"
            " http://host:8000/v1"
        )
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ConfigurationError(
            "an endpoint URL must not hold a key, a query or a fragment: give the base URL up to and with"
            " /v1, and name the environment variable of the key with --key-variable"
        )
