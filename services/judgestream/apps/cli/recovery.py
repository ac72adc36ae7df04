"""`judgestream redis rebuild`, `backup` and `restore`."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from judgestream.contracts.topics import TOPICS, Topic
from judgestream.settings import Settings, load
from judgestream.terminal.output import line, note


def rebuild() -> None:
    """Rebuild from the topics what Redis has lost: published verdicts, spending, alarms, bias windows.

    Workers may run meanwhile. Run it again if it is interrupted.
    """
    from judgestream.apps.recovery.rebuilding import NOT_REBUILT, Step, rebuild_all

    def tell(step: Step) -> None:
        line(f"{step.name}: {step.count:,} {step.noun}{'' if step.count == 1 else 's'}")

    asyncio.run(rebuild_all(load(), on_skip=note, on_step=tell))
    note(NOT_REBUILT)


Models = Annotated[
    Path | None,
    typer.Option(
        help="model repository; default: rollout.repository, else that of the local stack"
    ),
]


def backup(
    to: Annotated[Path, typer.Option("--to", help="new folder")],
    topics: Annotated[
        str,
        typer.Option(
            help="state: verdicts, and the topics that are kept without limit; all; or names, comma separated"
        ),
    ] = "state",
    models: Models = None,
    no_models: Annotated[
        bool, typer.Option("--no-models", help="leave the model repository out")
    ] = False,
) -> None:
    """Copy topics, the groups' offsets and the installed releases into a folder. Workers may run.

    An interrupted backup is completed by the same command. No secret is written.
    """
    from judgestream.apps.recovery.backup import STATE, back_up

    settings = load()
    chosen = {"state": STATE, "all": tuple(TOPICS.values())}.get(topics) or _topics(topics)
    source = None if no_models else _repository(settings, models)
    if source is None and not no_models:
        note("there is no model repository here: the backup has no releases (--models names one)")
    manifest = back_up(settings, to, chosen, models=source, tell=note)
    line(
        f"{to}: {sum(one.records for one in manifest.files):,} records, {len(manifest.files)} files"
    )


def restore(
    source: Annotated[Path, typer.Option("--from", help="folder of a backup")],
    models: Models = None,
    no_models: Annotated[
        bool, typer.Option("--no-models", help="leave the model repository as it is")
    ] = False,
) -> None:
    """Write a backup into empty topics, and verify it. The workers must be stopped.

    An interrupted restore is completed by the same command. Afterwards: `judgestream redis rebuild`.
    """
    from judgestream.apps.recovery.restore import restore as run

    settings = load()
    target = None if no_models else models or settings.rollout.repository
    if target is None and not no_models and (source / "models").is_dir():
        note("the releases are not restored: --models names the model repository")
    manifest = run(settings, source, models=target, tell=note)
    line(
        f"restored {sum(one.records for one in manifest.files):,} records of {manifest.made_at};"
        " now run `judgestream redis rebuild`, then start the workers"
    )


def _topics(names: str) -> tuple[Topic, ...]:
    chosen = [name.strip() for name in names.split(",") if name.strip()]
    if unknown := [name for name in chosen if name not in TOPICS] or not chosen:
        told = ", ".join(unknown) if isinstance(unknown, list) else names
        raise typer.BadParameter(f"no topic {told!r}: state, all, or names of {', '.join(TOPICS)}")
    return tuple(TOPICS[name] for name in dict.fromkeys(chosen))


def _repository(settings: Settings, named: Path | None) -> Path | None:
    if named is not None:
        if not named.is_dir():
            raise typer.BadParameter(f"{named} is not a folder")
        return named
    for one in (settings.rollout.repository, settings.local.data / "models"):
        if one is not None and one.is_dir():
            return one
    return None
