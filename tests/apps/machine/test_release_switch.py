"""A switch of the release restarts one worker at a time, and is undone when one does not start."""

import time
from pathlib import Path

import pytest

from judgestream.adapters.releases.endpoint import RemoteJudge, install_endpoint
from judgestream.adapters.releases.installed import InstalledRelease, find, installed
from judgestream.apps.machine.release_switch import ReleaseSwitch
from judgestream.apps.machine.supervision import Part, Supervised
from judgestream.core.errors import ConfigurationError
from judgestream.local.judge_choice import JudgeChoice, read_choice, write_choice
from judgestream.local.supervisor_file import SwitchState


class Bench:
    """Three workers that note which release they were started with."""

    def __init__(self, repository: Path, *, refuse: str = "") -> None:
        self.old = install(repository, "old")
        self.new = install(repository, "new")
        self.repository = repository
        self.refused = self.new.name if refuse else ""
        self.refusing = refuse
        self.used = self.old
        self.running = dict.fromkeys(("judging-0", "judging-1", "judging-2"), self.old.name)
        self.most_down = 0
        self.workers = [self.worker(name) for name in self.running]

    def worker(self, name: str) -> Supervised:
        def start() -> None:
            self.running[name] = ""
            self.most_down = max(self.most_down, list(self.running.values()).count(""))
            time.sleep(0.01)
            if name == self.refusing and self.used.name == self.refused:
                raise RuntimeError("it does not come up")
            self.running[name] = self.used.name

        part = Part(
            name=name,
            worker=True,
            log_path=Path("log"),
            start=start,
            check=lambda: None,
            pid=lambda: 1,
        )
        return Supervised(part, first_pause_s=60, longest_pause_s=60)

    def use(self, release: InstalledRelease) -> None:
        self.used = release

    def switch(self, name: str) -> ReleaseSwitch:
        switch = ReleaseSwitch(
            choice=JudgeChoice(release=name, token="t"),
            before=self.old,
            repository=self.repository,
            workers=self.workers,
            use=self.use,
        )
        deadline = time.monotonic() + 10
        while not switch.over:
            assert time.monotonic() < deadline, switch.report
            for worker in self.workers:
                worker.look()
            switch.step()
            time.sleep(0.005)
        return switch


def install(repository: Path, model: str) -> InstalledRelease:
    judge = RemoteJudge(endpoint="http://127.0.0.1:9/v1", endpoint_model=model)
    return find(repository, install_endpoint(judge, repository).name)


def test_workers_switch_one_at_a_time(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    switch = bench.switch(bench.new.name)
    assert switch.report.state is SwitchState.DONE
    assert set(bench.running.values()) == {bench.new.name}
    assert bench.most_down == 1


@pytest.mark.parametrize("refusing", ["judging-0", "judging-1", "judging-2"])
def test_all_return_when_one_does_not_start(tmp_path: Path, refusing: str) -> None:
    bench = Bench(tmp_path, refuse=refusing)
    switch = bench.switch(bench.new.name)
    assert switch.report.state is SwitchState.FAILED
    assert refusing in switch.report.message and "does not come up" in switch.report.message
    assert set(bench.running.values()) == {bench.old.name}
    assert bench.used is bench.old


def test_a_release_that_is_not_installed_changes_nothing(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    switch = bench.switch("nothing-like-it")
    assert switch.report.state is SwitchState.FAILED
    assert set(bench.running.values()) == {bench.old.name}


def test_a_choice_remembers_what_was_used_before(tmp_path: Path) -> None:
    first = JudgeChoice(release="a", token="1")
    second = first.using("b")
    assert (second.release, second.loaded) == ("b", ("a",)) and second.token not in ("", "1")
    assert second.using("a").loaded == ("b",)
    assert second.with_loaded("c").without("a").loaded == ("c",)
    write_choice(tmp_path, second)
    assert read_choice(tmp_path) == second
    (tmp_path / "judge.json").write_text('{"release": 1')
    assert read_choice(tmp_path) is None


def test_installed_releases_are_read_from_their_files(tmp_path: Path) -> None:
    release = install(tmp_path, 'odd "name"')
    (tmp_path / "somebody-elses").mkdir()
    (tmp_path / "somebody-elses" / "config.pbtxt").write_text('name: "x"')
    assert [one.name for one in installed(tmp_path)] == [release.name]
    assert release.endpoint_model == 'odd "name"'
    assert installed(tmp_path / "none") == []
    with pytest.raises(ConfigurationError, match=release.name):
        find(tmp_path, "other")
