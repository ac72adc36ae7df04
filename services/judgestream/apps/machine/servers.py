"""The servers of a local stack, the topics of its Kafka and the judge of its Triton."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from pydantic import SecretStr

from judgestream.adapters.kafka.topics import Difference, admin, apply
from judgestream.adapters.releases.bundled import about
from judgestream.adapters.releases.installed import InstalledRelease, find
from judgestream.adapters.releases.model_config import bundled_models
from judgestream.adapters.tls.client import PLAINTEXT
from judgestream.adapters.triton.control import TritonControl, restrictions
from judgestream.apps.machine.chosen_judge import JudgeOptions, choose
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
"""Kept over restarts like the control key, so that a worker that outlives the stack can still log in."""

Say = Callable[[str], None]


class Servers:
    """The servers of one data folder. `start`, then `load_others` and `make_topics`.

    release       the judge that it starts with; None with an external Triton
    control_key   the key to load and unload models
    """

    def __init__(self, settings: Settings, data: Path, judge: JudgeOptions) -> None:
        """Starts nothing yet."""
        self._settings = settings
        self._data = data
        self._judge = judge
        self._stack: Stack | None = None
        self.release: InstalledRelease | None = None
        self.control_key = settings.triton.control_key

    @property
    def running(self) -> Stack:
        """The running servers. Raises LocalServerError when they are not running."""
        if self._stack is None:
            raise LocalServerError("the local stack is not started")
        return self._stack

    @property
    def addresses(self) -> Mapping[str, str]:
        """Variables that point any program to these servers."""
        stack = self.running
        return {
            KAFKA: stack.kafka_bootstrap or "",
            REDIS: stack.valkey_url or "",
            TRITON: stack.triton_url or "",
        }

    def start(self, plan: ServerPlan, lock: FolderLock | None, say: Say) -> None:
        """Choose the judge and start the servers of the plan. `lock` is the data folder's.

        Raises:
            JudgestreamError: with one clear sentence. All servers are stopped again then.
        """
        if plan.triton is None:
            self._choose_judge(say)
        elif self._judge.judge:
            raise ConfigurationError(
                f"--judge needs the stack's own Triton, but triton.grpc names another at"
                f" {self._settings.triton.grpc}: unset JUDGESTREAM_TRITON__GRPC, or load the judge there"
            )
        names = ", ".join(name.capitalize() for name in plan.ours) or "no server"
        say(f"starting {names} (logs under {self._data})")
        self._stack = self._planned(plan, lock)
        self._stack.start()

    def take_stack(self) -> Stack | None:
        """The servers, for the caller to stop. From now on they count as not running."""
        stack, self._stack = self._stack, None
        return stack

    def load_others(self) -> None:
        """Load the further releases again that `release load` had loaded. Failures are only logged, so that
        they do not delay the release in use."""
        choice = read_choice(self._data)
        others = choice.loaded if choice is not None and self.release is not None else ()
        if others:
            asyncio.run(self._load(others))

    def make_topics(self, say: Say) -> None:
        """Create the missing topics.

        Raises:
            ConfigurationError: a topic could not be created.
        """
        kafka = self._settings.kafka.model_copy(update={"bootstrap": self.running.kafka_bootstrap})
        client = admin(kafka)
        try:
            created, differences = apply(client, kafka)
        finally:
            client.close()
        say(f"topics: {len(created)} created" if created else "topics: all present")
        _refuse(differences)

    def part(self, server: LocalServer) -> Part:
        """This server, as the supervisor sees it."""

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
        self.release = choose(self._settings, self._data, self._judge, say)
        say(f"judge {self.release.name} ({self.release.endpoint or 'served by Triton'})")
        if caution := about(self.release.release.checkpoint_digest, bundled_models()):
            say(caution)

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
        async with TritonControl(address, self.control_key, tls=PLAINTEXT) as control:
            for name in names:
                try:
                    for model in find(self._data / "models", name).models:
                        await control.load(model)
                except JudgestreamError as exc:
                    log.error("release %s could not be loaded again: %s", name, exc)


def _refuse(differences: list[Difference]) -> None:
    missing = [str(difference) for difference in differences if difference.absent]
    if missing:
        raise ConfigurationError("topics could not be created:\n  " + "\n  ".join(missing))
    for difference in differences:
        log.warning("%s", difference)
