"""The Triton that `judgestream release` controls: its state, its releases, and their users."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from judgestream.core.errors import ConfigurationError, JudgestreamError, ReleaseNotLoaded
from judgestream.settings import Settings, load
from judgestream.terminal.output import note

if TYPE_CHECKING:
    from judgestream.adapters.releases.installed import InstalledRelease
    from judgestream.adapters.triton.control import ModelState
    from judgestream.local.supervisor_file import SupervisorReport


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
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


def find_place() -> Place:
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
    return Place(
        settings=settings,
        folder=folder,
        repository=folder / "models",
        report=report,
        ours=ours,
    )


def triton_index(settings: Settings) -> tuple[dict[str, "ModelState"], str]:
    """The state of each model at Triton, and why it is unknown."""
    from judgestream.adapters.triton.control import TritonControl

    async def index() -> dict[str, "ModelState"]:
        async with TritonControl(settings.triton.grpc, settings.triton.control_key) as control:
            return {model.name: model for model in await control.index()}

    try:
        return asyncio.run(index()), ""
    except JudgestreamError as exc:
        return {}, f"the loaded releases are unknown: {exc}"


def models_of(place: Place, name: str) -> tuple[str, ...]:
    """The Triton models of a release, in the order in which they are loaded."""
    from judgestream.adapters.releases.installed import find

    return find(place.repository, name).models if place.ours else (name,)


def load_and_test(place: Place, name: str) -> None:
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


def _require_key(place: Place, release: "InstalledRelease") -> None:
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


def unload(place: Place, models: Sequence[str]) -> None:
    """Unload the models of a release, given in the order in which they are loaded."""
    from judgestream.adapters.triton.control import TritonControl

    async def run() -> None:
        triton = place.settings.triton
        async with TritonControl(triton.grpc, triton.control_key) as control:
            for model in reversed(models):
                await control.unload(model)

    asyncio.run(run())


def users_of(place: Place, name: str) -> str:
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
