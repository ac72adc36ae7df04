"""`judgestream release list|load|use|unload`: the loaded releases, and the one that the workers use."""

import asyncio
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import psutil
import typer

from judgestream.core.errors import ConfigurationError, JudgestreamError, ReleaseNotLoaded
from judgestream.settings import Settings, load
from judgestream.terminal import options
from judgestream.terminal.exit_codes import TimeRanOut
from judgestream.terminal.output import OutputFormat, json_line, line, note, table

if TYPE_CHECKING:
    from judgestream.adapters.releases.installed import InstalledRelease
    from judgestream.adapters.triton.control import ModelState
    from judgestream.local.supervisor_file import SupervisorReport

SWITCH_S = 300.0
"""Time to restart the workers one at a time."""

Name = Annotated[str, typer.Argument(help="name of the release, as in `judgestream release list`")]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Place:
    """The Triton to control, and the local stack.

    folder       the local stack's data folder
    repository   of the local stack; may not exist
    report       of the supervisor; None if no stack runs on this machine
    ours         whether this Triton is the local stack's own
    """

    settings: Settings
    folder: Path
    repository: Path
    report: "SupervisorReport | None"
    ours: bool

    @property
    def in_use(self) -> str:
        report = self.report
        return report.release if report is not None and self.ours else self.settings.triton.release


def list_command(
    verify: Annotated[
        bool,
        typer.Option(help="compare every file with its checksum: about a second per gigabyte"),
    ] = False,
    form: options.Format = OutputFormat.TEXT,
) -> None:
    """List installed and loaded releases, the one that the workers use, and changed files."""
    from judgestream.adapters.releases.installed import Changes, changes, installed

    place = _place()
    present = {r.name: r for r in installed(place.repository)} if place.ours else {}
    states, problem = _index(place.settings)
    names = sorted(present.keys() | {name for name, state in states.items() if state.ready})
    names = [name for name in names if not any(name in r.models[:-1] for r in present.values())]
    how = Changes.FILES if verify else Changes.CODE
    rows: list[tuple[str, ...]] = []
    for name in names:
        one = present.get(name)
        altered = [] if one is None else changes(place.repository, one, how)
        loaded = name in states and states[name].ready
        used = name == place.in_use
        if form is OutputFormat.JSON:
            json_line(_entry(name, one, loaded=loaded, used=used, altered=altered))
        rows.append(
            (
                name,
                "?" if one is None else one.release.template_id,
                "loaded" if loaded else "?" if problem else "-",
                "in use" if used else "-",
                "CHANGED" if altered else "-" if one is None else "as installed",
            )
        )
        for text in altered:
            note(f"{name}: {text}")
    if form is OutputFormat.TEXT:
        if rows:
            table(("release", "template", "state", "workers", "files"), rows)
        else:
            note(
                f"no release in {place.repository}: install one with `judgestream release install`"
            )
    if problem:
        note(problem)


def load_command(name: Name) -> None:
    """Load an installed release into the running Triton, and test it. The workers keep using theirs."""
    from judgestream.local.judge_choice import read_choice, write_choice

    place = _place()
    _load(place, name)
    choice = read_choice(place.folder) if place.ours else None
    if choice is not None:
        write_choice(place.folder, choice.with_loaded(name))
    line(f"{name} is loaded and answers")


def use_command(
    name: Name,
    timeout: Annotated[
        float, typer.Option(min=1, help="time limit for the workers to switch, in seconds")
    ] = SWITCH_S,
) -> None:
    """Switch the workers of the running stack to this release, now and for later starts.

    The release is loaded and tested first. Then the judging workers restart one at a time. Each finishes the
    requests that it has taken, so no request is lost or judged by both releases. If a worker does not start
    with the release, all return to the previous one.
    """
    from judgestream.local.judge_choice import JudgeChoice, read_choice, write_choice

    place = _place()
    if place.report is None or not place.ours:
        raise ConfigurationError(
            "no local stack is running, and `release use` switches the workers of one: start it with"
            " `judgestream up`. For workers elsewhere, load the release, set JUDGESTREAM_TRITON__RELEASE"
            " for them, and restart them one at a time"
        )
    _load(place, name)
    if place.in_use == name:
        line(f"the workers already use {name}")
        return
    choice = (read_choice(place.folder) or JudgeChoice(release=place.in_use)).using(name)
    write_choice(place.folder, choice)
    _await_switch(place, choice.token, timeout)
    line(
        f"the workers use {name}; {place.in_use} stays loaded (unload it with `judgestream release unload`)"
    )


def unload_command(name: Name) -> None:
    """Unload a release from the running Triton. Refused for a release that workers use."""
    from judgestream.adapters.triton.control import TritonControl
    from judgestream.local.judge_choice import read_choice, write_choice

    place = _place()
    users = _users(place, name)
    if users:
        raise ConfigurationError(
            f"release {name} is in use by {users}: switch to another with `judgestream release use` first"
        )
    models = _models(place, name)

    async def unload() -> None:
        triton = place.settings.triton
        async with TritonControl(triton.grpc, triton.control_key) as control:
            for model in reversed(models):
                await control.unload(model)

    choice = read_choice(place.folder) if place.ours else None
    if choice is not None:
        write_choice(place.folder, choice.without(name))
    asyncio.run(unload())
    line(f"{name} is unloaded; it stays installed")


