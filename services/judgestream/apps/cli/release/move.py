"""`judgestream release stage|shadow|canary|promote|rollback|retire|use`: moves of the rollout."""

import getpass
import socket
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from judgestream.adapters.rollout.errors import RolloutRefused
from judgestream.apps.cli.release.move_options import (
    READY_S,
    ROUTED_S,
    Force,
    Name,
    Share,
    Timeout,
    Watch,
    Where,
    Why,
    conditions,
)
from judgestream.apps.cli.release.rollout_view import sentence
from judgestream.apps.cli.release.waiting import await_ready, await_workers, find_release
from judgestream.core.errors import JudgestreamError
from judgestream.settings import Settings, load
from judgestream.terminal import options
from judgestream.terminal.output import OutputFormat, json_line, line
from judgestream.v1 import rollout_pb2 as pb

if TYPE_CHECKING:
    from judgestream.adapters.rollout.calls import RolloutCalls


def stage_command(
    what: Annotated[
        str,
        typer.Argument(
            metavar="CHECKPOINT|NAME",
            help="folder or URL of a checkpoint, or the name of a release that is installed or published",
        ),
    ],
    why: Why = "",
    watch: Watch = False,
    timeout: Timeout = READY_S,
    form: options.Format = OutputFormat.TEXT,
) -> None:
    """Install, load and test a release, so that it can be put into shadow. It gets no requests yet."""
    from pathlib import Path

    settings = load()
    path = Path(what).expanduser()
    where = "location" if "://" in what or path.is_dir() else "release"
    value = str(path.resolve()) if where == "location" and "://" not in what else what
    with _calls(settings) as calls:
        before = {one.release: one for one in calls.get().releases}
        state = calls.move("stage", by=user(), why=why, **{where: value})  # type: ignore[arg-type]
        release = _staged(state, before, what)
        _finish(calls, settings, state, release, form, watch=watch, timeout_s=timeout)


def shadow_command(
    name: Name,
    share: Share = None,
    where: Where = None,
    why: Why = "",
    watch: Watch = False,
    timeout: Timeout = ROUTED_S,
    form: options.Format = OutputFormat.TEXT,
) -> None:
    """Let a release judge a share of the requests a second time. Consumers never see these verdicts."""
    _move(
        "shadow",
        name,
        form,
        share=share or 0.0,
        where=where,
        why=why,
        watch=watch,
        timeout_s=timeout,
    )


def canary_command(
    name: Name,
    share: Share = None,
    where: Where = None,
    why: Why = "",
    force: Force = False,
    watch: Watch = False,
    timeout: Timeout = ROUTED_S,
    form: options.Format = OutputFormat.TEXT,
) -> None:
    """Let a release answer a share of the requests, or change its share."""
    _move(
        "canary",
        name,
        form,
        share=share or 0.0,
        where=where,
        why=why,
        force=force,
        watch=watch,
        timeout_s=timeout,
    )


def promote_command(
    name: Name,
    why: Why = "",
    force: Force = False,
    watch: Watch = False,
    timeout: Timeout = ROUTED_S,
    form: options.Format = OutputFormat.TEXT,
) -> None:
    """Make a release the stable one, which answers all requests."""
    _move("promote", name, form, why=why, force=force, watch=watch, timeout_s=timeout)


def rollback_command(
    name: Annotated[
        str,
        typer.Argument(help="the release to take out; default: canary, shadow, else stable"),
    ] = "",
    why: Why = "",
    watch: Watch = False,
    timeout: Timeout = ROUTED_S,
    form: options.Format = OutputFormat.TEXT,
) -> None:
    """Take a release out of traffic at once. In place of the stable one comes the one before it."""
    _move("rollback", name, form, why=why, watch=watch, timeout_s=timeout)


def retire_command(
    name: Name,
    why: Why = "",
    watch: Watch = False,
    timeout: Timeout = ROUTED_S,
    form: options.Format = OutputFormat.TEXT,
) -> None:
    """Give up a release that answers no requests. It is unloaded after `rollout.grace_s`."""
    _move("retire", name, form, why=why, watch=watch, timeout_s=timeout)


