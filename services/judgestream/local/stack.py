"""Several servers as one stack: started together, stopped in reverse, one folder, one state file."""

import contextlib
import os
import socket
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from judgestream.core.errors import ConfigurationError
from judgestream.core.masking import masked
from judgestream.local.errors import LocalServerError, ServerDied, ServerUnreachable
from judgestream.local.identity import boot_id, identify
from judgestream.local.kafka import KafkaServer
from judgestream.local.lock import FolderLock
from judgestream.local.server import LocalServer
from judgestream.local.state import ServerState, StackState, remove_state, write_state
from judgestream.local.triton import TritonServer
from judgestream.local.valkey import ValkeyServer

_REACH_SECONDS = 3.0


@dataclass(frozen=True, kw_only=True)
class External:
    """A server that is not run by the stack. Only its address is checked.

    `address` is `host:port`, several of them joined by commas (Kafka, Triton), also `dns:///name:port`
    (Triton), or a URL (Valkey).
    """

    address: str


@dataclass(frozen=True, kw_only=True)
class LocalKafka:
    """A broker run by the stack. None as a port means a free one."""

    port: int | None = None
    controller_port: int | None = None
    cache_dir: Path | None = None
    jar_repository: str | None = None


@dataclass(frozen=True, kw_only=True)
class LocalValkey:
    """A store of our own; None stands for a free port."""

    port: int | None = None
    password: str = field(default="", repr=False)


@dataclass(frozen=True, kw_only=True)
class LocalTriton:
    """An inference server of our own; see TritonServer for the fields."""

    model_repository: Path
    models: Sequence[str]
    http_port: int | None = None
    grpc_port: int | None = None
    metrics_port: int | None = None
    omp_num_threads: int | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    hidden_arguments: Sequence[str] = field(default=(), repr=False)
    start_seconds: float = 180.0


class Stack:
    """The servers of one data folder. None means: not part of this stack."""

    def __init__(
        self,
        *,
        data_dir: Path,
        kafka: LocalKafka | External | None = None,
        valkey: LocalValkey | External | None = None,
        triton: LocalTriton | External | None = None,
        lock: FolderLock | None = None,
    ) -> None:
        """Starts nothing yet; addresses are known.

        `lock` is the data folder's, where the caller already holds it; `stop` releases it.
        """
        self.data_dir = data_dir.resolve()
        self._parts: dict[str, LocalServer | External] = {}
        for name, part in (
            (KafkaServer.name, _kafka(kafka, self.data_dir)),
            (ValkeyServer.name, _valkey(valkey, self.data_dir)),
            (TritonServer.name, _triton(triton, self.data_dir)),
        ):
            if part is not None:
                self._parts[name] = part
        self._given_lock = lock
        self._lock: FolderLock | None = None

    @property
    def kafka_bootstrap(self) -> str | None:
        """`host:port` for Kafka clients; None without Kafka. The next two likewise."""
        return self._address(KafkaServer.name)

    @property
    def valkey_url(self) -> str | None:
        return self._address(ValkeyServer.name)

    @property
    def triton_url(self) -> str | None:
        """`host:port` of gRPC."""
        return self._address(TritonServer.name)

    @property
    def servers(self) -> dict[str, LocalServer]:
        """The servers that the stack runs, by name, in start order."""
        return {name: part for name, part in self._parts.items() if isinstance(part, LocalServer)}

    def _address(self, name: str) -> str | None:
        part = self._parts.get(name)
        return None if part is None else part.address

    def start(self) -> None:
        """Check the external servers, start the others in parallel, and write the state file.

        Raises ServerUnreachable for an external server, FolderInUse when another stack uses the folder, and
        the first error of a server that does not start. The other servers are stopped then.
        """
        if self._lock is not None:
            return
        self._lock = self._given_lock or lock_folder(self.data_dir)
        self._given_lock = None
        try:
            self.save()  # from here on `down` finds this stack
            for name, part in self._parts.items():
                if isinstance(part, External):
                    require_reachable(name, part.address)
            self._start_all(list(self.servers.values()))
            self.save()
        except BaseException:
            self.stop()
            raise

    def _start_all(self, servers: list[LocalServer]) -> None:
        if not servers:
            return
        with ThreadPoolExecutor(len(servers), thread_name_prefix="start") as pool:
            starts = {pool.submit(server.start): server for server in servers}
            try:
                for start in as_completed(starts):
                    start.result()
                    self.save()
            except BaseException:
                # A server that is still starting notices at its next readiness check that it was stopped.
                _give_up(starts)
                raise

    def save(self) -> None:
        """Rewrite the state file, for example after a restart of a server."""
        owner = identify(os.getpid())
        if owner is None:
            raise LocalServerError("/proc is not readable: mount it; Linux servers need it, too.")
        write_state(
            self.data_dir,
            StackState(
                owner=owner,
                boot=boot_id(),
                started_at=time.time(),
                servers=tuple(_state(name, part) for name, part in self._parts.items()),
            ),
        )

    def check(self) -> None:
        """Raise ServerDied when a server has ended, naming each with the end of its log."""
        dead = []
        for server in self.servers.values():
            try:
                server.check()
            except ServerDied as error:
                dead.append(str(error))
        if dead:
            raise ServerDied("\n".join(dead))

    def stop(self) -> None:
        """Stop the servers in reverse order and remove the state file. A second call does nothing.

        An error of one server does not keep the others running. The first error is raised at the end.
        """
        first: Exception | None = None
        for server in reversed(self.servers.values()):
            try:
                server.stop()
            except LocalServerError as error:
                first = first or error
        lock, self._lock = self._lock, None
        if lock is not None:
            if first is None:
                remove_state(self.data_dir)
            lock.release()
        if first is not None:
            raise first

    def __enter__(self) -> "Stack":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def lock_folder(data_dir: Path) -> FolderLock:
    """The lock of a data folder in use. Raises FolderInUse."""
    return FolderLock(data_dir, purpose="the data folder of a judgestream stack")


