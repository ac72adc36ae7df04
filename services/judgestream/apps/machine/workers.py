"""The worker processes of a local stack."""

import os
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from judgestream.apps.machine.supervision import Part
from judgestream.apps.worker.metrics_ports import metrics_port
from judgestream.local.errors import ServerDied
from judgestream.local.lock import FolderLock
from judgestream.local.process import Command, ServerProcess
from judgestream.settings import Settings
from judgestream.settings.secret_files import without_files

READY_S = 90.0

COMMANDS = {"rollout": ("rollout", "serve")}
"""Kind -> its command; `worker KIND` for the others."""

Say = Callable[[str], None]


@dataclass(kw_only=True, slots=True)
class Worker:
    """One worker. `process` is None while it is not running."""

    kind: str
    slot: int
    process: ServerProcess | None = None

    @property
    def name(self) -> str:
        return f"{self.kind}-{self.slot}"

    @property
    def waited_for(self) -> bool:
        """Whether the stack is up only when this worker is."""
        return self.kind != "shadow"

    def stop(self) -> None:
        process, self.process = self.process, None
        if process is not None:
            process.stop()


class Workers:
    """All workers of one data folder. `take_folder`, then `start`, then `stop`, then `leave_folder`."""

    def __init__(
        self, settings: Settings, data: Path, environment: Callable[[Worker], Mapping[str, str]]
    ) -> None:
        """Starts nothing yet. `environment` is called at every start of a worker and returns the variables
        that are added to those of this process. It raises when the servers are gone."""
        self._settings = settings
        self._data = data
        self._folder = data / "workers"
        self._environment = environment
        self._lock: FolderLock | None = None
        self.all = [*_wanted(settings), Worker(kind="shadow", slot=0)]

    def metrics_ports(self) -> Mapping[str, int]:
        """Purpose -> port, for each port that a worker will listen on.

        Raises:
            ConfigurationError: a kind has more workers than ports.
        """
        ports = {
            f"metrics of worker {worker.name}": metrics_port(
                self._settings, worker.kind, worker.slot
            )
            for worker in self.all
        }
        return {purpose: port for purpose, port in ports.items() if port}

    def take_folder(self) -> None:
        """Lock the folder until the last worker has ended, whatever ends this process."""
        self._lock = FolderLock(self._folder, purpose="the folder of a stack's workers")

    def leave_folder(self) -> None:
        lock, self._lock = self._lock, None
        if lock is not None:
            lock.release()

    def start(self, say: Say) -> None:
        """Start all workers. Returns when those that are waited for have their partitions.

        The others start last, so that they do not delay them.

        Raises:
            LocalServerError: a worker fails to start twice.
        """
        say("starting workers: " + ", ".join(worker.name for worker in self.all))
        first = [worker for worker in self.all if worker.waited_for]
        for worker in first:
            worker.process = self._spawn(worker)
        for worker in first:
            try:
                self._await(worker)
            except ServerDied as exc:
                # Members of an earlier run may have held the group for their session timeout.
                say(f"{str(exc).splitlines()[0]} Trying once more")
                self._restart(worker)
        for worker in self.all:
            if not worker.waited_for:
                worker.process = self._spawn(worker)

    def stop(self) -> None:
        """Stop all in parallel. A second call does nothing."""
        with ThreadPoolExecutor(len(self.all)) as pool:
            list(pool.map(Worker.stop, self.all))

    def part(self, worker: Worker) -> Part:
        """This worker, as the supervisor sees it."""

        def check() -> None:
            if worker.process is None:
                raise ServerDied(f"worker {worker.name} is not started")
            worker.process.check()

        return Part(
            name=worker.name,
            worker=True,
            log_path=self._log_path(worker),
            start=lambda: self._restart(worker),
            check=check,
            pid=lambda: None if worker.process is None else worker.process.pid,
        )

    def _restart(self, worker: Worker) -> None:
        worker.stop()
        worker.process = self._spawn(worker)
        self._await(worker)

    def _spawn(self, worker: Worker) -> ServerProcess:
        ready = self._ready_path(worker)
        ready.unlink(missing_ok=True)
        return ServerProcess(
            Command(
                name=f"worker {worker.name}",
                argv=[
                    sys.executable,
                    *(
                        "-m",
                        "judgestream.apps.cli",
                        *COMMANDS.get(worker.kind, ("worker", worker.kind)),
                    ),
                    *("--slot", str(worker.slot), "--ready-file", str(ready)),
                ],
                log_path=self._log_path(worker),
                cwd=self._data,
                env=without_files(os.environ, self._environment(worker)),
                stop_seconds=20.0,
            ),
            held_files=[] if self._lock is None else [self._lock.fd],
        )

    def _await(self, worker: Worker) -> None:
        if worker.process is None:
            raise ServerDied(f"worker {worker.name} is not started")
        worker.process.wait_ready(
            self._ready_path(worker).exists,
            what="been assigned its partitions",
            seconds=READY_S,
            advice="The machine may be busy: start again.",
        )

    def _ready_path(self, worker: Worker) -> Path:
        return self._folder / f"{worker.name}.ready"

    def _log_path(self, worker: Worker) -> Path:
        return self._folder / f"{worker.name}.log"


def _wanted(settings: Settings) -> list[Worker]:
    judging = [Worker(kind="judging", slot=slot) for slot in range(settings.local.judging_workers)]
    return [*judging, Worker(kind="bias", slot=0), Worker(kind="rollout", slot=0)]
