"""`judgestream release list|load|use|unload`: the loaded releases, and the one that the workers use."""

import time
from typing import TYPE_CHECKING, Annotated

import typer

from judgestream.apps.cli.release.place import (
    Place,
    find_place,
    load_and_test,
    loaded_models,
    models_of,
    unload,
    users_of,
)
from judgestream.core.errors import ConfigurationError
from judgestream.terminal import options
from judgestream.terminal.exit_codes import TimeRanOut
from judgestream.terminal.output import OutputFormat, json_line, line, note, table

if TYPE_CHECKING:
    from judgestream.adapters.releases.installed import InstalledRelease

SWITCH_S = 300.0
"""Time to restart the workers one at a time."""

Name = Annotated[str, typer.Argument(help="name of the release, as in `judgestream release list`")]


def list_command(
    verify: Annotated[
        bool,
        typer.Option(help="compare every file with its checksum: about a second per gigabyte"),
    ] = False,
    form: options.Format = OutputFormat.TEXT,
) -> None:
    """List installed and loaded releases, the one that the workers use, and changed files."""
    from judgestream.adapters.releases.installed import Changes, changes, installed

    place = find_place()
    present = {r.name: r for r in installed(place.repository)} if place.ours else {}
    triton = loaded_models(place.settings)
    names = sorted(present.keys() | triton.ready_on.keys())
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
            json_line({**entry, "loaded_on": triton.ready_on.get(name, 0)})
        rows.append(
            (
                name,
                "?" if one is None else one.release.template_id,
                triton.text(name),
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

    place = find_place()
    if place.report is None or not place.ours:
        raise ConfigurationError(
            "no local stack is running, and `release use` switches the workers of one: start it with"
            " `judgestream up`. For workers elsewhere, load the release, set JUDGESTREAM_TRITON__RELEASE"
            " for them, and restart them one at a time"
        )
    load_and_test(place, name)
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
    from judgestream.local.judge_choice import read_choice, write_choice

    place = find_place()
    users = users_of(place, name)
    if users:
        raise ConfigurationError(
            f"release {name} is in use by {users}: switch to another with `judgestream release use` first"
        )
    models = models_of(place, name)

    choice = read_choice(place.folder) if place.ours else None
    if choice is not None:
        write_choice(place.folder, choice.without(name))
    unload(place, models)
    line(f"{name} is unloaded; it stays installed")


def _await_switch(place: Place, token: str, timeout_s: float) -> None:
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
        "members": [] if one is None else list(one.members),
        "installed": one is not None,
        "loaded": loaded,
        "in_use": used,
        "changed": altered,
    }
