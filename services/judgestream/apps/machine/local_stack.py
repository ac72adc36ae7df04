"""judgestream on one machine: the servers, the topics, a judge and the workers, kept running together."""

import logging
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from judgestream.adapters.releases.installed import InstalledRelease
from judgestream.apps.machine.chosen_judge import JudgeOptions
from judgestream.apps.machine.server_plan import ROLLOUT, plan_servers
from judgestream.apps.machine.servers import Servers
from judgestream.apps.machine.supervision import Part, Supervised
from judgestream.apps.machine.workers import Worker, Workers
from judgestream.local import preflight
from judgestream.local.errors import DataUnusable
from judgestream.local.folder import make_folder
from judgestream.local.judge_choice import JudgeChoice, read_choice, write_choice
from judgestream.local.leftovers import end_leftovers
from judgestream.local.lock import FolderLock
from judgestream.local.ports import HOST, free_port
from judgestream.local.stack import lock_folder
from judgestream.local.supervisor_file import PartReport
from judgestream.settings import PREFIX, Settings

log = logging.getLogger(__name__)

FIRST_PAUSE_S = 0.5
LONGEST_SERVER_PAUSE_S = 30.0

CONTROL_KEY = f"{PREFIX}TRITON__CONTROL_KEY"
RELEASE = f"{PREFIX}TRITON__RELEASE"
REPOSITORY = f"{PREFIX}ROLLOUT__REPOSITORY"

Say = Callable[[str], None]


class LocalStack:
    """The servers and workers of one data folder. `start`, then `step` about every second, then `stop`."""

    def __init__(
        self,
        settings: Settings,
        *,
        data: Path,
        judge: JudgeOptions | None = None,
        free_ports: bool = False,
    ) -> None:
        """Starts nothing yet.

        Args:
            settings: without the values that a running stack adds.
            judge: the judge to serve; default: the one of the settings.
            free_ports: use free ports, except those that the settings name.
        """
        self._settings = settings
        self.data = data
        self._free_ports = free_ports
        self._servers = Servers(settings, data, judge or JudgeOptions())
        self._workers = Workers(settings, data, self._variables_of)
        self._supervised: list[Supervised] = []
        self._lock: FolderLock | None = None
        self._unsaved = False
        self.rollout_address = ""

    @property
    def release(self) -> InstalledRelease | None:
        """The judge that the stack was started with; None with an external Triton."""
        return self._servers.release

    @property
    def release_name(self) -> str:
        """The release that the rollout service makes stable at first, or where another one was named before;
        "" if none is named."""
        return self._settings.triton.release if self.release is None else self.release.name

    @property
    def addresses(self) -> Mapping[str, str]:
        """Variables that point any program to these servers."""
        return {**self._servers.addresses, ROLLOUT: self.rollout_address}

    @property
    def environment(self) -> Mapping[str, str]:
        """The variables of a worker: the servers and the release."""
        return {**self.addresses, RELEASE: self.release_name}

    def start(self, say: Say) -> None:
        """Check the machine, start the servers, create the topics, start the workers.

        Raises:
            JudgestreamError: with one clear sentence. Everything is stopped again then.
        """
        try:
            self._take_folder(say)
            self._start_servers(say)
            self._servers.make_topics(say)
            self._workers.start(say)
            self._supervise()
        except BaseException:
            self.stop()
            raise

    def step(self) -> bool:
        """Look once, without blocking: restart dead servers and workers.

        Returns whether anything has changed. Never raises for what a server or a worker did.
        """
        restarted = [self.restart_dead_servers(), self.restart_dead_workers()]
        changed = any(restarted)
        self._unsaved |= changed
        if self._unsaved:
            try:
                self._servers.running.save()
                self._unsaved = False
            except (OSError, DataUnusable) as exc:
                log.error("the state file cannot be written, will retry: %s", exc)
        return changed

    def restart_dead_servers(self) -> bool:
        """Start dead servers again, each after its back-off. Returns whether anything has changed."""
        return any([part.look() for part in self._supervised if not part.part.worker])

    def restart_dead_workers(self) -> bool:
        """Start dead workers again, each after its back-off. Returns whether anything has changed."""
        return any([part.look() for part in self._supervised if part.part.worker])

    def reports(self) -> tuple[PartReport, ...]:
        """The state of each server and worker that the stack runs."""
        return tuple(supervised.report() for supervised in self._supervised)

    def stop(self) -> None:
        """Workers first, then the servers in reverse order. Nothing is left running."""
        supervised, self._supervised = self._supervised, []
        stack = self._servers.take_stack()
        while any(part.busy for part in supervised):
            for worker in self._workers.all:
                worker.stop()
            for server in stack.servers.values() if stack is not None else ():
                server.stop()  # makes a start in progress fail
            time.sleep(0.05)
        for part in supervised:
            part.close()
        self._workers.stop()
        try:
            if stack is not None:
                stack.stop()
        finally:
            self._leave_folder()

    def _take_folder(self, say: Say) -> None:
        make_folder(self.data)
        self._lock = lock_folder(self.data)
        end_leftovers(self.data, say)
        self._workers.take_folder()

    def _leave_folder(self) -> None:
        lock, self._lock = self._lock, None
        if lock is not None:
            lock.release()
        self._workers.leave_folder()

    def _start_servers(self, say: Say) -> None:
        plan = plan_servers(self._settings, self.data, free_ports=self._free_ports)
        ports = plan.taken_ports(self._workers.metrics_ports())
        preflight.check(data_dir=self.data, servers=plan.ours, ports=ports)
        self.rollout_address = f"{HOST}:{plan.ports['rollout'] or free_port()}"
        self._servers.start(plan, self._lock, say)
        if self.release is not None:
            self._remember_choice(self.release.name)
            self._servers.load_others()

    def _supervise(self) -> None:
        """From now on `step` restarts what dies."""
        for server in self._servers.running.servers.values():
            self._supervise_part(self._servers.part(server), LONGEST_SERVER_PAUSE_S)
        # Pause and start together stay below the session timeout. So a crashed worker keeps its partitions,
        # and a record that crashes it does not move on to the other workers.
        longest = min(10.0, self._settings.kafka.session_timeout_s / 3)
        for worker in self._workers.all:
            self._supervise_part(self._workers.part(worker), longest)

    def _supervise_part(self, part: Part, longest_pause_s: float) -> None:
        self._supervised.append(
            Supervised(part, first_pause_s=FIRST_PAUSE_S, longest_pause_s=longest_pause_s)
        )

    def _variables_of(self, worker: Worker) -> Mapping[str, str]:
        """The variables of this worker. Only the rollout service gets the key to load and unload models."""
        if worker.kind != "rollout":
            return self.environment
        key = self._servers.control_key.get_secret_value()
        variables = {**self.environment, CONTROL_KEY: key}
        if self.release is not None:
            variables[REPOSITORY] = str(self.data / "models")
        return variables

    def _remember_choice(self, release: str) -> None:
        """Record in `judge.json` the release that the stack was started with."""
        last = read_choice(self.data)
        if last is None or last.release != release:
            write_choice(self.data, (last or JudgeChoice(release="")).using(release))
