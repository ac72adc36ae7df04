"""A release over several servers: who is asked, and what happens when a server fails."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from time import monotonic

import grpc
import pytest

from judgestream.adapters.triton import fleet as fleet_module
from judgestream.adapters.triton.fleet import Fleet
from judgestream.adapters.triton.fleet_judge import FleetJudge
from judgestream.core.errors import (
    ConfigurationError,
    JudgeDeadlineExceeded,
    JudgeError,
    JudgestreamError,
    JudgeUnavailable,
    JudgeUnhealthy,
    KeyRefused,
    ReleaseChanged,
    ReleaseNotLoaded,
    StoreUnavailable,
)
from judgestream.core.fleet.report import ServerState
from judgestream.core.fleet.server_list import ServerEntry, parse_servers
from judgestream.core.probe import known_good
from judgestream.template_files import template_of
from tests.adapters.triton.small_server import DIGEST, NAME, SmallTriton, small_tritons

GONE = (grpc.StatusCode.UNAVAILABLE, "connection lost")
STUB_DIED = (grpc.StatusCode.INTERNAL, "Stub process is not healthy.")
DEFECT = (grpc.StatusCode.INTERNAL, "model_failed: CUDA error")


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Checks and looks come often, so that no test waits for one."""
    for name, seconds in (("CHECK_S", 0.2), ("DRAINS_S", 0.1), ("RESOLVE_INTERVAL_S", 0.05)):
        monkeypatch.setattr(fleet_module, name, seconds)


@dataclass
class Marks:
    """The drain marks."""

    addresses: set[str] = field(default_factory=set)
    away: bool = False

    async def __call__(self) -> frozenset[str]:
        if self.away:
            raise StoreUnavailable("Redis does not answer")
        return frozenset(self.addresses)


@asynccontextmanager
async def opened(
    count: int, *, deadline_s: float = 5.0, prepare: Callable[[list[SmallTriton]], object] = list
) -> AsyncIterator[tuple[list[SmallTriton], Fleet, FleetJudge, Marks]]:
    async with small_tritons(count) as servers:
        prepare(servers)
        marks = Marks()
        entries = parse_servers(",".join(server.address for server in servers))
        async with Fleet(entries, drains=marks) as fleet:
            judge = await FleetJudge.connect(fleet, NAME, deadline_s=deadline_s)
            yield servers, fleet, judge, marks


async def ask(judge: FleetJudge, times: int = 1) -> None:
    for _ in range(times):
        (reply,) = await judge.ask(known_good(template_of(judge.release))[:1])
        assert reply.text == "8 7"


async def until(condition: Callable[[], bool], what: str, seconds: float = 5.0) -> None:
    deadline = monotonic() + seconds
    while not condition():
        assert monotonic() < deadline, f"waited {seconds} s for {what}"
        await asyncio.sleep(0.02)


def asked(servers: Sequence[SmallTriton]) -> list[int]:
    return [server.asked for server in servers]


def problems(fleet: Fleet) -> list[str]:
    return [report.releases[NAME].partition(":")[0] for report in fleet.reports()]


async def test_every_server_gets_calls_and_those_in_flight_count() -> None:
    async with opened(3) as (servers, fleet, judge, _):
        for server in servers:
            server.seconds = 0.2
        await asyncio.gather(*(ask(judge) for _ in range(3)))
        assert asked(servers) == [1, 1, 1]
        calls = [asyncio.create_task(ask(judge)) for _ in range(9)]
        await asyncio.sleep(0.1)
        assert sorted(report.in_flight for report in fleet.reports()) == [3, 3, 3]
        await asyncio.gather(*calls)
        assert [report.in_flight for report in fleet.reports()] == [0, 0, 0]