def use_command(
    name: Name,
    why: Why = "",
    timeout: Annotated[
        float, typer.Option(min=1, help="time limit until all workers use it, in seconds")
    ] = READY_S,
) -> None:
    """Make a release the stable one at once: stage it where needed, and promote it without evidence.

    It is loaded and tested first. The workers follow without a restart, and no request is lost or judged by
    two releases.
    """
    before = use(load(), name, why=why or "release use", timeout_s=timeout)
    if before == name:
        line(f"the workers already use {name}")
        return
    kept = f"; {before} stays loaded for `judgestream release rollback`" if before else ""
    line(f"the workers use {name}{kept}")


def use(settings: Settings, name: str, *, why: str, timeout_s: float) -> str:
    """Make a release the stable one, without evidence. Returns the stable release before.

    Raises:
        ConfigurationError: there is no such release, or it cannot be prepared.
        TimeRanOut: not all workers use it in time.
    """
    deadline = time.monotonic() + timeout_s
    with _calls(settings) as calls:
        before = stable(calls.get())
        while stable(state := calls.get()) != name:
            placed = find_release(state, name)
            try:
                if placed is None or placed.stage in (pb.STAGE_RETIRED, pb.STAGE_FAILED):
                    calls.move("stage", release=name, by=user(), why=why)
                elif await_ready(calls, name, deadline).stage != pb.STAGE_STABLE:
                    calls.move("promote", release=name, by=user(), why=why, force=True)
            except RolloutRefused:
                now = find_release(calls.get(), name)
                if (
                    now is None
                    or placed is None
                    or (now.stage, now.step) == (placed.stage, placed.step)
                ):
                    raise  # else the service itself has moved it meanwhile
        await_workers(settings, calls.get().revision, deadline)
    return before


def user() -> str:
    """Who makes a move: user@host."""
    try:
        name = getpass.getuser()
    except (OSError, KeyError):
        name = "unknown"
    return f"{name}@{socket.gethostname()}"


def stable(state: pb.Rollout) -> str:
    """The stable release; "" before the first one."""
    return next((one.release for one in state.releases if one.stage == pb.STAGE_STABLE), "")


def _calls(settings: Settings) -> "RolloutCalls":
    from judgestream.adapters.rollout.calls import RolloutCalls

    return RolloutCalls.of(settings)


def _move(
    action: str,
    name: str,
    form: OutputFormat,
    *,
    watch: bool,
    timeout_s: float,
    share: float = 0.0,
    where: list[str] | None = None,
    why: str = "",
    force: bool = False,
) -> None:
    settings = load()
    with _calls(settings) as calls:
        state = calls.move(
            action,
            release=name,
            share=share,
            where=conditions(where or []),
            by=user(),
            why=why,
            force=force,
        )
        moved = name or state.changes[-1].release
        _finish(calls, settings, state, moved, form, watch=watch, timeout_s=timeout_s)


def _finish(
    calls: "RolloutCalls",
    settings: Settings,
    state: pb.Rollout,
    release: str,
    form: OutputFormat,
    *,
    watch: bool,
    timeout_s: float,
) -> None:
    """Print the release after its move; with --watch, once it is ready or the workers have the move."""
    placed = find_release(state, release)
    if watch and placed is not None:
        deadline = time.monotonic() + timeout_s
        if placed.stage == pb.STAGE_STAGED:
            placed = await_ready(calls, release, deadline)
        else:
            await_workers(settings, state.revision, deadline)
    if placed is None:
        return
    if form is OutputFormat.JSON:
        json_line(placed)
        return
    line(sentence(placed))
    now_stable = stable(state)
    if now_stable != release:
        line(f"{now_stable or 'no release'} is stable")


def _staged(state: pb.Rollout, before: Mapping[str, pb.Placed], what: str) -> str:
    """The name of the release that was staged."""
    names = [change.release for change in state.changes if change.action == "stage"]
    if not names:
        raise JudgestreamError(f"{what} was staged, but the state does not show it")
    return what if what in {one.release for one in state.releases} else names[-1]
