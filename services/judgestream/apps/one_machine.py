"""judgestream on one machine: the servers, the topics, a judge and the workers, kept running together.

A server that the settings name (`kafka.bootstrap`, `redis.url`, `triton.grpc`) is somebody else's: it is used
and never started or stopped. An address that is the stack's own (`. environment` sets them) and at which
nothing answers names no server of somebody else's.
"""

import asyncio
import logging
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from judgestream.adapters.installed_releases import InstalledRelease, find
from judgestream.adapters.kafka.topics import Difference, admin, apply
from judgestream.adapters.triton_control import TritonControl, restrictions
from judgestream.apps.chosen_judge import JudgeWish, choose
from judgestream.apps.metrics_ports import metrics_port
from judgestream.apps.release_switch import ReleaseSwitch
from judgestream.apps.supervision import Part, Supervised
from judgestream.core.errors import ConfigurationError, JudgestreamError
from judgestream.local import preflight
from judgestream.local.errors import DataUnusable, LocalServerError, ServerDied
from judgestream.local.folder import make_folder
from judgestream.local.judge_choice import JudgeChoice, read_choice, write_choice
from judgestream.local.leftovers import end_leftovers
from judgestream.local.lock import FolderLock
from judgestream.local.ports import HOST, is_free
from judgestream.local.private import kept_secret
from judgestream.local.process import Command, ServerProcess
from judgestream.local.running import CONTROL_KEY_FILE
from judgestream.local.server import LocalServer
from judgestream.local.stack import (
    External,
    LocalKafka,
    LocalTriton,
    LocalValkey,
    Stack,
    lock_folder,
)
from judgestream.local.supervisor_file import PartReport, SwitchReport
from judgestream.local.triton import TritonServer, require_plain_path
from judgestream.local.variables import host_port, read_variables
from judgestream.settings import PREFIX, Settings

log = logging.getLogger(__name__)

WORKER_READY_S = 90.0
VALKEY_KEY_FILE = "valkey.key"
"""Like the control key kept over restarts: a worker that outlives the stack still knows it."""

FIRST_PAUSE_S = 0.5
LONGEST_SERVER_PAUSE_S = 30.0

KAFKA = f"{PREFIX}KAFKA__BOOTSTRAP"
REDIS = f"{PREFIX}REDIS__URL"
TRITON = f"{PREFIX}TRITON__GRPC"
CONTROL_KEY = f"{PREFIX}TRITON__CONTROL_KEY"
RELEASE = f"{PREFIX}TRITON__RELEASE"

Say = Callable[[str], None]


@dataclass(kw_only=True, slots=True)
class _Worker:
    kind: str
    slot: int
    process: ServerProcess | None = None

    @property
    def name(self) -> str:
        return f"{self.kind}-{self.slot}"

    @property
    def uses_release(self) -> bool:
        return self.kind != "bias"


