"""The rollout service without servers: a topic in memory, and Triton servers in memory."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from judgestream.apps.rollout.automatic import Automatic
from judgestream.apps.rollout.checkpoints import Announced
from judgestream.apps.rollout.desk import Desk
from judgestream.apps.rollout.log import TermEnded
from judgestream.apps.rollout.preparing import Preparer
from judgestream.apps.rollout.tasks import Tasks
from judgestream.apps.rollout.unloading import Unloader
from judgestream.core.errors import JudgestreamError
from judgestream.core.rollout.moves import Move
from judgestream.core.rollout.state import Action, Placed, Rollout
from judgestream.v1.rollout_pb2 import Checkpoint

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@dataclass
class Journal:
    """The topic: every state that was written. The term ends with the first state that `ends` names."""

    state: Rollout = Rollout()
    writes: list[Rollout] = field(default_factory=list)
    ends: Callable[[Rollout], bool] = lambda state: False
    over: bool = False

    async def append(self, state: Rollout) -> None:
        await asyncio.sleep(0)
        if self.over:
            raise TermEnded("another instance writes the rollout now")
        self.state = state
        self.writes.append(state)
        self.over = self.ends(state)


@dataclass
class Tritons:
    """Servers, each with the models that it has loaded. A load of `broken` fails with its error."""

    servers: dict[str, set[str]] = field(default_factory=lambda: {"one:1": set()})
    broken: dict[str, JudgestreamError] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)

    async def load_everywhere(
        self, models: Sequence[str], *, least: int = 1, need: int = 0
    ) -> None:
        for model in models:
            self.calls.append(f"load {model}")
            if model in self.broken:
                raise self.broken[model]
            for loaded in self.servers.values():
                loaded.add(model)

    async def unload_everywhere(self, models: Sequence[str]) -> None:
        for model in reversed(models):
            self.calls.append(f"unload {model}")
            for loaded in self.servers.values():
                loaded.discard(model)

    async def ready_on(self, release: str) -> tuple[str, ...]:
        return tuple(address for address, loaded in self.servers.items() if release in loaded)

    async def enough(self, release: str, least: int) -> bool:
        return len(await self.ready_on(release)) >= least


@dataclass
class Feed:
    """Published checkpoints."""

    announced: list[Announced] = field(default_factory=list)
    end: int = 0

    def after(self, offset: int) -> list[Announced]:
        return [one for one in self.announced if one.offset >= offset]

    def publish(self, release: str, location: str, digest: str) -> None:
        message = Checkpoint(digest=digest, family="judgelm", location=location, name=release)
        self.announced.append(Announced(release=release, offset=self.end, message=message))
        self.end += 1


class Bench:
    """The parts of the leader. `until` lets them work until something holds."""

    def __init__(
        self,
        repository: Path,
        *,
        wanted: str = "",
        auto_stage: bool = True,
        grace_s: float = 60.0,
        least_servers: int = 1,
    ) -> None:
        self.time = NOON
        self.journal = Journal()
        self.tritons = Tritons()
        self.feed = Feed()
        self.used: set[str] = set()
        self.smoked: list[tuple[str, str]] = []
        self.smoke_error: JudgestreamError | None = None
        self.desk = Desk(self.journal)  # type: ignore[arg-type]
        self.repository = repository
        self.wanted = wanted
        self.auto_stage = auto_stage
        self.grace_s = grace_s
        self.least_servers = least_servers
        self.start()

    def start(self) -> None:
        """A new instance begins to lead: everything that was only in memory is gone."""
        self.clock = 0.0
        self.preparing = Tasks(lambda: None, clock=lambda: self.clock)
        self.unloading = Tasks(lambda: None, clock=lambda: self.clock)
        self.automatic = Automatic(
            self.desk,
            self.feed,  # type: ignore[arg-type]
            auto_stage=self.auto_stage,
            wanted=self.wanted,
            now=self.now,
        )
        self.journal.state = self.automatic.first_state(self.journal.state)
        self.preparer = Preparer(
            self.desk,
            self.preparing,
            self.tritons,
            self.smoke,
            repository=self.repository,
            least_servers=self.least_servers,
            now=self.now,
        )
        self.unloader = Unloader(
            self.desk,
            self.unloading,
            self.tritons,
            lambda release, left: sorted(self.used & {release}),
            repository=self.repository,
            grace_s=self.grace_s,
            now=self.now,
        )

    def now(self) -> datetime:
        return self.time

    async def smoke(self, address: str, release: str, digest: str) -> None:
        self.smoked.append((address, release))
        if self.smoke_error is not None:
            raise self.smoke_error

    async def check(self) -> None:
        """One look of the leader, and time for its tasks."""
        await self.automatic.check()
        self.preparer.check()
        self.unloader.check()
        await asyncio.sleep(0.02)

    async def until(
        self, holds: Callable[[], bool], *, seconds: float = 10.0, pace: float = 1.0
    ) -> None:
        """Look again and again until something holds; `pace` seconds of the leader's clock pass each time."""
        deadline = asyncio.get_running_loop().time() + seconds
        while not holds():
            if asyncio.get_running_loop().time() > deadline:
                raise TimeoutError(f"it does not hold within {seconds:.0f} s: {self.shown()}")
            await self.check()
            self.clock += pace

    async def move(self, action: Action, release: str, **fields: object) -> None:
        by = {"by": "ops", **fields}
        await self.desk.move(Move(action=action, release=release, at=self.now(), **by))  # type: ignore[arg-type]

    async def stop(self) -> None:
        await self.preparing.close()
        await self.unloading.close()

    def later(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)

    def placed(self, release: str) -> Placed:
        return self.journal.state.releases[release]

    def shown(self) -> str:
        rows = [
            f"{p.release} {p.stage} {p.step} {p.error}"
            for p in self.journal.state.releases.values()
        ]
        return "; ".join([*rows, str(self.preparing.progress), str(self.unloading.progress)])
