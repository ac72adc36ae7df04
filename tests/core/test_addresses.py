"""Addresses that a worker must not be sent to by a URL."""

import pytest

from judgestream.core.addresses import address_problem, host_allowed


@pytest.mark.parametrize("address", ["93.184.216.34", "8.8.8.8", "2606:4700:4700::1111"])
def test_a_public_address_is_allowed(address: str) -> None:
    assert address_problem(address) == ""


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "0.0.0.0",  # noqa: S104 - an address to refuse
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "100.100.100.200",
        "169.254.169.254",
        "168.63.129.16",
        "224.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "fe80::1",
        "fe80::1%eth0",
        "fd00:ec2::254",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "2002:7f00:1::",
        "64:ff9b::10.0.0.1",
    ],
)
def test_an_address_that_is_not_public_is_refused(address: str) -> None:
    assert address_problem(address) == "is not public"


@pytest.mark.parametrize("text", ["", "localhost", "127.1", "2130706433", "0x7f.1"])
def test_a_name_is_not_an_address(text: str) -> None:
    assert address_problem(text) == "is not an address"


@pytest.mark.parametrize(
    ("host", "allowed", "expected"),
    [
        ("a.example", (), True),
        ("a.example", ("a.example",), True),
        ("A.Example.", ("a.example",), True),
        ("x.a.example", ("a.example",), False),
        ("x.a.example", ("*.a.example",), True),
        ("a.example", ("*.a.example",), False),
        ("evila.example", ("*.a.example",), False),
        ("a.example.evil.example", ("a.example", "*.a.example"), False),
    ],
)
def test_hosts_on_the_allow_list(host: str, allowed: tuple[str, ...], expected: bool) -> None:
    assert host_allowed(host, allowed) is expected