class OneMachine:
    """Everything of one data folder. `start`, then `tend` about every second, then `stop`."""

    def __init__(
        self,
        settings: Settings,
        *,
        data: Path,
        wish: JudgeWish | None = None,
        free_ports: bool = False,
    ) -> None:
        """Nothing is started yet.

        Args:
            settings: without what a running stack adds to them.
            wish: the judge to serve; default: as the settings say.
            free_ports: choose free ports, but for those that the settings name.
        """
        self._settings = settings
        self.data = data
        self._wish = wish or JudgeWish()
        self._free_ports = free_ports
        self.release: InstalledRelease | None = None
        self._control_key = settings.triton.control_key
        self._stack: Stack | None = None
        self._workers: list[_Worker] = []
        self._supervised: list[Supervised] = []
        self._locks: list[FolderLock] = []
        self._switch: ReleaseSwitch | None = None
        self._token = ""
        self._unsaved = False
        self.switch_report: SwitchReport | None = None

    @property
    def release_name(self) -> str:
        """The release that workers are started with; "" when none is named."""
        return self._settings.triton.release if self.release is None else self.release.name

    @property
    def addresses(self) -> Mapping[str, str]:
        """The variables by which any program finds these servers."""
        stack = self._running()
        return {
            KAFKA: stack.kafka_bootstrap or "",
            REDIS: stack.valkey_url or "",
            TRITON: stack.triton_url or "",
        }

    @property
    def environment(self) -> Mapping[str, str]:
        """The variables of a worker: the servers, and the release to ask."""
        return {**self.addresses, RELEASE: self.release_name}

    def start(self, say: Say) -> None:
        """Check the machine, start the servers, make the topics, start the workers.

        Raises:
            JudgestreamError: one clear sentence; what had been started is stopped again.
        """
        try:
            self._take_folder(say)
            self._start_servers(say)
            self._make_topics(say)
            self._start_workers(say)
            self._supervise()
        except BaseException:
            self.stop()
            raise

    def tend(self) -> bool:
        """One look, which does not block: start again what has ended, and follow a wish for another release.
        Returns whether anything has changed. Never raises for what a server or a worker did."""
        changed = any([supervised.look() for supervised in self._supervised])
        self._unsaved |= changed
        if self._unsaved:
            try:
                self._running().save()
                self._unsaved = False
            except (OSError, DataUnusable) as exc:
                log.error("the state file cannot be written, and is tried again: %s", exc)
        return self._follow_wish() or changed

    def reports(self) -> tuple[PartReport, ...]:
        """What each server and worker of ours is doing."""
        return tuple(supervised.report() for supervised in self._supervised)

    def stop(self) -> None:
        """Workers first, then the servers in reverse order. Nothing is left running."""
        supervised, self._supervised = self._supervised, []
        stack, self._stack = self._stack, None
        workers, self._workers = self._workers, []
        while any(one.busy for one in supervised):
            for worker in workers:
                _stop_worker(worker)
            for server in stack.servers.values() if stack is not None else ():
                server.stop()  # a start that is under way fails at its next look
            time.sleep(0.05)
        for one in supervised:
            one.close()
        if workers:
            with ThreadPoolExecutor(len(workers)) as pool:
                list(pool.map(_stop_worker, workers))
        locks, self._locks = self._locks, []
        try:
            if stack is not None:
                stack.stop()
        finally:
            for lock in locks:
                lock.release()

    def _running(self) -> Stack:
        if self._stack is None:
            raise LocalServerError("the local stack is not started")
        return self._stack

    def _take_folder(self, say: Say) -> None:
        make_folder(self.data)
        self._locks.append(lock_folder(self.data))
        end_leftovers(self.data, say)
        self._locks.append(
            FolderLock(self.data / "workers", purpose="the folder of a stack's workers")
        )

    def _start_servers(self, say: Say) -> None:
        plan = _plan(self._settings, self.data, free_ports=self._free_ports)
        preflight.check(
            data_dir=self.data, servers=plan.ours, ports=plan.taken_ports(self._metrics_ports())
        )
        if plan.triton is None:
            require_plain_path(self.data / "models", "The model repository")
            self._control_key = SecretStr(kept_secret(self.data / CONTROL_KEY_FILE))
            self.release = choose(self._settings, self.data, self._wish)
            say(f"judge {self.release.name} ({self.release.endpoint or 'served by Triton'})")
        elif self._wish.judge:
            raise ConfigurationError(
                f"--judge needs a Triton of the stack's own, and triton.grpc names one at"
                f" {self._settings.triton.grpc}: unset JUDGESTREAM_TRITON__GRPC, or load the judge there"
            )
        names = ", ".join(name.capitalize() for name in plan.ours) or "no server of our own"
        say(f"starting {names} (logs under {self.data})")
        ports = plan.ports
        self._stack = Stack(
            data_dir=self.data,
            lock=self._locks.pop(0),
            kafka=plan.kafka or LocalKafka(port=ports["kafka"]),
            valkey=plan.valkey
            or LocalValkey(port=ports["valkey"], password=kept_secret(self.data / VALKEY_KEY_FILE)),
            triton=plan.triton
            or LocalTriton(
                model_repository=self.data / "models",
                models=list(self.release.models) if self.release else [],
                http_port=ports["http"],
                grpc_port=ports["grpc"],
                metrics_port=ports["metrics"],
                hidden_arguments=restrictions(self._control_key),
            ),
        )
        self._stack.start()
        if self.release is not None:
            self._remember_choice(self.release.name)
            self._load_others()

    def _load_others(self) -> None:
        """Load again what `release load` had loaded beside the release in use. One that cannot be loaded is
        logged: the release in use is not held up for it."""
        choice = read_choice(self.data)
        others = choice.loaded if choice is not None and self.release is not None else ()
        if others:
            asyncio.run(self._load(others))

    async def _load(self, names: Sequence[str]) -> None:
        address = self._running().triton_url or ""
        async with TritonControl(address, self._control_key) as control:
            for name in names:
                try:
                    for model in find(self.data / "models", name).models:
                        await control.load(model)
                except JudgestreamError as exc:
                    log.error("release %s is not loaded again: %s", name, exc)

    def _remember_choice(self, release: str) -> None:
        last = read_choice(self.data)
        if last is None or last.release != release:
            last = (last or JudgeChoice(release="")).using(release)
            write_choice(self.data, last)
        self._token = last.token

    def _metrics_ports(self) -> Mapping[str, int]:
        found = {
            f"metrics of worker {worker.name}": metrics_port(
                self._settings, worker.kind, worker.slot
            )
            for worker in _wanted_workers(self._settings)
        }
        return {purpose: port for purpose, port in found.items() if port}

    def _make_topics(self, say: Say) -> None:
        kafka = self._settings.kafka.model_copy(
            update={"bootstrap": self._running().kafka_bootstrap}
        )
        client = admin(kafka)
        try:
            created, differences = apply(client, kafka)
        finally:
            client.close()
        say(f"topics: {len(created)} created" if created else "topics: all there")
        _refuse(differences)

    def _start_workers(self, say: Say) -> None:
        self._workers = _wanted_workers(self._settings)
        say("starting workers: " + ", ".join(worker.name for worker in self._workers))
        for worker in self._workers:
            worker.process = self._spawn(worker)
        for worker in self._workers:
            try:
                self._await_worker(worker)
            except ServerDied as exc:
                # Once more: members of an earlier run may have held the group for their session timeout.
                say(f"{str(exc).splitlines()[0]} Starting it once more")
                _stop_worker(worker)
                worker.process = self._spawn(worker)
                self._await_worker(worker)

    def _supervise(self) -> None:
        """From now on `tend` looks after what runs."""
        longest = min(10.0, self._settings.kafka.session_timeout_s / 3)
        for server in self._running().servers.values():
            self._supervised.append(
                Supervised(
                    self._server_part(server),
                    first_pause_s=FIRST_PAUSE_S,
                    longest_pause_s=LONGEST_SERVER_PAUSE_S,
                )
            )
        for worker in self._workers:
            # The pause and a start together stay below the session timeout, so that the partitions of a
            # worker that crashes stay its own and a record that crashes it does not travel to the others.
            self._supervised.append(
                Supervised(
                    self._worker_part(worker),
                    first_pause_s=FIRST_PAUSE_S,
                    longest_pause_s=longest,
                )
            )

    def _server_part(self, server: LocalServer) -> Part:
        def start() -> None:
            server.stop()
            server.start()
            if isinstance(server, TritonServer):
                self._load_others()

        return Part(
            name=server.name,
            worker=False,
            log_path=server.log_path,
            start=start,
            check=server.check,
            pid=lambda: None if server.process is None else server.process.pid,
        )

    def _worker_part(self, worker: _Worker) -> Part:
        def start() -> None:
            _stop_worker(worker)
            worker.process = self._spawn(worker)
            self._await_worker(worker)

        def check() -> None:
            if worker.process is None:
                raise ServerDied(f"worker {worker.name} is not started")
            worker.process.check()

        return Part(
            name=worker.name,
            worker=True,
            log_path=self._log_path(worker),
            start=start,
            check=check,
            pid=lambda: None if worker.process is None else worker.process.pid,
        )

    def _spawn(self, worker: _Worker) -> ServerProcess:
        ready = self._ready_path(worker)
        ready.unlink(missing_ok=True)
        return ServerProcess(
            Command(
                name=f"worker {worker.name}",
                argv=[
                    sys.executable,
                    *("-m", "judgestream.apps.cli", "worker", worker.kind),
                    *("--slot", str(worker.slot), "--ready-file", str(ready)),
                ],
                log_path=self._log_path(worker),
                cwd=self.data,
                env={**os.environ, **self.environment, **self._control(worker)},
                stop_seconds=20.0,
            ),
            held_files=[lock.fd for lock in self._locks],
        )

    def _control(self, worker: _Worker) -> Mapping[str, str]:
        """Only the controller may load and unload models."""
        if worker.kind != "controller":
            return {}
        return {CONTROL_KEY: self._control_key.get_secret_value()}

    def _await_worker(self, worker: _Worker) -> None:
        if worker.process is None:
            raise ServerDied(f"worker {worker.name} is not started")
        worker.process.wait_ready(
            self._ready_path(worker).exists,
            what="been assigned its partitions",
            seconds=WORKER_READY_S,
            mend="The machine may be short of CPU: start again.",
        )

    def _ready_path(self, worker: _Worker) -> Path:
        return self.data / "workers" / f"{worker.name}.ready"

    def _log_path(self, worker: _Worker) -> Path:
        return self.data / "workers" / f"{worker.name}.log"

    def _follow_wish(self) -> bool:
        """Start, or go on with, the switch to the release that `judge.json` names."""
        if self._switch is None:
            choice = read_choice(self.data)
            if self.release is None or choice is None or choice.token == self._token:
                return False
            self._token = choice.token
            self._switch = ReleaseSwitch(
                choice=choice,
                before=self.release,
                repository=self.data / "models",
                workers=[
                    one
                    for one, worker in zip(_workers(self._supervised), self._workers, strict=True)
                    if worker.uses_release
                ],
                use=self._use,
            )
        changed = self._switch.step()
        self.switch_report = self._switch.report
        if self._switch.over:
            self._switch = None
            self._keep_choice()
        return changed

    def _use(self, release: InstalledRelease) -> None:
        self.release = release
        triton = self._running().servers.get(TritonServer.name)
        if isinstance(triton, TritonServer):
            triton.models = release.models  # what the next start of Triton loads

    def _keep_choice(self) -> None:
        """After a switch that failed, the file names the release that is really in use."""
        if self.release is not None:
            self._remember_choice(self.release.name)


