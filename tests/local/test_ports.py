"""Free ports differ, and a taken port is reported in one sentence."""

import os
import socket

import pytest

from judgestream.local.errors import PortTaken
from judgestream.local.ports import HOST, free_port, is_free, require_free


def test_free_ports_are_free_and_never_given_twice() -> None:
    ports = [free_port() for _ in range(50)]
    assert len(set(ports)) == 50
    assert is_free(ports[-1])


def test_a_free_port_lies_below_the_range_of_outgoing_connections() -> None:
    assert 20_000 <= free_port() < 32_000


def test_a_taken_port_names_port_purpose_holder_and_setting() -> None:
    with socket.create_server((HOST, 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(PortTaken) as caught:
            require_free(port, purpose="Kafka", setting="kafka_port")
    message = str(caught.value)
    assert f"Port {port} on 127.0.0.1, wanted for Kafka" in message
    assert f"process {os.getpid()} (" in message
    assert "change kafka_port" in message
    assert "\n" not in message


def test_a_listener_on_all_addresses_takes_the_port_too() -> None:
    with socket.create_server(("0.0.0.0", 0)) as server:  # noqa: S104
        port = server.getsockname()[1]
        assert not is_free(port)


@pytest.mark.parametrize("port", [0, -1, 65_536])
def test_an_invalid_port_is_refused(port: int) -> None:
    with pytest.raises(PortTaken, match="use a port from 1 to 65535"):
        require_free(port, purpose="Valkey", setting="valkey_port")