@pytest.mark.parametrize(
    "failure",
    [
        GONE,
        (grpc.StatusCode.NOT_FOUND, "unknown model"),
        (grpc.StatusCode.UNAVAILABLE, "key_refused: 401"),
    ],
    ids=["unavailable", "not loaded", "key refused"],
)
async def test_a_call_that_one_server_does_not_take_is_asked_elsewhere_at_once(
    failure: tuple[grpc.StatusCode, str],
) -> None:
    async with opened(2) as (servers, _, judge, _):
        servers[0].failure = failure
        await ask(judge, times=6)
        assert asked(servers) == [1, 6], "the first is left alone for a while"


async def test_a_server_that_is_put_aside_is_tried_again() -> None:
    async with opened(2) as (servers, _, judge, _):
        servers[0].failure = GONE
        await ask(judge, times=2)
        servers[0].failure = None
        await asyncio.sleep(0.6)
        for server in servers:
            server.seconds = 0.02
        await asyncio.gather(*(ask(judge) for _ in range(10)))
        assert servers[0].asked == 2, "one call tries it"
        await asyncio.gather(*(ask(judge) for _ in range(20)))
        assert servers[0].asked >= 5


async def test_a_server_that_dies_and_comes_back_is_used_again() -> None:
    async with opened(2) as (servers, fleet, judge, _):
        servers[0].seconds = 5.0
        in_flight = [asyncio.create_task(ask(judge)) for _ in range(6)]
        await asyncio.sleep(0.1)
        await servers[0].stop()
        await asyncio.wait_for(asyncio.gather(*in_flight), 2.0)
        await until(lambda: fleet.reports()[0].state is ServerState.DOWN, "down")
        servers[0].seconds = 0.0
        await servers[0].start()
        await until(lambda: fleet.reports()[0].state is ServerState.UP, "up")
        before = servers[0].asked
        for server in servers:
            server.seconds = 0.02
        await asyncio.gather(*(ask(judge) for _ in range(20)))
        assert servers[0].asked - before >= 3


@pytest.mark.parametrize("failure", [STUB_DIED, DEFECT], ids=["process died", "model failed"])
async def test_a_failure_of_the_model_is_not_spread_to_other_servers(
    failure: tuple[grpc.StatusCode, str],
) -> None:
    async with opened(2) as (servers, fleet, judge, _):
        servers[0].failure = failure
        with pytest.raises(JudgeError):  # of the call, not of the release
            await ask(judge, times=2)
        assert sum(asked(servers)) <= 2
        calls = asked(servers)
        await ask(judge, times=5)
        assert asked(servers) == [calls[0], calls[1] + 5]
        assert problems(fleet)[0] in ("judge_unhealthy", "judge_error")


async def test_a_release_whose_processes_have_died_everywhere_pauses() -> None:
    async with opened(2) as (servers, _, judge, _):
        for server in servers:
            server.failure = STUB_DIED
        with pytest.raises(JudgeError):
            await ask(judge)
        with pytest.raises(JudgeUnhealthy):
            await ask(judge)


async def test_a_missed_deadline_is_not_asked_again() -> None:
    async with opened(2, deadline_s=0.2) as (servers, _, judge, _):
        for server in servers:
            server.seconds = 2.0
        with pytest.raises(JudgeDeadlineExceeded):
            await ask(judge)
        assert sum(asked(servers)) == 1


async def test_a_server_with_another_checkpoint_is_not_used() -> None:
    def prepare(servers: list[SmallTriton]) -> None:
        servers[0].models[NAME] = "b" * 64

    async with opened(2, prepare=prepare) as (servers, fleet, judge, _):
        assert judge.release.checkpoint_digest == DIGEST
        await ask(judge, times=4)
        assert asked(servers) == [0, 4]
        assert "has checkpoint bbbbbbbb" in fleet.reports()[0].releases[NAME]
        servers[0].models[NAME] = DIGEST
        await until(lambda: problems(fleet) == ["", ""], "the right checkpoint")
        await ask(judge, times=4)
        assert servers[0].asked >= 1


