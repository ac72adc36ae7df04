"""Settings that are texts with a structure: URLs, and lists separated by commas."""

from collections.abc import Collection
from urllib.parse import SplitResult, urlsplit


def url_parts(text: str, schemes: Collection[str]) -> SplitResult | None:
    """The parts of a URL; None unless it has one of these schemes, a host (not for `unix`), and no port or a
    possible one.

    Errors on a URL are written by its setting and do not quote it: it may contain a password.
    """
    try:
        parts = urlsplit(text)
        placed = parts.scheme == "unix" or (bool(parts.hostname) and parts.port != 0)
    except ValueError:
        return None
    return parts if placed and parts.scheme in schemes else None


def entries(text: str) -> tuple[str, ...]:
    """The entries of a list that is separated by commas, without empty ones."""
    return tuple(entry.strip() for entry in text.split(",") if entry.strip())
