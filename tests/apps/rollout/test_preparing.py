"""A release from its announcement to ready, and off Triton again, with a topic and servers in memory."""

import asyncio
import shutil
from collections.abc import Callable, Coroutine
from contextlib import suppress
from pathlib import Path

import pytest

from judgestream.adapters.releases.model_repository import inspected, install
from judgestream.apps.rollout.automatic import MOST_STAGED
from judgestream.apps.rollout.log import TermEnded
from judgestream.apps.rollout.preparing import MOST_TRIES
from judgestream.core.errors import (
    ConfigurationError,
    JudgeError,
    JudgeUnavailable,
    ReleaseNotLoaded,
)
from judgestream.core.rollout.moves import IllegalMove
from judgestream.core.rollout.state import Action, Stage, Step
from tests.apps.rollout.bench import Bench
from tests.paths import JUDGES

TINY = JUDGES / "tiny"


@pytest.fixture(scope="module")
def digest() -> str:
    return inspected(TINY).digest


@pytest.fixture(scope="module")
def name(digest: str) -> str:
    return f"judgelm-{digest[:8]}"


def driven(test: Callable[[], Coroutine[None, None, None]]) -> None:
    asyncio.run(test())


def test_a_published_checkpoint_is_staged_prepared_and_put_into_shadow(
    tmp_path: Path, name: str, digest: str
) -> None:
    async def test() -> None:
        bench = Bench(tmp_path / "models")
        bench.feed.publish(name, str(TINY), digest)
        await bench.until(lambda: name in bench.journal.state.releases)
        await bench.until(lambda: bench.placed(name).stage is Stage.SHADOW)
        await bench.stop()
        changes = bench.journal.state.changes
        assert [(c.action, c.step, c.by) for c in changes] == [
            (Action.STAGE, Step.ANNOUNCED, "trainer"),
            (Action.PREPARE, Step.INSTALLED, "rollout service"),
            (Action.PREPARE, Step.LOADED, "rollout service"),
            (Action.PREPARE, Step.READY, "rollout service"),
            (Action.SHADOW, Step.READY, "rollout service"),
        ]
        assert (tmp_path / "models" / name / "config.pbtxt").is_file()
        assert bench.smoked == [("one:1", name)] and bench.placed(name).share == 1.0
        assert bench.journal.state.next_checkpoint == 1

    driven(test)


def test_a_flood_of_published_checkpoints_waits(tmp_path: Path) -> None:
    async def test() -> None:
        bench = Bench(tmp_path / "models")
        for k in range(MOST_STAGED + 5):
            bench.feed.publish(f"judgelm-{k:08x}", "/nowhere", "d" * 64)
        for _ in range(3):
            await bench.automatic.check()
        assert len(bench.journal.state.at(Stage.STAGED)) == MOST_STAGED
        await bench.move(Action.RETIRE, "judgelm-00000000")
        await bench.automatic.check()
        assert len(bench.journal.state.at(Stage.STAGED)) == MOST_STAGED
        assert bench.journal.state.next_checkpoint == MOST_STAGED + 1, "none is forgotten"

    driven(test)


def test_older_checkpoints_are_not_staged_by_a_new_rollout_nor_twice(
    tmp_path: Path, name: str, digest: str
) -> None:
    async def test() -> None:
        bench = Bench(tmp_path / "models")
        bench.feed.publish(name, str(TINY), digest)
        bench.start()  # the first one: what is published already only counts as available
        await bench.check()
        assert not bench.journal.state.releases and bench.journal.state.next_checkpoint == 1
        bench.feed.publish(name, str(TINY), digest)
        await bench.until(lambda: name in bench.journal.state.releases)
        await bench.move(Action.RETIRE, name)
        bench.start()
        bench.feed.publish(name, str(TINY), digest)
        for _ in range(3):
            await bench.check()
        assert bench.placed(name).stage is Stage.RETIRED
        await bench.stop()

    driven(test)


