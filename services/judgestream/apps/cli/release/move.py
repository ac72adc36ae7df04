"""`judgestream release stage|shadow|canary|promote|rollback|retire|use`: moves of the rollout."""

import getpass
import re
import socket
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from judgestream.adapters.rollout.errors import RolloutRefused, RolloutUnavailable
from judgestream.apps.cli.release.rollout_view import sentence, stage_of
from judgestream.core.errors import ConfigurationError, JudgestreamError
from judgestream.settings import Settings, load
from judgestream.terminal import options
from judgestream.terminal.exit_codes import TimeRanOut
from judgestream.terminal.output import OutputFormat, json_line, line, note
from judgestream.v1 import rollout_pb2 as pb

if TYPE_CHECKING:
    from judgestream.adapters.rollout.calls import RolloutCalls

READY_S = 600.0
"""A large judge takes minutes to download and to load."""

ROUTED_S = 30.0
"""Workers follow a move within 2 s; one that restarts takes longer."""

_PERCENT = re.compile(r"\d+(?:\.\d+)?%")


def share(text: str) -> float:
    """A share of the requests: `10%` or `0.1`."""
    try:
        value = float(text.removesuffix("%")) / (100 if _PERCENT.fullmatch(text) else 1)
    except ValueError:
        value = 0.0
    if not 0.0 < value <= 1.0:
        raise typer.BadParameter(f"invalid share {text!r}: give for example 10% or 0.1")
    return value


Name = Annotated[str, typer.Argument(help="name of the release, as in `release list`")]
Why = Annotated[str, typer.Option(help="the reason, which is published with the move")]
Watch = Annotated[
    bool,
    typer.Option("--watch", help="wait until the release is ready, or all workers have the move"),
]
Timeout = Annotated[float, typer.Option(min=1, help="time limit of --watch, in seconds")]
Share = Annotated[
    float | None,
    typer.Option("--share", parser=share, metavar="SHARE", help="of the requests: 10% or 0.1"),
]
Where = Annotated[
    list[str] | None,
    typer.Option(
        metavar="KEY=VALUE", help="only requests with this metadata, such as tenant=a; repeatable"
    ),
]
Force = Annotated[
    bool, typer.Option("--force", help="without the evidence that the policy asks for")
]


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
            placed = _placed(state, name)
            try:
                if placed is None or placed.stage in (pb.STAGE_RETIRED, pb.STAGE_FAILED):
                    calls.move("stage", release=name, by=user(), why=why)
                elif _await_ready(calls, name, deadline).stage != pb.STAGE_STABLE:
                    calls.move("promote", release=name, by=user(), why=why, force=True)
            except RolloutRefused:
                now = _placed(calls.get(), name)
                if (
                    now is None
                    or placed is None
                    or (now.stage, now.step)
                    == (
                        placed.stage,
                        placed.step,
                    )
                ):
                    raise  # else the service itself has moved it meanwhile
        _await_workers(settings, calls.get().revision, deadline)
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


def conditions(entries: list[str]) -> Mapping[str, str]:
    """The values of `--where`."""
    pairs = [entry.partition("=") for entry in entries]
    if wrong := [
        entry
        for entry, (key, equals, _) in zip(entries, pairs, strict=True)
        if not (key and equals)
    ]:
        raise ConfigurationError(f"invalid --where {wrong[0]!r}: give KEY=VALUE, such as tenant=a")
    return {key: value for key, _, value in pairs}


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
    placed = _placed(state, release)
    if watch and placed is not None:
        deadline = time.monotonic() + timeout_s
        if placed.stage == pb.STAGE_STAGED:
            placed = _await_ready(calls, release, deadline)
        else:
            _await_workers(settings, state.revision, deadline)
    if placed is None:
        return
    if form is OutputFormat.JSON:
        json_line(placed)
        return
    line(sentence(placed))
    now_stable = stable(state)
    if now_stable != release:
        line(f"{now_stable or 'no release'} is stable")


def _await_ready(calls: "RolloutCalls", release: str, deadline: float) -> pb.Placed:
    """Print the steps of a release until it is ready. Returns it.

    Raises:
        ConfigurationError: it failed, and why; or it was retired meanwhile.
        TimeRanOut: it is not ready in time; the service continues.
    """
    printed = ""
    while (left := deadline - time.monotonic()) > 0:
        try:
            for state in calls.watch(timeout_s=left):
                placed = _placed(state, release)
                if placed is None:
                    raise ConfigurationError(f"release {release} is not in the rollout any more")
                if placed.stage in (pb.STAGE_FAILED, pb.STAGE_RETIRED):
                    raise ConfigurationError(
                        f"release {release} is {stage_of(placed)}: {placed.error or placed.why}"
                    )
                if placed.step == pb.STEP_READY:
                    return placed
                if (text := sentence(placed)) != printed:
                    printed = text
                    note(text)
        except RolloutUnavailable as exc:  # it may restart: what it was doing, it continues
            if str(exc) != printed:
                printed = str(exc)
                note(printed)
            time.sleep(min(1.0, left))
    raise TimeRanOut(
        f"release {release} is not ready yet, and the rollout service continues: see `judgestream release"
        " show`"
    )


def _await_workers(settings: Settings, revision: int, deadline: float) -> None:
    """Wait until every judging worker follows the state of this revision.

    Raises:
        TimeRanOut: some do not in time; they follow once they can.
    """
    from judgestream.adapters.redis.worker_board import WorkerBoard

    board = WorkerBoard.connect(settings.redis)
    if board is None:
        note("the workers' state is unknown: there is no Redis")
        return
    with board:
        while True:
            behind = [
                entry.name
                for entry in board.workers()
                if entry.kind == "judging" and entry.route is not None and entry.route < revision
            ]
            if not behind:
                return
            if time.monotonic() > deadline:
                raise TimeRanOut(
                    f"the move is published, but {', '.join(behind)} did not follow in time: see"
                    " `judgestream status`"
                )
            time.sleep(0.2)


def _placed(state: pb.Rollout, release: str) -> pb.Placed | None:
    return next((one for one in state.releases if one.release == release), None)


def _staged(state: pb.Rollout, before: Mapping[str, pb.Placed], what: str) -> str:
    """The name of the release that was staged."""
    names = [change.release for change in state.changes if change.action == "stage"]
    if not names:
        raise JudgestreamError(f"{what} was staged, but the state does not show it")
    return what if what in {one.release for one in state.releases} else names[-1]