def _wanted_workers(settings: Settings) -> list[_Worker]:
    judging = [_Worker(kind="judging", slot=slot) for slot in range(settings.local.judging_workers)]
    return [*judging, _Worker(kind="bias", slot=0), _Worker(kind="controller", slot=0)]


def _workers(supervised: list[Supervised]) -> Iterator[Supervised]:
    return (one for one in supervised if one.part.worker)


def _stop_worker(worker: _Worker) -> None:
    process, worker.process = worker.process, None
    if process is not None:
        process.stop()


@dataclass(frozen=True, kw_only=True, slots=True)
class _Plan:
    """Which servers are somebody else's (External), and on which ports ours listen (None: a free one)."""

    kafka: External | None
    valkey: External | None
    triton: External | None
    ports: Mapping[str, int | None]

    @property
    def ours(self) -> list[str]:
        return [n for n in ("kafka", "valkey", "triton") if getattr(self, n) is None]

    def taken_ports(self, others: Mapping[str, int]) -> Mapping[str, int]:
        """What each port that we are going to listen on is for.

        Raises:
            ConfigurationError: two of them are the same.
        """
        parts = {
            "Kafka (local.kafka_port)": ("kafka", "kafka"),
            "Valkey (local.redis_port)": ("valkey", "valkey"),
            "Triton HTTP (local.triton_http_port)": ("triton", "http"),
            "Triton gRPC (local.triton_grpc_port)": ("triton", "grpc"),
            "Triton metrics (local.triton_metrics_port)": ("triton", "metrics"),
        }
        wanted = {
            purpose: port
            for purpose, (server, name) in parts.items()
            if server in self.ours and (port := self.ports[name]) is not None
        }
        wanted |= others
        purposes: dict[int, str] = {}
        for purpose, port in wanted.items():
            if port in purposes:
                raise ConfigurationError(
                    f"port {port} is wanted twice, for {purposes[port]} and for {purpose}: change one"
                )
            purposes[port] = purpose
        return wanted


