"""The servers of one machine, with what is in them: the topics of its Kafka and the judge of its Triton."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from pydantic import SecretStr

from judgestream.adapters.kafka.topics import Difference, admin, apply
from judgestream.adapters.releases.installed import InstalledRelease, find
from judgestream.adapters.triton.control import TritonControl, restrictions
from judgestream.apps.machine.chosen_judge import JudgeWish, choose
from judgestream.apps.machine.server_plan import KAFKA, REDIS, TRITON, ServerPlan
from judgestream.apps.machine.supervision import Part
from judgestream.core.errors import ConfigurationError, JudgestreamError
from judgestream.local.errors import LocalServerError
from judgestream.local.judge_choice import read_choice
from judgestream.local.lock import FolderLock
from judgestream.local.private import kept_secret
from judgestream.local.running import CONTROL_KEY_FILE
from judgestream.local.server import LocalServer
from judgestream.local.stack import LocalKafka, LocalTriton, LocalValkey, Stack
from judgestream.local.triton import TritonServer, require_plain_path
from judgestream.settings import Settings

log = logging.getLogger(__name__)

VALKEY_KEY_FILE = "valkey.key"
"""Like the control key kept over restarts: a worker that outlives the stack still knows it."""

Say = Callable[[str], None]


class Servers:
    """The servers of one data folder. `start`, then `load_others` and `make_topics`.

    release       the judge in use; None where Triton is somebody else's
    control_key   what Triton asks of those who load and unload models
    """

    def __init__(self, settings: Settings, data: Path, wish: JudgeWish) -> None:
        """Nothing is started yet."""
        self._settings = settings
        self._data = data
        self._wish = wish
        self._stack: Stack | None = None
        self.release: InstalledRelease | None = None
        self.control_key = settings.triton.control_key

    @property
    def running(self) -> Stack:
        """Raises LocalServerError when they are not started, or already taken away."""
        if self._stack is None:
            raise LocalServerError("the local stack is not started")
        return self._stack

    @property
    def addresses(self) -> Mapping[str, str]:
        """The variables by which any program finds these servers."""
        stack = self.running
        return {
            KAFKA: stack.kafka_bootstrap or "",
            REDIS: stack.valkey_url or "",
            TRITON: stack.triton_url or "",
        }

    def start(self, plan: ServerPlan, lock: FolderLock | None, say: Say) -> None:
        """Choose the judge, and start what the plan says. `lock` is the data folder's.

        Raises:
            JudgestreamError: one clear sentence; what had been started is stopped again.
        """
        if plan.triton is None:
            self._choose_judge(say)
        elif self._wish.judge:
            raise ConfigurationError(
                f"--judge needs a Triton of the stack's own, and triton.grpc names one at"
                f" {self._settings.triton.grpc}: unset JUDGESTREAM_TRITON__GRPC, or load the judge there"
            )
        names = ", ".join(name.capitalize() for name in plan.ours) or "no server of our own"
        say(f"starting {names} (logs under {self._data})")
        self._stack = self._planned(plan, lock)
        self._stack.start()

    def take_stack(self) -> Stack | None:
        """The servers, for whoever stops them. From now on they count as not started."""
        stack, self._stack = self._stack, None
        return stack

    def use(self, release: InstalledRelease) -> None:
        """Set the release in use, which the next start of Triton loads."""
        self.release = release
        triton = self.running.servers.get(TritonServer.name)
        if isinstance(triton, TritonServer):
            triton.models = release.models

    def load_others(self) -> None:
        """Load again what `release load` had loaded beside the release in use. One that cannot be loaded is
        logged: the release in use is not held up for it."""
        choice = read_choice(self._data)
        others = choice.loaded if choice is not None and self.release is not None else ()
        if others:
            asyncio.run(self._load(others))

    def make_topics(self, say: Say) -> None:
        """Make the topics that are missing.

        Raises:
            ConfigurationError: one could not be made.
        """
        kafka = self._settings.kafka.model_copy(update={"bootstrap": self.running.kafka_bootstrap})
        client = admin(kafka)
        try:
            created, differences = apply(client, kafka)
        finally:
            client.close()
        say(f"topics: {len(created)} created" if created else "topics: all there")
        _refuse(differences)

    def part(self, server: LocalServer) -> Part:
        """What the supervisor must know of this server."""

        def start() -> None:
            server.stop()
            server.start()
            if isinstance(server, TritonServer):
                self.load_others()

        return Part(
            name=server.name,
            worker=False,
            log_path=server.log_path,
            start=start,
            check=server.check,
            pid=lambda: None if server.process is None else server.process.pid,
        )

    def _choose_judge(self, say: Say) -> None:
        require_plain_path(self._data / "models", "The model repository")
        self.control_key = SecretStr(kept_secret(self._data / CONTROL_KEY_FILE))
        self.release = choose(self._settings, self._data, self._wish)
        say(f"judge {self.release.name} ({self.release.endpoint or 'served by Triton'})")

    def _planned(self, plan: ServerPlan, lock: FolderLock | None) -> Stack:
        ports = plan.ports
        return Stack(
            data_dir=self._data,
            lock=lock,
            kafka=plan.kafka or LocalKafka(port=ports["kafka"]),
            valkey=plan.valkey
            or LocalValkey(
                port=ports["valkey"], password=kept_secret(self._data / VALKEY_KEY_FILE)
            ),
            triton=plan.triton
            or LocalTriton(
                model_repository=self._data / "models",
                models=list(self.release.models) if self.release else [],
                http_port=ports["http"],
                grpc_port=ports["grpc"],
                metrics_port=ports["metrics"],
                hidden_arguments=restrictions(self.control_key),
            ),
        )

    async def _load(self, names: Sequence[str]) -> None:
        address = self.running.triton_url or ""
        async with TritonControl(address, self.control_key) as control:
            for name in names:
                try:
                    for model in find(self._data / "models", name).models:
                        await control.load(model)
                except JudgestreamError as exc:
                    log.error("release %s is not loaded again: %s", name, exc)


def _refuse(differences: list[Difference]) -> None:
    missing = [str(one) for one in differences if one.absent]
    if missing:
        raise ConfigurationError("topics could not be made:\n  " + "\n  ".join(missing))
    for one in differences:
        log.warning("%s", one)
