"""The setting `triton.grpc` as a list: servers by address, and names in DNS with one server per address."""

import re
from dataclasses import dataclass
from ipaddress import IPv6Address

DNS = "dns:///"
MAX_ENTRIES = 64
MAX_SHOWN = 80

_HOST = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,251}[A-Za-z0-9_.])?")


@dataclass(frozen=True, kw_only=True, slots=True)
class ServerEntry:
    """One entry of the list.

    host   a name or an address, IPv6 without its brackets
    dns    the name is resolved again and again, and every address of it is one server
    """

    host: str
    port: int
    dns: bool = False

    @property
    def address(self) -> str:
        """host:port."""
        return join_address(self.host, self.port)

    def __str__(self) -> str:
        return f"{DNS}{self.address}" if self.dns else self.address


def join_address(host: str, port: int) -> str:
    """host:port, with brackets around an IPv6 address."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def parse_servers(text: str) -> tuple[ServerEntry, ...]:
    """The entries of a comma-separated list.

    Raises:
        ValueError: with the entry that is wrong, and how to write it.
    """
    entries = [_entry(part.strip()) for part in text.split(",")]
    if len(entries) > MAX_ENTRIES:
        raise ValueError(
            f"{len(entries)} servers: at most {MAX_ENTRIES} entries, or one dns:///NAME:PORT for all"
        )
    for k, entry in enumerate(entries):
        if entry in entries[:k]:
            raise ValueError(f"{entry} is named twice: name each server once")
    return tuple(entries)


def _entry(text: str) -> ServerEntry:
    shown = text[:MAX_SHOWN]
    if not text:
        raise ValueError(
            "an empty entry: write HOST:PORT, several with a comma between them, or dns:///NAME:PORT"
        )
    dns = text.startswith(DNS)
    host, colon, port = text.removeprefix(DNS).rpartition(":")
    if not colon or not _is_port(port):
        raise ValueError(
            f"{shown!r} has no port from 1 to 65535: write HOST:PORT, as 127.0.0.1:8001"
        )
    bracketed = host.startswith("[") and host.endswith("]")
    if bracketed:
        host = host[1:-1]
    if not (_is_ipv6(host) if bracketed else _HOST.fullmatch(host)):
        raise ValueError(
            f"{shown!r} is not HOST:PORT: write a name or an address without a scheme or a path, an IPv6"
            " address in brackets, and dns:/// in front of a name with several addresses"
        )
    if dns and bracketed:
        raise ValueError(f"{shown!r} names an address, not a name in DNS: leave out dns:///")
    return ServerEntry(host=host, port=int(port), dns=dns)


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 5 and 1 <= int(text) <= 65535


def _is_ipv6(text: str) -> bool:
    try:
        IPv6Address(text)
    except ValueError:
        return False
    return True