@pytest.mark.parametrize("killed_at", [Step.ANNOUNCED, Step.INSTALLED, Step.LOADED, Step.READY])
def test_another_instance_continues_after_every_step(
    tmp_path: Path, name: str, digest: str, killed_at: Step
) -> None:
    async def test() -> None:
        bench = Bench(tmp_path / "models")
        bench.feed.publish(name, str(TINY), digest)
        bench.journal.ends = lambda state: state.releases[name].step is killed_at
        with suppress(TermEnded):
            await bench.until(lambda: bench.journal.over)
        await bench.stop()
        assert bench.placed(name).step is killed_at
        bench.journal.ends, bench.journal.over = lambda state: False, False
        bench.start()
        await bench.until(lambda: bench.placed(name).stage is Stage.SHADOW)
        await bench.stop()
        steps = [c.step for c in bench.journal.state.changes if c.action is Action.PREPARE]
        assert steps == [Step.INSTALLED, Step.LOADED, Step.READY]
        assert bench.tritons.calls.count(f"load {name}") == 1

    driven(test)


def test_a_damaged_checkpoint_fails_with_its_reason_and_is_not_tried_again(
    tmp_path: Path, name: str, digest: str
) -> None:
    damaged = tmp_path / "damaged"
    shutil.copytree(TINY, damaged)
    with (damaged / "config.json").open("a") as file:
        file.write(" ")

    async def test() -> None:
        bench = Bench(tmp_path / "models")
        bench.feed.publish(name, str(damaged), digest)
        await bench.until(lambda: name in bench.journal.state.releases)
        await bench.until(lambda: bench.placed(name).stage is Stage.FAILED)
        assert "config.json" in bench.placed(name).error
        writes = len(bench.journal.writes)
        for _ in range(3):
            await bench.check()
        assert len(bench.journal.writes) == writes
        assert not list((tmp_path / "models").glob("*")) and bench.tritons.calls == []
        await bench.stop()

    driven(test)


def test_another_digest_than_was_announced_fails(tmp_path: Path, name: str, digest: str) -> None:
    async def test() -> None:
        bench = Bench(tmp_path / "models")
        wrong = digest[:8] + "0" * 56
        bench.feed.publish(name, str(TINY), wrong)
        await bench.until(lambda: name in bench.journal.state.releases)
        await bench.until(lambda: bench.placed(name).stage is Stage.FAILED)
        assert f"{wrong} was announced" in bench.placed(name).error
        await bench.stop()

    driven(test)


def test_a_triton_that_is_away_is_waited_for_and_shown(tmp_path: Path, name: str) -> None:
    async def test() -> None:
        bench = Bench(tmp_path / "models")
        install(TINY, bench.repository, link=True)
        bench.tritons.broken[name] = JudgeUnavailable("no Triton answers")
        await bench.move(Action.STAGE, name)
        await bench.until(lambda: bench.tritons.calls.count(f"load {name}") > MOST_TRIES, pace=60)
        assert bench.placed(name).stage is Stage.STAGED
        assert "no Triton answers" in bench.preparing.progress[name]
        bench.tritons.broken.clear()
        await bench.until(lambda: bench.placed(name).step is Step.READY, pace=60)
        await bench.stop()

    driven(test)


def test_a_store_that_is_away_is_tried_again(tmp_path: Path) -> None:
    async def test() -> None:
        bench = Bench(tmp_path / "models")
        where = "http://127.0.0.1:9/judges/one"  # nothing listens there
        bench.feed.publish("judgelm-00000000", where, "0" * 64)
        await bench.until(
            lambda: bench.preparing.failures("judgelm-00000000") > MOST_TRIES, pace=60
        )
        assert bench.placed("judgelm-00000000").stage is Stage.STAGED
        assert "check that the store answers" in bench.preparing.progress["judgelm-00000000"]
        await bench.stop()

    driven(test)