def _place() -> _Place:
    from judgestream.local.folder import data_folder
    from judgestream.local.running import running_settings
    from judgestream.local.supervisor_file import read_report

    settings = load()
    folder = data_folder(settings.local.data)
    report = read_report(folder)
    if report is not None and not report.alive:
        report = None
    running = running_settings(folder)
    ours = "triton.grpc" not in running or running["triton.grpc"] == settings.triton.grpc
    return _Place(
        settings=settings,
        folder=folder,
        repository=folder / "models",
        report=report,
        ours=ours,
    )


def _index(settings: Settings) -> tuple[dict[str, "ModelState"], str]:
    """The state of each model at Triton, and why it is unknown."""
    from judgestream.adapters.triton.control import TritonControl

    async def index() -> dict[str, "ModelState"]:
        async with TritonControl(settings.triton.grpc, settings.triton.control_key) as control:
            return {model.name: model for model in await control.index()}

    try:
        return asyncio.run(index()), ""
    except JudgestreamError as exc:
        return {}, f"the loaded releases are unknown: {exc}"


def _models(place: _Place, name: str) -> tuple[str, ...]:
    """The Triton models of a release, in the order in which they are loaded."""
    from judgestream.adapters.releases.installed import find

    return find(place.repository, name).models if place.ours else (name,)


def _load(place: _Place, name: str) -> None:
    """Load a release and test it with a known question.

    Raises:
        ConfigurationError: it is not installed, it cannot be loaded (with Triton's reason), or its
            endpoint's key is not in Triton's environment.
        JudgestreamError: it is loaded but does not answer.
    """
    from judgestream.adapters.releases.installed import Changes, changes, find
    from judgestream.adapters.triton.control import TritonControl
    from judgestream.adapters.triton.judge import TritonJudge
    from judgestream.core.probe import known_good
    from judgestream.core.templates import template

    models: tuple[str, ...] = (name,)
    if place.ours:
        release = find(place.repository, name)
        models = release.models
        _require_key(place, release)
        for text in changes(place.repository, release, Changes.CODE):
            note(f"{name}: {text}")
    triton = place.settings.triton
    deadline_s = place.settings.judging.deadline_s

    async def load_and_ask() -> None:
        async with TritonControl(triton.grpc, triton.control_key) as control:
            for model in models:
                await control.load(model)
        judge = await TritonJudge.connect(triton.grpc, name, deadline_s=deadline_s)
        try:
            await judge.ask(known_good(template(judge.release.template_id)))
        finally:
            await judge.close()

    note(f"loading {name}")
    try:
        asyncio.run(load_and_ask())
    except ReleaseNotLoaded as exc:
        raise ConfigurationError(f"release {name} was loaded but is not ready: {exc}") from exc


def _require_key(place: _Place, release: "InstalledRelease") -> None:
    """Check that the endpoint's key is in the environment of the running Triton."""
    from judgestream.apps.machine.chosen_judge import require_key

    part = (
        next((p for p in place.report.parts if p.name == "Triton"), None) if place.report else None
    )
    if part is None or part.pid is None or not release.key_variable:
        return
    try:
        environment = psutil.Process(part.pid).environ()
    except psutil.Error:
        return
    require_key(release, environment, "the running Triton")


def _users(place: _Place, name: str) -> str:
    """The users of a release, in words; "" if none is known."""
    if place.in_use == name:
        return "the workers of this stack" if place.report else "the setting triton.release"
    try:
        from judgestream.adapters.redis.worker_board import WorkerBoard

        board = WorkerBoard.connect(place.settings.redis)
        if board is None:
            return ""
        with board:
            return ", ".join(
                f"worker {entry.name}" for entry in board.workers() if entry.release == name
            )
    except (JudgestreamError, ImportError, ValueError):
        return ""


def _await_switch(place: _Place, token: str, timeout_s: float) -> None:
    """Print the supervisor's progress until the workers have switched.

    Raises:
        ConfigurationError: the switch failed, and the workers use the previous release again.
        TimeRanOut: the switch is not finished; the supervisor continues.
    """
    from judgestream.local.supervisor_file import SwitchState, read_report

    deadline = time.monotonic() + timeout_s
    printed = ""
    while time.monotonic() < deadline:
        report = read_report(place.folder)
        if report is None or not report.alive:
            raise ConfigurationError(
                "the supervisor has ended: `judgestream up` starts with the new release"
            )
        switch = report.switch
        if switch is not None and switch.token == token:
            if switch.state is SwitchState.FAILED:
                raise ConfigurationError(f"the switch to {switch.release} failed: {switch.message}")
            if switch.state is SwitchState.DONE:
                return
            if switch.message != printed:
                printed = switch.message
                note(printed)
        time.sleep(0.3)
    raise TimeRanOut(
        f"the workers have not switched within {timeout_s:.0f} s, and the supervisor continues:"
        " see `judgestream status`"
    )


def _entry(
    name: str,
    one: "InstalledRelease | None",
    *,
    loaded: bool,
    used: bool,
    altered: list[str],
) -> dict[str, object]:
    return {
        "release": name,
        "checkpoint_digest": "" if one is None else one.release.checkpoint_digest,
        "template_id": "" if one is None else one.release.template_id,
        "max_input_tokens": None if one is None else one.release.max_input_tokens,
        "endpoint": "" if one is None else one.endpoint,
        "endpoint_model": "" if one is None else one.endpoint_model,
        "installed": one is not None,
        "loaded": loaded,
        "in_use": used,
        "changed": altered,
    }
