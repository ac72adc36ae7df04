"""Which releases the rollout service reloads, and when. With real servers: tests/integration."""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest

from judgestream.adapters.redis.worker_board import WorkerEntry, WorkerState
from judgestream.adapters.triton.control import ModelState
from judgestream.apps.rollout.healing import Healer, used_by
from judgestream.apps.rollout.server_healing import MAX_RELOADS, WINDOW_S, ServerHealer
from judgestream.apps.worker.status import WorkerStatus
from judgestream.core.errors import (
    ConfigurationError,
    JudgeDeadlineExceeded,
    JudgeError,
    JudgestreamError,
    JudgeUnavailable,
    JudgeUnhealthy,
    KeyRefused,
)
from judgestream.core.fleet.report import ServerReport, ServerState

NAME = "judgelm-0"
ADDRESSES = ("A:1", "B:1")
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@dataclass
class Store:
    """The reload history, shared by all instances."""

    history: list[float] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)

    def note_reload(self, release: str, *, at: float, window_s: float) -> None:
        self.history.append(at)
        self.keys.append(release)

    def reloads(self, release: str, *, since: float) -> list[float]:
        noted = zip(self.keys, self.history, strict=True)
        return [at for key, at in noted if key == release and at >= since]


@dataclass
class Board:
    entries: list[WorkerEntry] = field(default_factory=list)

    def workers(self) -> list[WorkerEntry]:
        return self.entries


@dataclass
class Triton:
    """A model whose process may be dead. A reload revives it, unless it is `cursed`."""

    state: str = "READY"
    failure: JudgestreamError | None = None
    cursed: bool = False
    engine: bool = False
    stuck: bool = False
    away: bool = False
    calls: list[str] = field(default_factory=list)

    async def index(self) -> list[ModelState]:
        if self.away:
            raise JudgeUnavailable("refused")
        names = [NAME + "-engine", NAME] if self.engine else [NAME]
        return [ModelState(name=name, state=self.state) for name in names]

    async def unload(self, name: str, *, timeout_s: float) -> None:
        self.calls.append(f"unload {name}")
        self.state = "UNAVAILABLE"
        if self.stuck:
            raise JudgeDeadlineExceeded("still being unloaded")

    async def load(self, name: str) -> None:
        self.calls.append(f"load {name}")
        if self.cursed:
            raise ConfigurationError("no such file")
        self.state, self.failure = "READY", None

    async def probe(self, release: str) -> None:
        self.calls.append("probe")
        if self.failure is not None:
            raise self.failure


class Bench:
    """A service that heals the Tritons at A and B."""

    def __init__(
        self,
        reason: str,
        *tritons: Triton,
        needed: str = "",
        unneeded: str = "",
        reports: tuple[ServerReport, ...] = (),
    ) -> None:
        self.now = 0.0
        self.triton = tritons[0]
        self.tritons = dict(zip(ADDRESSES, tritons, strict=False))
        self.reports = reports
        self.draining: frozenset[str] = frozenset()
        self.store = Store()
        self.board = Board([self.entry(reason)] if reason or reports else [])
        self.needed = {needed} - {""}
        self.unneeded = {unneeded} - {""}
        self.healer = self.new_healer()

    def entry(self, reason: str) -> WorkerEntry:
        return WorkerEntry(
            kind="judging",
            slot=0,
            host="h",
            pid=1,
            life="l",
            started_at=NOON,
            seen_at=NOON,
            state=WorkerState.PAUSED if reason else WorkerState.WORKING,
            reason=reason,
            release=NAME,
            servers=self.reports,
        )

    def new_healer(self) -> Healer:
        async def no_sleep(_: float) -> None:
            pass

        async def addresses() -> list[str]:
            return list(self.tritons)

        async def draining() -> frozenset[str]:
            return self.draining

        status = WorkerStatus(kind="rollout", slot=0)
        return Healer(
            board=self.board,  # type: ignore[arg-type]
            addresses=addresses,
            server=lambda address: ServerHealer(
                address,
                store=self.store,  # type: ignore[arg-type]
                control=self.tritons[address],
                probe=self.tritons[address].probe,
                status=status,
                clock=lambda: self.now,
                sleep=no_sleep,
            ),
            needed=lambda: self.needed,
            unneeded=lambda: self.unneeded,
            status=status,
            drains=draining,
        )

    def check(self, times: int = 1, every: float = 1.0) -> list[str]:
        async def checks() -> None:
            for _ in range(times):
                await self.healer.check()
                self.now += every

        asyncio.run(checks())
        return self.triton.calls


UNHEALTHY = JudgeUnhealthy("Stub process is not healthy")
RELOAD = ["probe", "probe", f"unload {NAME}", f"load {NAME}"]


def test_a_dead_process_is_confirmed_twice_and_reloaded_once() -> None:
    assert Bench("judge_unhealthy: ...", Triton(failure=UNHEALTHY)).check() == RELOAD
    assert Bench("judge_broken: ...", Triton(failure=JudgeError("CUDA"))).check() == RELOAD


def test_requests_that_never_end_in_a_dead_process_do_not_block_the_reload() -> None:
    bench = Bench("judge_unhealthy: ...", Triton(failure=UNHEALTHY, stuck=True))
    assert bench.check() == RELOAD
    half = Bench("release_not_loaded: ...", Triton(state="UNLOADING"))
    assert half.check(times=10) == []
    assert half.check(times=10)[0] == f"load {NAME}"