@pytest.mark.parametrize(
    ("error", "tries"),
    [
        pytest.param(ConfigurationError("no such backend"), 1, id="refused"),
        pytest.param(ReleaseNotLoaded("not ready"), MOST_TRIES, id="not loaded"),
    ],
)
def test_a_release_that_cannot_be_loaded_fails(
    tmp_path: Path, name: str, error: ConfigurationError, tries: int
) -> None:
    async def test() -> None:
        bench = Bench(tmp_path / "models")
        install(TINY, bench.repository, link=True)
        bench.tritons.broken[name] = error
        await bench.move(Action.STAGE, name)
        await bench.until(lambda: bench.placed(name).stage is Stage.FAILED, pace=60)
        assert str(error) in bench.placed(name).error
        assert bench.tritons.calls == [f"load {name}"] * tries
        await bench.stop()

    driven(test)


def test_a_release_whose_smoke_judgement_fails_is_taken_off_triton(
    tmp_path: Path, name: str
) -> None:
    async def test() -> None:
        bench = Bench(tmp_path / "models")
        install(TINY, bench.repository, link=True)
        bench.smoke_error = JudgeError("CUDA error")
        await bench.move(Action.STAGE, name)
        await bench.until(lambda: bench.placed(name).step is Step.UNLOADED, pace=60)
        assert bench.placed(name).stage is Stage.FAILED and "CUDA" in bench.placed(name).error
        assert len(bench.smoked) == MOST_TRIES
        await bench.until(lambda: f"unload {name}" in bench.tritons.calls)
        await bench.stop()

    driven(test)


def test_enough_servers_must_have_a_release_before_it_is_ready(tmp_path: Path, name: str) -> None:
    async def test() -> None:
        bench = Bench(tmp_path / "models", least_servers=2)
        install(TINY, bench.repository, link=True)
        await bench.move(Action.STAGE, name)
        await bench.until(lambda: bench.placed(name).step is Step.LOADED)
        await bench.check()
        assert bench.placed(name).step is Step.LOADED
        bench.tritons.servers["two:1"] = {name}
        await bench.until(lambda: bench.placed(name).step is Step.READY, pace=60)
        assert {address for address, _ in bench.smoked} == {"one:1", "two:1"}
        await bench.stop()

    driven(test)


def test_a_release_that_is_retired_while_it_loads_is_not_made_ready(
    tmp_path: Path, name: str
) -> None:
    async def test() -> None:
        bench = Bench(tmp_path / "models")
        install(TINY, bench.repository, link=True)
        await bench.move(Action.STAGE, name)
        await bench.until(lambda: bench.placed(name).step is Step.INSTALLED)
        bench.preparer.check()
        await bench.move(Action.RETIRE, name)
        for _ in range(3):
            await bench.check()
        assert bench.placed(name).stage is Stage.RETIRED
        assert bench.placed(name).step is Step.INSTALLED
        await bench.stop()

    driven(test)


def test_the_release_of_the_settings_is_adopted_once(tmp_path: Path, name: str) -> None:
    async def test() -> None:
        bench = Bench(tmp_path / "models", wanted=name)
        install(TINY, bench.repository, link=True)
        bench.tritons.servers["one:1"].add(name)
        await bench.until(lambda: bench.journal.state.adopted == name)
        assert bench.journal.state.stable == name and bench.placed(name).by == "settings"
        assert bench.tritons.calls == [], "it was loaded already"
        await _ready(bench, "other")
        await bench.move(Action.PROMOTE, "other")
        bench.start()
        for _ in range(3):
            await bench.check()
        assert bench.journal.state.stable == "other", "somebody chose it after the settings"
        await bench.stop()

    driven(test)


