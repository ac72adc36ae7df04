"""`judgestream release list|load|unload`: the installed and loaded releases, and their stages."""

import time
from typing import TYPE_CHECKING, Annotated

import typer

from judgestream.apps.cli.release.move import user
from judgestream.apps.cli.release.place import (
    Place,
    find_place,
    load_and_test,
    loaded_models,
    models_of,
    unload,
    users_of,
)
from judgestream.apps.cli.release.rollout_view import evidence_of, stage_facts, stage_of, step_of
from judgestream.core.errors import ConfigurationError
from judgestream.terminal import options
from judgestream.terminal.exit_codes import TimeRanOut
from judgestream.terminal.output import OutputFormat, json_line, line, note, table
from judgestream.v1 import rollout_pb2 as pb

if TYPE_CHECKING:
    from judgestream.adapters.releases.installed import InstalledRelease

UNLOAD_S = 60.0

Name = Annotated[str, typer.Argument(help="name of the release, as in `judgestream release list`")]


def list_command(
    verify: Annotated[
        bool,
        typer.Option(help="compare every file with its checksum: about a second per gigabyte"),
    ] = False,
    form: options.Format = OutputFormat.TEXT,
) -> None:
    """List installed and loaded releases with their stages, published checkpoints, and changed files."""
    from judgestream.adapters.releases.installed import Changes, changes, installed

    place = find_place()
    placed = place.placed
    present = {r.name: r for r in installed(place.repository)} if place.ours else {}
    triton = loaded_models(place.settings)
    names = sorted(present.keys() | placed.keys() | triton.ready_on.keys())
    engines = {name for one in present.values() for name in one.models} - present.keys()
    names = [name for name in names if name not in engines]
    how = Changes.FILES if verify else Changes.CODE
    rows: list[tuple[str, ...]] = []
    for name in names:
        one = present.get(name)
        altered = [] if one is None else changes(place.repository, one, how)
        loaded = name in triton.ready_on
        used = name == place.in_use
        if form is OutputFormat.JSON:
            entry = _entry(name, one, loaded=loaded, used=used, altered=altered)
            more = {"loaded_on": triton.ready_on.get(name, 0), **stage_facts(placed.get(name))}
            json_line({**entry, **more})
        rows.append(
            (
                name,
                "?" if one is None else one.release.template_id,
                triton.text(name),
                _stage(placed.get(name), used),
                evidence_of(placed[name]) if name in placed else "-",
                "CHANGED" if altered else "-" if one is None else "as installed",
            )
        )
        for text in altered:
            note(f"{name}: {text}")
    if form is OutputFormat.TEXT:
        if rows:
            table(("release", "template", "state", "stage", "evidence", "files"), rows)
        else:
            note(
                f"no release in {place.repository}: install one with `judgestream release install`"
            )
    for new in place.rollout.available if place.rollout is not None else ():
        note(f"published and not staged: {new.family}-{new.digest[:8]} ({new.name})")
    if triton.problem:
        note(triton.problem)


def load_command(name: Name) -> None:
    """Load an installed release into the running Triton, and test it. The workers keep using theirs."""
    from judgestream.local.judge_choice import read_choice, write_choice

    place = find_place()
    load_and_test(place, name)
    choice = read_choice(place.folder) if place.ours else None
    if choice is not None:
        write_choice(place.folder, choice.with_loaded(name))
    line(f"{name} is loaded and answers")


def unload_command(name: Name) -> None:
    """Unload a release from the running Triton. Refused for a release that workers use."""
    from judgestream.local.judge_choice import read_choice, write_choice

    place = find_place()
    placed = place.placed.get(name)
    by_the_service = placed is not None and placed.step in (pb.STEP_LOADED, pb.STEP_READY)
    users = users_of(place, name, workers=not by_the_service)  # the service waits for them
    if users:
        raise ConfigurationError(
            f"release {name} is in use by {users}: switch to another with `judgestream release use` first"
        )
    models = () if by_the_service else models_of(place, name)
    choice = read_choice(place.folder) if place.ours else None
    if choice is not None:
        write_choice(place.folder, choice.without(name))
    if by_the_service:
        _unload_by_the_service(place, name)
    else:
        unload(place, models)
    line(f"{name} is unloaded; it stays installed")


def _unload_by_the_service(place: Place, name: str) -> None:
    """Let the rollout service unload one of its releases, and wait until Triton has done so.

    Raises:
        ConfigurationError: the release is staged or in traffic.
        TimeRanOut: it is still loaded; the service continues.
    """
    from judgestream.adapters.rollout.calls import RolloutCalls

    with RolloutCalls.of(place.settings) as calls:
        calls.move("unload", release=name, by=user(), why="release unload")
    deadline = time.monotonic() + UNLOAD_S
    while time.monotonic() < deadline:
        triton = loaded_models(place.settings)
        if triton.servers and name not in triton.ready_on:
            return
        time.sleep(0.3)
    raise TimeRanOut(
        f"release {name} is still loaded after {UNLOAD_S:.0f} s, and the rollout service continues: see"
        " `judgestream release show`"
    )


def _stage(placed: pb.Placed | None, used: bool) -> str:
    """The stage of a release in the rollout, with its step while it is being prepared."""
    if placed is None:
        return "in use" if used else "-"
    staged = placed.stage == pb.STAGE_STAGED and placed.step != pb.STEP_READY
    return f"{stage_of(placed)} ({step_of(placed)})" if staged else stage_of(placed)


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
        "members": [] if one is None else list(one.members),
        "installed": one is not None,
        "loaded": loaded,
        "in_use": used,
        "changed": altered,
    }