@pytest.mark.parametrize(
    ("reason", "failure"),
    [
        ("judge_unhealthy: one prompt fails", None),
        ("judge_unhealthy: the endpoint is to blame", KeyRefused("401")),
        ("judge_unhealthy: busy", JudgeUnavailable("queue")),
    ],
)
def test_a_release_whose_model_works_is_left_alone(
    reason: str, failure: JudgestreamError | None
) -> None:
    calls = Bench(reason, Triton(failure=failure)).check(times=3)
    assert set(calls) == {"probe"}


@pytest.mark.parametrize("reason", ["key_refused: 401", "judge_unavailable: away", ""])
def test_a_failure_that_a_reload_cannot_cure_is_not_probed(reason: str) -> None:
    assert Bench(reason, Triton(failure=UNHEALTHY)).check(times=5) == []


def test_a_release_that_workers_need_is_loaded() -> None:
    calls = Bench("release_not_loaded: ...", Triton(state="UNAVAILABLE")).check(times=3)
    assert calls[0] == f"load {NAME}" and set(calls) <= {f"load {NAME}", "probe"}


def test_a_needed_release_is_loaded_without_a_worker() -> None:
    assert Bench("", Triton(state="UNAVAILABLE"), needed=NAME).check(times=5) == [f"load {NAME}"]


def test_a_release_that_left_traffic_is_not_loaded_again_for_a_worker_that_still_waits() -> None:
    bench = Bench("release_not_loaded: ...", Triton(state="UNAVAILABLE"), unneeded=NAME)
    assert bench.check(times=5) == []


def test_a_release_that_is_loading_is_left_alone() -> None:
    assert Bench("release_not_loaded: ...", Triton(state="LOADING")).check(times=3) == []


def test_an_engine_is_loaded_before_its_front_model() -> None:
    calls = Bench("release_not_loaded: ...", Triton(state="UNAVAILABLE", engine=True)).check()
    assert calls == [f"load {NAME}-engine", f"load {NAME}"]


def test_useless_reloads_come_at_growing_intervals_and_stop() -> None:
    bench = Bench("release_not_loaded: ...", Triton(state="UNAVAILABLE", cursed=True))
    bench.check(times=int(WINDOW_S) - 10)
    gaps = [b - a for a, b in zip(bench.store.history, bench.store.history[1:], strict=False)]
    assert gaps[:4] == [5, 10, 20, 40] and max(gaps) == 300
    assert len(bench.store.history) == MAX_RELOADS


def test_a_new_leader_continues_the_reload_history_of_a_dead_one() -> None:
    bench = Bench("release_not_loaded: ...", Triton(state="UNAVAILABLE", cursed=True))
    bench.check(times=2)
    bench.healer = bench.new_healer()
    bench.check(times=5)
    assert bench.store.history == [0, 5]


def report(address: str, trouble: str) -> ServerReport:
    return ServerReport(address=address, state=ServerState.UP, releases={NAME: trouble})


@pytest.mark.parametrize("trouble", ["judge_unhealthy: ...", "judge_error: CUDA"])
def test_a_release_that_fails_at_one_server_is_reloaded_there_alone(trouble: str) -> None:
    bench = Bench(
        "",
        Triton(),
        Triton(failure=JudgeError("CUDA")),
        reports=(report("A:1", ""), report("B:1", trouble)),
    )
    bench.check()
    assert [one.calls for one in bench.tritons.values()] == [[], RELOAD]


def test_a_new_server_gets_the_releases_that_workers_use() -> None:
    bench = Bench(
        "",
        Triton(),
        Triton(state=""),
        reports=(report("A:1", ""), report("B:1", "release_not_loaded: ...")),
    )
    bench.check()
    assert [one.calls for one in bench.tritons.values()] == [[], [f"load {NAME}"]]
    assert used_by(bench.board.entries) == {NAME}


def test_a_server_that_is_away_does_not_keep_another_from_being_healed() -> None:
    bench = Bench("release_not_loaded: ...", Triton(away=True), Triton(state="UNAVAILABLE"))
    bench.check()
    assert bench.tritons["B:1"].calls == [f"load {NAME}"]


def test_a_draining_server_is_left_alone_until_it_is_used_again() -> None:
    bench = Bench("", Triton(), Triton(state="UNAVAILABLE"), needed=NAME)
    bench.draining = frozenset({"B:1"})
    bench.check(times=5)
    assert bench.tritons["B:1"].calls == []
    bench.draining = frozenset()
    bench.check(times=3)
    assert bench.tritons["B:1"].calls == [f"load {NAME}"]


def test_reloads_are_limited_for_each_server() -> None:
    cursed = [Triton(state="UNAVAILABLE", cursed=True) for _ in ADDRESSES]
    bench = Bench("release_not_loaded: ...", *cursed)
    bench.check(times=int(WINDOW_S) - 10)
    assert [len(one.calls) for one in cursed] == [MAX_RELOADS] * 2


def test_an_error_of_the_model_at_the_only_server_is_left_to_the_worker() -> None:
    alone = Bench("", Triton(failure=JudgeError("CUDA")), reports=(report("A:1", "judge_error"),))
    assert alone.check(times=3) == []