async def test_a_release_that_changes_everywhere_is_refused() -> None:
    async with opened(2) as (servers, fleet, judge, _):
        for server in servers:
            server.models[NAME] = "b" * 64
        await until(lambda: set(problems(fleet)) == {"release_changed"}, "the change")
        with pytest.raises(ReleaseChanged, match="bbbbbbbb"):
            await ask(judge)


async def test_a_release_that_is_unloaded_everywhere_is_not_loaded() -> None:
    async with opened(2) as (servers, fleet, judge, _):
        servers[0].ready.clear()
        await ask(judge, times=3)
        servers[1].ready.clear()
        await until(lambda: set(problems(fleet)) == {"release_not_loaded"}, "the health check")
        with pytest.raises(ReleaseNotLoaded, match=servers[1].address):
            await ask(judge)
        servers[0].ready.add(NAME)
        await until(lambda: "" in problems(fleet), "the load")
        await ask(judge, times=2)


async def test_one_server_that_has_the_release_is_enough_to_connect() -> None:
    def prepare(servers: list[SmallTriton]) -> None:
        servers[0].ready.clear()
        servers[1].address = "127.0.0.1:9"  # refuses

    async with opened(3, prepare=prepare) as (servers, fleet, judge, _):
        await ask(judge, times=2)
        assert asked(servers)[2] == 2
        servers[0].ready.add(NAME)
        await until(lambda: problems(fleet)[0] == "", "a later load")
        await ask(judge, times=4)
        assert servers[0].asked >= 1


async def test_what_keeps_a_release_from_being_found_is_said() -> None:
    async with small_tritons(2) as servers:
        addresses = ",".join(server.address for server in servers)

        async def connect(text: str, name: str) -> FleetJudge:
            async with Fleet(parse_servers(text)) as fleet:
                return await FleetJudge.connect(fleet, name, deadline_s=2.0)

        assert (await connect(addresses, "")).release.name == NAME
        with pytest.raises(ReleaseNotLoaded, match="other is not loaded"):
            await connect(addresses, "other")
        with pytest.raises(JudgeUnavailable, match="JUDGESTREAM_TRITON__GRPC"):
            await connect("127.0.0.1:9", NAME)
        with pytest.raises(JudgeUnavailable, match=r"127\.0\.0\.1:9, 127\.0\.0\.1:10"):
            await connect("127.0.0.1:9,127.0.0.1:10", NAME)
        servers[1].models["b"] = "b" * 64
        servers[1].ready.add("b")
        with pytest.raises(ConfigurationError, match=f"b, {NAME}"):
            await connect(addresses, "")


async def test_a_single_server_is_asked_again_and_again_and_its_errors_are_its_own() -> None:
    async with opened(1) as (servers, fleet, judge, _):
        for failure, error in (
            (GONE, JudgeUnavailable),
            (STUB_DIED, JudgeUnhealthy),
            (DEFECT, JudgeError),
            ((grpc.StatusCode.UNAVAILABLE, "key_refused: 401"), KeyRefused),
        ):
            servers[0].failure = failure
            for _ in range(2):
                calls = servers[0].asked
                with pytest.raises(error) as raised:
                    await ask(judge)
                assert "no Triton can be asked" not in str(raised.value)
                assert servers[0].asked == calls + 1
        servers[0].failure = None
        await ask(judge)
        assert problems(fleet) == [""]


async def test_a_draining_server_finishes_its_calls_and_gets_no_new_ones() -> None:
    async with opened(2) as (servers, fleet, judge, marks):
        servers[0].seconds = 1.0
        calls = [asyncio.create_task(ask(judge)) for _ in range(2)]
        await asyncio.sleep(0.1)
        assert fleet.reports()[0].in_flight == 1
        marks.addresses.add(servers[0].address)
        await until(lambda: fleet.reports()[0].state is ServerState.DRAINING, "the mark", 2.0)
        await ask(judge, times=5)
        assert servers[0].asked == 1
        await asyncio.gather(*calls)
        assert fleet.reports()[0].in_flight == 0
        marks.away = True  # the former marks stay
        await asyncio.sleep(fleet_module.DRAINS_S * 1.5)
        assert fleet.reports()[0].state is ServerState.DRAINING
        marks.away = False
        marks.addresses.add(servers[1].address)
        await until(lambda: fleet.reports()[1].state is ServerState.DRAINING, "the mark", 2.0)
        with pytest.raises(JudgeUnavailable, match="undrain"):
            await ask(judge)
        marks.addresses.remove(servers[0].address)
        await until(lambda: fleet.reports()[0].state is ServerState.UP, "no mark", 2.0)
        servers[0].seconds = 0.0
        await ask(judge, times=4)
        assert servers[0].asked == 5


