"""The Triton that `judgestream release` controls: its state, its releases, and their users."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import psutil
import typer

from judgestream.core.errors import ConfigurationError, JudgestreamError, ReleaseNotLoaded
from judgestream.core.types import Release
from judgestream.settings import Settings, load
from judgestream.terminal.output import OutputFormat, json_line, line, note
from judgestream.v1.rollout_pb2 import STAGE_STABLE

if TYPE_CHECKING:
    from judgestream.adapters.releases.installed import InstalledRelease
    from judgestream.adapters.triton.control import ModelState
    from judgestream.adapters.triton.fleet_control import Everywhere, FleetControl
    from judgestream.local.supervisor_file import SupervisorReport
    from judgestream.v1.rollout_pb2 import Placed, Rollout


GET_S = 3.0
Repository = Annotated[
    Path | None,
    typer.Option(help="Triton's model repository; default: the one of the local stack"),
]


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """The Triton to control, and the local stack.

    folder       the local stack's data folder
    repository   of the local stack; may not exist
    report       of the supervisor; None if no stack runs on this machine
    ours         whether this Triton is the local stack's own
    rollout      the state of the rollout; None where no rollout service answers
    """

    settings: Settings
    folder: Path
    repository: Path
    report: "SupervisorReport | None"
    ours: bool
    rollout: "Rollout | None" = None

    @property
    def in_use(self) -> str:
        """The release that answers requests: the stable one, else the one that workers were started with."""
        stable = [name for name, placed in self.placed.items() if placed.stage == STAGE_STABLE]
        if stable:
            return stable[0]
        report = self.report
        return report.release if report is not None and self.ours else self.settings.triton.release

    @property
    def placed(self) -> "Mapping[str, Placed]":
        """The releases of the rollout by name."""
        return {} if self.rollout is None else {one.release: one for one in self.rollout.releases}


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
        rollout=rollout_state(settings),
    )


def rollout_state(settings: Settings) -> "Rollout | None":
    """The state of the rollout; None where no rollout service answers.

    Raises:
        ConfigurationError: a file of `rollout.ca_file`, `certificate_file` or `key_file` is missing or wrong.
    """
    try:
        from judgestream.adapters.rollout.calls import RolloutCalls
    except ImportError:
        return None
    with RolloutCalls.of(settings) as calls:
        try:
            return calls.get(timeout_s=GET_S)
        except JudgestreamError as exc:
            if settings.rollout.tls:  # one is expected
                note(str(exc))
            return None


@dataclass(frozen=True, kw_only=True, slots=True)
class Loaded:
    """The models that are ready at the servers of `triton.grpc`.

    servers    that answered
    ready_on   model -> how many of them have it ready
    problem    why servers did not answer; "" if all did
    """

    servers: int
    ready_on: dict[str, int]
    problem: str

    def text(self, name: str) -> str:
        """The state of a release in words."""
        count = self.ready_on.get(name, 0)
        if not self.servers:
            return "?"
        if not count:
            return "-"
        return "loaded" if count == self.servers else f"loaded on {count} of {self.servers}"


def loaded_models(settings: Settings) -> Loaded:
    """The models that each Triton has ready."""

    async def index() -> dict[str, "list[ModelState] | JudgestreamError"]:
        async with _control(settings) as control:
            return await control.index()

    try:
        found = asyncio.run(index())
    except JudgestreamError as exc:
        return Loaded(servers=0, ready_on={}, problem=f"the loaded releases are unknown: {exc}")
    answers = [one for one in found.values() if not isinstance(one, JudgestreamError)]
    errors = [str(one) for one in found.values() if isinstance(one, JudgestreamError)]
    ready = Counter(name for models in answers for name in {m.name for m in models if m.ready})
    problem = f"the loaded releases are unknown: {'; '.join(errors)}" if errors else ""
    return Loaded(servers=len(answers), ready_on=dict(ready), problem=problem)


def _control(settings: Settings) -> "FleetControl":
    from judgestream.adapters.tls.client import ClientTls
    from judgestream.adapters.triton.fleet_control import FleetControl

    triton = settings.triton
    return FleetControl(
        triton.grpc,
        triton.control_key,
        metrics_port=triton.metrics_port,
        tls=ClientTls.of(triton, "triton"),
    )


def models_of(place: Place, name: str) -> tuple[str, ...]:
    """A release's own Triton models, in the order in which they are loaded. A jury has only its record."""
    from judgestream.adapters.releases.installed import find

    release = find(place.repository, name) if place.ours else None
    return (name,) if release is None or release.members else release.models