def require_reachable(name: str, address: str) -> None:
    """Raise ServerUnreachable unless one of the addresses accepts a TCP connection.

    Logins and TLS are not checked: only the clients know their settings.
    """
    failures = []
    for host, port in places(name, address):
        try:
            socket.create_connection((host, port), timeout=_REACH_SECONDS).close()
            return
        except OSError as error:
            failures.append(f"{host}:{port} ({error.strerror or error})")
    raise ServerUnreachable(
        f"{name} cannot be reached at {'; '.join(failures)}. Start it, correct the address, or"
        " unset the address, so that judgestream starts its own server."
    )


def places(name: str, address: str) -> list[tuple[str, int]]:
    """Host and port of each address of an external server.

    Raises:
        ConfigurationError: one of them is not an address.
    """
    found = []
    for entry in map(str.strip, address.split(",")):
        text = entry.removeprefix("dns:///")
        try:
            parts = urlsplit(text if "://" in text else f"//{text}")
            host, port = parts.hostname, parts.port or _DEFAULT_PORTS.get(parts.scheme)
        except ValueError:
            host, port = None, None
        if host is None or port is None:
            raise ConfigurationError(
                f"invalid address {masked(text)!r} of {name}: give it as host:port."
            )
        found.append((host, port))
    return found


_DEFAULT_PORTS = {"redis": 6379, "rediss": 6379}


def _give_up(starts: Mapping["Future[None]", LocalServer]) -> None:
    """Stop the servers that are still starting. Repeat, as they may not have a process yet."""
    while not all(start.done() for start in starts):
        for start, server in starts.items():
            if not start.done() and server.process is not None:
                with contextlib.suppress(LocalServerError):  # Stack.stop tries again and raises
                    server.stop()
        time.sleep(0.05)


def _state(name: str, part: LocalServer | External) -> ServerState:
    if isinstance(part, External):
        return ServerState(name=name, address=part.address)
    process = part.process
    return ServerState(
        name=name,
        address=part.address,
        log_path=str(part.log_path),
        server=None if process is None else process.server,
        keeper=None if process is None else process.keeper,
    )


def _kafka(spec: LocalKafka | External | None, data_dir: Path) -> LocalServer | External | None:
    if not isinstance(spec, LocalKafka):
        return spec
    return KafkaServer(
        data_dir=data_dir / "kafka",
        port=spec.port,
        controller_port=spec.controller_port,
        cache_dir=spec.cache_dir,
        jar_repository=spec.jar_repository,
    )


def _valkey(spec: LocalValkey | External | None, data_dir: Path) -> LocalServer | External | None:
    if not isinstance(spec, LocalValkey):
        return spec
    return ValkeyServer(data_dir=data_dir / "valkey", port=spec.port, password=spec.password)


def _triton(spec: LocalTriton | External | None, data_dir: Path) -> LocalServer | External | None:
    if not isinstance(spec, LocalTriton):
        return spec
    return TritonServer(
        run_dir=data_dir / "triton",
        model_repository=spec.model_repository,
        models=spec.models,
        http_port=spec.http_port,
        grpc_port=spec.grpc_port,
        metrics_port=spec.metrics_port,
        omp_num_threads=spec.omp_num_threads,
        environment=spec.environment,
        hidden_arguments=spec.hidden_arguments,
        start_seconds=spec.start_seconds,
    )