def test_other_settings_than_before_are_adopted_again(tmp_path: Path, name: str) -> None:
    async def test() -> None:
        bench = Bench(tmp_path / "models", wanted=name)
        install(TINY, bench.repository, link=True)
        await _ready(bench, "other")
        await bench.move(Action.PROMOTE, "other", adopted=True)
        await bench.until(lambda: bench.journal.state.stable == name)
        await bench.stop()
        assert bench.journal.state.previous == ("other",)

    driven(test)


def test_a_release_is_unloaded_after_its_grace_time_and_not_while_it_is_used(
    tmp_path: Path, name: str
) -> None:
    async def test() -> None:
        bench = Bench(tmp_path / "models", grace_s=60)
        install(TINY, bench.repository, link=True)
        await bench.move(Action.STAGE, name)
        await bench.until(lambda: bench.placed(name).step is Step.READY)
        for other in ("b", "c"):
            await _ready(bench, other)
            bench.tritons.servers["one:1"].add(other)
        await bench.move(Action.PROMOTE, name)
        await bench.move(Action.PROMOTE, "b")
        await bench.move(Action.PROMOTE, "c")
        for _ in range(3):
            await bench.check()
        assert "unload" not in " ".join(bench.tritons.calls)
        bench.later(61)
        bench.used = {name}
        for _ in range(3):
            await bench.check()
        assert "still used by" in bench.unloading.progress[name]
        assert "unload" not in " ".join(bench.tritons.calls)
        bench.used = set()
        await bench.until(lambda: bench.placed(name).step is Step.UNLOADED)
        assert f"unload {name}" in bench.tritons.calls
        assert "b" in bench.tritons.servers["one:1"], "the one to roll back to stays"
        with pytest.raises(IllegalMove, match="stage it again"):
            await bench.move(Action.PROMOTE, name)
        await bench.stop()

    driven(test)


def test_an_unload_that_a_kill_interrupted_is_finished(tmp_path: Path, name: str) -> None:
    async def test() -> None:
        bench = Bench(tmp_path / "models", grace_s=0)
        install(TINY, bench.repository, link=True)
        await bench.move(Action.STAGE, name)
        await bench.until(lambda: bench.placed(name).step is Step.READY)
        await bench.move(Action.RETIRE, name)
        bench.tritons.servers["one:1"].clear()  # unloaded, and killed before that was published
        bench.start()
        await bench.until(lambda: bench.placed(name).step is Step.UNLOADED)
        assert f"unload {name}" not in bench.tritons.calls
        bench.tritons.servers["one:1"].add(name)  # loaded again by hand
        for _ in range(3):
            await bench.check()
        assert name in bench.tritons.servers["one:1"]
        await bench.stop()

    driven(test)


def test_a_release_out_of_use_is_unloaded_when_somebody_asks(tmp_path: Path, name: str) -> None:
    async def test() -> None:
        bench = Bench(tmp_path / "models", grace_s=600)
        install(TINY, bench.repository, link=True)
        await bench.move(Action.STAGE, name)
        await bench.until(lambda: bench.placed(name).step is Step.READY)
        with pytest.raises(IllegalMove, match="it is staged"):
            bench.unloader.ask(name, by="ops")
        with pytest.raises(IllegalMove, match="not known"):
            bench.unloader.ask("other", by="ops")
        await bench.move(Action.PROMOTE, name)
        await _ready(bench, "other")
        await bench.move(Action.PROMOTE, "other")
        bench.unloader.ask(name, by="ops")
        await bench.until(lambda: bench.placed(name).step is Step.UNLOADED)
        assert bench.journal.state.changes[-1].by == "ops" and name not in bench.unloader.needed()
        with pytest.raises(IllegalMove, match="stage and promote it"):
            await bench.move(Action.ROLL_BACK, "other", why="worse")
        await bench.stop()

    driven(test)


async def _ready(bench: Bench, release: str) -> None:
    """A release that is ready, whatever its files are."""
    await bench.move(Action.STAGE, release)
    await bench.move(Action.PREPARE, release, step=Step.READY)
