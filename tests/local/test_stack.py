"""A stack of toy servers: order, failures, external servers, the lock."""

import os
import socket
import sys
import time
from pathlib import Path

import pytest

from judgestream.core.errors import ConfigurationError
from judgestream.local.errors import FolderInUse, ServerDied, ServerUnreachable
from judgestream.local.identity import alive
from judgestream.local.ports import HOST, free_port
from judgestream.local.process import Command
from judgestream.local.server import LocalServer
from judgestream.local.stack import External, LocalKafka, LocalValkey, Stack, require_reachable
from judgestream.local.state import read_state

SLEEP = "import time; time.sleep(60)"


class Toy(LocalServer):
    """Runs a line of Python; ready when `ready_after` seconds have passed."""

    log_name = "toy.log"

    def __init__(
        self, folder: Path, name: str, *, code: str = SLEEP, ready_after: float = 0
    ) -> None:
        super().__init__(folder / name)
        self.name = name  # type: ignore[misc]
        self.code = code
        self.ready_after = ready_after
        self.stopped_at = 0.0

    @property
    def address(self) -> str:
        return f"{self.name}:1"

    def _launch(self) -> None:
        ready = time.monotonic() + self.ready_after
        argv = [sys.executable, "-I", "-S", "-c", self.code]
        process = self._spawn(
            Command(name=self.name, argv=argv, log_path=self.log_path, cwd=self.folder)
        )
        process.wait_ready(
            lambda: time.monotonic() > ready, what="answered", seconds=60, advice="Wait."
        )

    def stop(self) -> None:
        if self.process is not None:
            self.stopped_at = time.monotonic()
        super().stop()


def stack_of(folder: Path, *toys: LocalServer | External) -> Stack:
    stack = Stack(data_dir=folder)
    stack._parts = {getattr(toy, "name", f"far{index}"): toy for index, toy in enumerate(toys)}
    return stack


def test_servers_start_together_and_stop_in_reverse(tmp_path: Path) -> None:
    toys = [Toy(tmp_path, name, ready_after=1.5) for name in ("a", "b", "c")]
    begin = time.monotonic()
    with stack_of(tmp_path, *toys) as stack:
        assert time.monotonic() - begin < 3 * 1.5
        stack.check()
        state = read_state(tmp_path)
        assert state is not None
        assert state.owner.pid == os.getpid()
        assert state.running() == ("a", "b", "c")
    assert toys[2].stopped_at < toys[1].stopped_at < toys[0].stopped_at
    assert read_state(tmp_path) is None


def test_a_server_that_fails_to_start_stops_the_others(tmp_path: Path) -> None:
    slow = Toy(tmp_path, "slow", ready_after=50)
    broken = Toy(
        tmp_path,
        "broken",
        code="import sys, time; time.sleep(1); sys.exit('no disk')",
        ready_after=50,
    )
    begin = time.monotonic()
    with pytest.raises(ServerDied, match=r"broken ended unexpectedly(.|\n)*no disk"):
        stack_of(tmp_path, slow, broken).start()
    assert time.monotonic() - begin < 20
    assert slow.process is None and broken.process is None
    assert read_state(tmp_path) is None


def test_check_names_every_server_that_died(tmp_path: Path) -> None:
    toys = [Toy(tmp_path, name) for name in ("a", "b", "c")]
    with stack_of(tmp_path, *toys) as stack:
        for toy in toys[:2]:
            assert toy.process is not None
            os.kill(toy.process.pid, 9)
        deadline = time.monotonic() + 10
        while any(toy.process is not None and toy.process.running for toy in toys[:2]):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        with pytest.raises(ServerDied) as caught:
            stack.check()
    assert "a ended unexpectedly (killed by signal 9)" in str(caught.value)
    assert "b ended unexpectedly" in str(caught.value)
    assert "c ended" not in str(caught.value)


def test_two_stacks_cannot_use_one_folder(tmp_path: Path) -> None:
    with stack_of(tmp_path, Toy(tmp_path, "a")) as first:
        with pytest.raises(FolderInUse, match="Stop that one first, or choose another folder"):
            stack_of(tmp_path, Toy(tmp_path, "a")).start()
        first.check()
        assert read_state(tmp_path) is not None


def test_a_stack_can_be_started_again(tmp_path: Path) -> None:
    stack = stack_of(tmp_path, Toy(tmp_path, "a"))
    for _ in range(2):
        stack.start()
        stack.start()  # a second call does nothing
        process = stack.servers["a"].process
        assert process is not None
        stack.stop()
        stack.stop()
        assert not alive(process.server)


def test_an_external_server_is_checked_and_not_started(tmp_path: Path) -> None:
    with socket.create_server((HOST, 0)) as far:
        address = f"{HOST}:{far.getsockname()[1]}"
        with Stack(data_dir=tmp_path, kafka=External(address=address)) as stack:
            assert stack.kafka_bootstrap == address
            assert stack.valkey_url is None
            assert stack.servers == {}
            state = read_state(tmp_path)
            assert state is not None and state.servers[0].external


def test_an_unreachable_external_server_is_named_with_its_address(tmp_path: Path) -> None:
    address = f"{HOST}:{free_port()}"
    toy = Toy(tmp_path, "a")
    with pytest.raises(ServerUnreachable, match=rf"cannot be reached at {address} \(.*refused"):
        stack_of(tmp_path, External(address=address), toy).start()
    assert toy.process is None and not toy.folder.exists()


@pytest.mark.parametrize("address", ["nonsense", "host:port", "host:99999", "", "host:9092,bad"])
def test_an_invalid_address_is_refused(address: str) -> None:
    with pytest.raises(ConfigurationError, match="invalid address '.*' of Kafka|cannot be reached"):
        require_reachable("Kafka", address)


def test_one_reachable_broker_of_several_is_enough() -> None:
    with socket.create_server((HOST, 0)) as far:
        port = far.getsockname()[1]
        far.settimeout(5)
        for name, address in (
            ("Kafka", f"{HOST}:{free_port()}, {HOST}:{port}"),
            ("Valkey", f"redis://user:secret@{HOST}:{port}/0"),
        ):
            require_reachable(name, address)
            connection, _ = far.accept()
            connection.close()
    with pytest.raises(ServerUnreachable):
        require_reachable("Kafka", f"{HOST}:{free_port()}, {HOST}:{port}")


def test_a_password_in_an_address_is_in_no_message() -> None:
    for address in (f"redis://user:secret@{HOST}:{free_port()}/0", "redis://user:secret@host:x"):
        with pytest.raises((ConfigurationError, ServerUnreachable)) as caught:
            require_reachable("Valkey", address)
        assert "secret" not in str(caught.value)


def test_addresses_are_known_before_the_start(tmp_path: Path) -> None:
    stack = Stack(data_dir=tmp_path, kafka=LocalKafka(port=1001), valkey=LocalValkey(port=1002))
    assert stack.kafka_bootstrap == "127.0.0.1:1001"
    assert stack.valkey_url == "redis://127.0.0.1:1002/0"
    assert stack.triton_url is None
    assert list(stack.servers) == ["Kafka", "Valkey"]