def _plan(settings: Settings, data: Path, *, free_ports: bool) -> _Plan:
    local = settings.local
    last = read_variables(data)

    def port(name: str) -> int | None:
        return int(getattr(local, name)) if not free_ports or _named(local, name) else None

    ports = {
        "kafka": port("kafka_port"),
        "valkey": port("redis_port"),
        "http": port("triton_http_port"),
        "grpc": port("triton_grpc_port"),
        "metrics": port("triton_metrics_port"),
    }

    def external(
        group: object, field: str, address: str, own: str, name: str, variable: str
    ) -> External | None:
        if not _named(group, field):
            return None
        place = host_port(address)
        mine = (HOST, int(getattr(local, name)))
        before = host_port(last.get(variable, ""))
        if place is not None and place in (mine, before) and is_free(place[1]):
            if not _named(local, name):
                ports[own] = place[1]
            return None
        return External(address=address)

    url = settings.redis.url.get_secret_value()
    if _named(settings.redis, "url") and not url:
        raise ConfigurationError(
            "redis.url is empty, and the local stack needs a Redis for its bias worker and controller: unset"
            " JUDGESTREAM_REDIS__URL to have one started"
        )
    kafka, redis, triton = settings.kafka, settings.redis, settings.triton
    return _Plan(
        kafka=external(kafka, "bootstrap", kafka.bootstrap, "kafka", "kafka_port", KAFKA),
        valkey=external(redis, "url", url, "valkey", "redis_port", REDIS),
        triton=external(triton, "grpc", triton.grpc, "grpc", "triton_grpc_port", TRITON),
        ports=ports,
    )


def _named(group: object, field: str) -> bool:
    """Whether the user gave this setting, in whatever way."""
    return field in getattr(group, "model_fields_set", ())


def _refuse(differences: list[Difference]) -> None:
    missing = [str(one) for one in differences if one.absent]
    if missing:
        raise ConfigurationError("topics could not be made:\n  " + "\n  ".join(missing))
    for one in differences:
        log.warning("%s", one)