async def test_servers_follow_the_name_in_dns() -> None:
    async with small_tritons(3) as servers:
        records = {servers[0].address}
        fails = False

        async def resolving(entry: ServerEntry) -> Sequence[str]:
            assert str(entry) == "dns:///tritons:8001"
            if fails:
                raise OSError("no such name")
            return sorted(records)

        async with Fleet(parse_servers("dns:///tritons:8001"), resolving=resolving) as fleet:
            judge = await FleetJudge.connect(fleet, NAME, deadline_s=5.0)
            await ask(judge, times=2)
            records.add(servers[1].address)
            await until(lambda: len(fleet.servers) == 2 and "" in problems(fleet), "a new server")
            await until(lambda: problems(fleet) == ["", ""], "its check")
            await ask(judge, times=4)
            assert servers[1].asked >= 1

            servers[0].seconds = servers[1].seconds = 0.7
            slow = [asyncio.create_task(ask(judge)) for _ in range(20)]
            await until(lambda: fleet.servers[servers[0].address].in_flight > 0, "a call there")
            records.remove(servers[0].address)
            await until(lambda: fleet.servers[servers[0].address].gone, "its record to be gone")
            assert len(fleet.servers) == 2, "it finishes its calls"
            await asyncio.gather(*slow)
            await until(lambda: len(fleet.servers) == 1, "it to be forgotten")

            fails = True
            await until(lambda: bool(fleet.problems), "the failing look-up")
            assert "tritons cannot be resolved: no such name" in fleet.problems
            await ask(judge, times=2)  # with the addresses that it had


async def test_a_name_that_cannot_be_resolved_is_unavailable() -> None:
    async def resolving(entry: ServerEntry) -> Sequence[str]:
        raise OSError("no such name")

    async with Fleet(parse_servers("dns:///nowhere:8001"), resolving=resolving) as fleet:
        with pytest.raises(JudgeUnavailable, match="nowhere cannot be resolved"):
            await FleetJudge.connect(fleet, NAME, deadline_s=1.0)


async def test_several_releases_share_the_clients_and_the_count_of_calls() -> None:
    def prepare(servers: list[SmallTriton]) -> None:
        for server in servers:
            server.models["canary"] = "c" * 64
            server.ready.add("canary")

    async with opened(2, prepare=prepare) as (servers, fleet, stable, _):
        canary = await FleetJudge.connect(fleet, "canary", deadline_s=5.0)
        assert len(fleet.servers) == 2
        for server in servers:
            server.seconds = 0.1
        await asyncio.gather(*(ask(judge) for judge in (stable, canary) for _ in range(2)))
        assert asked(servers) == [2, 2]
        servers[0].ready.remove("canary")
        await ask(canary, times=3)
        assert fleet.reports()[0].releases.keys() == {NAME, "canary"}
        assert fleet.reports()[0].releases[NAME] == ""
        await canary.close()
        assert fleet.reports()[0].releases.keys() == {NAME}


async def test_errors_of_the_call_itself_are_raised() -> None:
    async with opened(2) as (servers, _, judge, _):
        for server in servers:
            server.failure = (grpc.StatusCode.INVALID_ARGUMENT, "prompt_too_long: 3000 tokens")
        with pytest.raises(JudgestreamError, match="3000 tokens"):
            await ask(judge)
        assert sum(asked(servers)) == 1
