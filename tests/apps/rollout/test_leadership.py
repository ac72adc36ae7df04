"""Who leads, and how soon an instance that lost its lease stops."""

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from judgestream.apps.rollout.instance import Instance, address_of
from judgestream.apps.rollout.leadership import SAFE_S, Leadership
from judgestream.core.errors import BrokerUnavailable, StoreUnavailable


@dataclass
class Lease:
    """The lease in Redis, which may be away."""

    owner: str = ""
    away: bool = False

    def hold(self, owner: str, *, instead_of: str = "") -> str:
        if self.away:
            raise StoreUnavailable("Redis does not answer")
        if self.owner in ("", owner, instead_of):
            self.owner = owner
        return self.owner

    def release_lease(self, owner: str) -> None:
        if self.owner == owner:
            self.owner = ""


@dataclass
class Bench:
    """One instance: what it did, on a clock that the test moves."""

    lease: Lease
    name: str = "me"
    now: float = 100.0
    writing: bool = False
    begins: int = 0
    fails: int = 0
    acts: list[str] = field(default_factory=list)
    dead: Callable[[str], bool] = lambda owner: False

    async def begin(self) -> None:
        if self.fails:
            self.fails -= 1
            raise BrokerUnavailable("no broker")
        self.begins += 1
        self.writing = True

    def end(self) -> None:
        self.writing = False

    async def act(self) -> None:
        self.acts.append("begun")
        try:
            await asyncio.Event().wait()
        finally:
            self.acts.append("ended")

    def leadership(self) -> Leadership:
        return Leadership(
            self.lease,
            instance=self.name,
            begin=self.begin,
            writing=lambda: self.writing,
            end=self.end,
            act=self.act,
            is_dead=lambda owner: self.dead(owner),
            clock=lambda: self.now,
        )


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not holds():
            await asyncio.sleep(0.02)


def test_an_instance_leads_while_it_can_be_sure_of_its_lease() -> None:
    async def test() -> None:
        bench = Bench(Lease(), fails=1)
        leadership = bench.leadership()
        running = asyncio.create_task(leadership.run())
        await until(lambda: leadership.leads)
        assert bench.begins == 1 and bench.writing
        bench.lease.away = True
        bench.now += SAFE_S - 0.5
        await asyncio.sleep(0.4)
        assert leadership.leads, "the lease still lasts"
        bench.now += 1.0
        assert not leadership.leads, "at once, whatever the task does"
        await until(lambda: bench.acts == ["begun", "ended"] and "Redis" in leadership.problem)
        assert not bench.writing
        bench.lease.away = False
        await until(lambda: leadership.leads)
        assert bench.begins == 2
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        assert bench.lease.owner == "" and bench.acts[-1] == "ended"

    asyncio.run(test())


def test_a_term_that_ends_begins_anew() -> None:
    async def test() -> None:
        bench = Bench(Lease())
        running = asyncio.create_task(bench.leadership().run())
        await until(lambda: bench.begins == 1)
        bench.writing = False  # a write was not confirmed
        await until(lambda: bench.begins == 2)
        assert bench.acts[:3] == ["begun", "ended", "begun"] or bench.acts[:2] == ["begun", "ended"]
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    asyncio.run(test())


def test_the_lease_of_a_living_owner_is_respected_and_that_of_a_dead_one_taken() -> None:
    async def test() -> None:
        bench = Bench(Lease(owner="other"))
        leadership = bench.leadership()
        running = asyncio.create_task(leadership.run())
        await until(lambda: leadership.holder == "other")
        assert not leadership.leads and bench.begins == 0
        bench.dead = lambda owner: owner == "other"
        await until(lambda: leadership.leads)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    asyncio.run(test())


def test_only_a_process_of_this_machine_is_known_to_be_dead() -> None:
    here = Instance.here("127.0.0.1:1")
    gone = replace(here, pid=2**22 - 7, start="x")
    assert Instance.parsed(here.text) == here and address_of(here.text) == "127.0.0.1:1"
    everywhere = replace(here, address="0.0.0.0:28003", host="judge-2")  # noqa: S104
    assert address_of(everywhere.text) == "judge-2:28003" and address_of("x") == "x"
    assert here.knows_dead(gone.text)
    assert here.knows_dead(replace(here, start="before").text), "this process was it"
    assert not here.knows_dead(here.text)
    assert not here.knows_dead(replace(here, pid=os.getppid(), start="x").text)
    assert not here.knows_dead(replace(gone, host="elsewhere").text)
    assert not here.knows_dead(replace(gone, pid_space=0).text)
    for text in ("", "a|b|c", "a|b|c|d|e", "a|b|1|99999999999999999999|e", "\0|||1|"):
        assert not here.knows_dead(text)
