"""Network addresses that a worker may fetch from: public ones only.

A URL in a request is untrusted. It must not make a worker read from its own machine, its private network or
its cloud's metadata service (server-side request forgery).
"""

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

_METADATA = frozenset((ip_address("168.63.129.16"),))
"""Azure's metadata and DNS service, at a public address. The others are link-local or private."""
_NAT64 = ip_network("64:ff9b::/96")


def address_problem(text: str) -> str:
    """Why an address must not be connected to; "" for a public one."""
    try:
        address = ip_address(text)
    except ValueError:
        return "is not an address"
    for one in (address, *_inside(address)):
        if one in _METADATA or one.is_multicast or not one.is_global:
            return "is not public"
    return ""


def _inside(address: IPv4Address | IPv6Address) -> list[IPv4Address]:
    """The IPv4 addresses that an IPv6 address stands for."""
    if isinstance(address, IPv4Address):
        return []
    embedded = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    if isinstance(_NAT64, IPv6Network) and address in _NAT64:
        embedded.append(IPv4Address(int(address) & 0xFFFF_FFFF))
    return [one for one in embedded if one is not None]


def host_allowed(host: str, allowed: tuple[str, ...]) -> bool:
    """Whether a host is on an allow list; an empty list allows all.

    An entry `*.example.com` stands for all subdomains.
    """
    name = host.lower().rstrip(".")
    return not allowed or any(
        name.endswith(entry[1:]) if entry.startswith("*.") else name == entry
        for entry in (one.lower().rstrip(".") for one in allowed)
    )