def load_and_test(place: Place, name: str) -> None:
    """Load a release on every Triton, and test it there with a known question. One server is enough; problems
    of the others are shown.

    Raises:
        ConfigurationError: it is not installed, it cannot be loaded (with Triton's reason), or its
            endpoint's key is not in Triton's environment.
        JudgestreamError: it is loaded but does not answer.
    """
    from judgestream.adapters.releases.installed import Changes, changes, find
    from judgestream.adapters.tls.client import ClientTls
    from judgestream.adapters.triton.known_good import ask_known_good

    models: tuple[str, ...] = (name,)
    if place.ours:
        release = find(place.repository, name)
        models = release.models
        _require_key(place, release)
        for text in changes(place.repository, release, Changes.CODE):
            note(f"{name}: {text}")
    need = weights(place.repository, models) if place.ours else 0
    deadline_s = place.settings.judging.deadline_s
    tls = ClientTls.of(place.settings.triton, "triton")

    async def load_and_ask() -> None:
        async with _control(place.settings) as control:
            outcome = await control.load_everywhere(models, least=1, need=need)
        _note(outcome)
        for address in outcome.done:
            await ask_known_good(address, name, deadline_s=deadline_s, tls=tls)

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
    if part is None or part.pid is None or not release.key_variables:
        return
    try:
        environment = psutil.Process(part.pid).environ()
    except psutil.Error:
        return
    require_key(release, environment, "the running Triton")


def _jury_in_use_with(place: Place, member: str) -> str:
    from judgestream.adapters.releases.installed import installed

    used = (release for release in installed(place.repository) if release.name == place.in_use)
    return next((jury.name for jury in used if member in jury.members), "")


def reload_if_loaded(place: Place, name: str) -> None:
    """Let Triton read a loaded release's configuration again.

    Raises:
        JudgestreamError: Triton does not answer, or cannot load it.
    """

    async def run() -> None:
        async with _control(place.settings) as control:
            found = await control.index()
            for address in await control.ready_on(name):
                await control.at(address).load(name)
        for error in found.values():
            if isinstance(error, JudgestreamError):
                raise error

    asyncio.run(run())


def unload(place: Place, models: Sequence[str]) -> None:
    """Unload the models of a release, given in the order in which they are loaded, from every Triton.

    Raises:
        JudgestreamError: no Triton has unloaded them. Those that fail while others do not are shown.
    """

    async def run() -> None:
        async with _control(place.settings) as control:
            _note(await control.unload_everywhere(models, least=1))

    asyncio.run(run())


def _note(outcome: "Everywhere") -> None:
    for address, error in outcome.failed.items():
        note(f"not at {address}: {error}")


def weights(repository: Path, models: Sequence[str]) -> int:
    """Bytes of the models' weights: the least memory that they need. 0 if they have none here."""
    return sum(
        path.stat().st_size
        for model in models
        for path in (repository / model).rglob("*.safetensors")
        if path.is_file()
    )


def users_of(place: Place, name: str, *, workers: bool) -> str:
    """The users of a release, in words; "" if none is known. A jury that is in use uses its members.

    Args:
        workers: whether to ask the worker board, too. A worker renews its entry every few seconds, so one
            that has just left the release may still be named.
    """
    if place.in_use == name:
        return "the workers of this stack" if place.report else "the setting triton.release"
    if jury := _jury_in_use_with(place, name):
        return f"the jury {jury}"
    return _workers_with(place, name) if workers else ""


def _workers_with(place: Place, name: str) -> str:
    """The workers that ask a release. The rollout service names the stable one, and asks none."""
    try:
        from judgestream.adapters.redis.worker_board import WorkerBoard

        board = WorkerBoard.connect(place.settings.redis)
        if board is None:
            return ""
        with board:
            return ", ".join(
                f"worker {entry.name}"
                for entry in board.workers()
                if entry.release == name and entry.kind != "rollout"
            )
    except (JudgestreamError, ImportError, ValueError):
        return ""


def repository_of(given: Path | None) -> Path:
    """The repository to install into."""
    from judgestream.local.folder import data_folder, make_folder

    if given is not None:
        return given.expanduser()
    folder = data_folder(load(find_stack=False).local.data)
    make_folder(folder)
    return folder / "models"


def print_installed(release: Release, repository: Path, form: OutputFormat) -> None:
    if form is OutputFormat.JSON:
        json_line(
            {
                "release": release.name,
                "checkpoint_digest": release.checkpoint_digest,
                "template_id": release.template_id,
                "max_input_tokens": release.max_input_tokens,
            }
        )
    else:
        line(f"installed {release.name} in {repository}")
