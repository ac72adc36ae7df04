"""Backups of what the topics, the groups and the model repository hold, while everything runs."""

import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError
from pydantic import SecretStr

from judgestream.adapters.kafka.consuming import Incoming
from judgestream.adapters.kafka.group_offsets import group_offsets
from judgestream.adapters.kafka.reading import Offsets, TopicReader
from judgestream.adapters.kafka.topics import admin
from judgestream.adapters.kafka.unreadable import unreadable
from judgestream.apps.recovery.archive import (
    MANIFEST,
    PLAN,
    Archive,
    KeptFile,
    Line,
    Manifest,
    group_offsets_of,
    partition_file,
    sha256_of,
)
from judgestream.contracts.topics import TOPICS, VERDICTS, Topic
from judgestream.core.errors import BrokerUnavailable, ConfigurationError
from judgestream.settings import Settings

Tell = Callable[[str], object]

STATE = tuple(topic for topic in TOPICS.values() if topic.retention_ms == -1 or topic is VERDICTS)
"""What cannot be made again: verdicts, and the topics without a limit of retention."""


def back_up(
    settings: Settings, folder: Path, topics: Sequence[Topic], *, models: Path | None, tell: Tell
) -> Manifest:
    """Write a backup, or complete one that was interrupted. Workers may run.

    The groups' offsets are read before the ends of the topics: a request that the backup has as finished has
    its verdict in it.

    Args:
        models: the model repository; None leaves it out.

    Raises:
        ConfigurationError: the folder holds something else or cannot be written; a topic is missing.
        BrokerUnavailable: the broker does not answer. Run it again with the same folder to continue.
    """
    archive = Archive(folder)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        plan = archive.read(PLAN)
        if archive.read(MANIFEST) is not None:
            raise ConfigurationError(f"{folder} holds a complete backup: name another folder")
        if plan is None and any(folder.iterdir()):
            raise ConfigurationError(
                f"{folder} is not empty, and holds no backup: name another folder"
            )
        if plan is None:
            plan = _plan(settings, topics)
            archive.write(PLAN, plan)
        ends = {
            str(name): {int(n): int(at) for n, at in end.items()}
            for name, end in plan["ends"].items()
        }
        if set(ends) != {topic.name for topic in topics}:
            raise ConfigurationError(
                f"{folder} holds the beginning of a backup of {', '.join(ends)}: name the same topics to"
                " complete it, or another folder"
            )
        files: list[KeptFile] = []
        for name, end in ends.items():
            kept = _copy_topic(settings, archive, TOPICS[name], end, tell)
            files += kept
            tell(f"{name}: {sum(one.records for one in kept):,} records")
        if models is not None:
            copied = copy_models(models, archive.models, model_files(models))
            files += [
                KeptFile(path=str(path.relative_to(folder)), sha256=sha256_of(path))
                for path in copied
            ]
            tell(f"model repository: {len(copied)} files")
        manifest = Manifest(
            made_at=str(plan["made_at"]),
            version=version("judgestream"),
            partitions={name: len(end) for name, end in ends.items()},
            groups=group_offsets_of(plan["groups"]),
            files=tuple(files),
            settings=shown(settings),
        )
        archive.write_manifest(manifest)
    except OSError as exc:
        raise ConfigurationError(f"the backup cannot be written to {folder}: {exc}") from exc
    except (KeyError, AttributeError, TypeError, ValueError) as exc:
        raise ConfigurationError(f"{folder / PLAN} is damaged ({exc!r}): use a new folder") from exc
    return manifest


def _plan(settings: Settings, topics: Sequence[Topic]) -> dict[str, Any]:
    with closing(admin(settings.kafka)) as client:
        groups = committed(client)
    ends = {}
    for topic in topics:
        with TopicReader(settings.kafka, topic, topic.record) as reader:
            ends[topic.name] = dict(reader.end())
    return {"made_at": datetime.now(UTC).isoformat(), "groups": groups, "ends": ends}


def committed(client: KafkaAdminClient) -> dict[str, dict[str, dict[int, int]]]:
    """The committed offsets of every group on our topics. Raises BrokerUnavailable."""
    found: dict[str, dict[str, dict[int, int]]] = {}
    try:
        groups = sorted(group["group_id"] for group in client.list_groups())
    except KafkaError as exc:
        raise BrokerUnavailable(f"the groups could not be listed: {exc}") from exc
    for group in groups:
        for tp, place in group_offsets(client, group).items():
            if tp.topic in TOPICS and place.offset >= 0:
                found.setdefault(group, {}).setdefault(tp.topic, {})[tp.partition] = place.offset
    return found


def _copy_topic(
    settings: Settings, archive: Archive, topic: Topic, end: Offsets, tell: Tell
) -> list[KeptFile]:
    """The topic's files, from an earlier attempt if they are complete."""
    folder = archive.partition(topic.name, 0).parent
    if not folder.exists():
        aside = folder.with_name(f"{topic.name}.part")
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir(mode=0o700, parents=True)
        with ExitStack() as stack:
            files = {
                number: stack.enter_context(partition_file(aside / f"{number}.jsonl.zst"))
                for number in end
            }
            for incoming in _records(settings, topic, end):
                if (line := line_of(incoming)) is None:
                    tell(f"{incoming.record.place} is left out: the broker's batch cannot be read")
                else:
                    files[incoming.record.partition].write(line.as_json() + "\n")
        aside.rename(folder)
    return [
        KeptFile(
            path=str(path.relative_to(archive.folder)),
            sha256=sha256_of(path),
            records=sum(1 for _ in archive.lines(topic.name, number)),
        )
        for number in end
        if (path := archive.partition(topic.name, number))
    ]


def _records(settings: Settings, topic: Topic, end: Offsets) -> Iterator[Incoming[Any]]:
    """Every record before these offsets."""
    if any(end.values()):
        with TopicReader(settings.kafka, topic, topic.record) as reader:
            yield from reader.read(reader.beginning(), until=end)


def line_of(incoming: Incoming[Any]) -> Line | None:
    """The record as it is kept; None for the mark of a batch that cannot be read."""
    record = incoming.record
    if unreadable(record.headers) is not None:
        return None
    return Line(
        offset=record.offset,
        time_ms=None if record.time is None else round(record.time.timestamp() * 1000),
        key=record.key,
        value=record.value,
        headers=tuple(record.headers),
    )


def copy_models(source: Path, target: Path, files: Iterable[Path]) -> list[Path]:
    """Copy these files below `source`, and what links point to. One that is there stays if it has the same
    content.

    Raises:
        ConfigurationError: another file is there.
    """
    copied = []
    for path in files:
        to = target / path.relative_to(source)
        if to.exists():
            if sha256_of(to) != sha256_of(path):
                raise ConfigurationError(
                    f"{to} is another file than that of the backup: move it away, then run this again"
                )
        else:
            to.parent.mkdir(parents=True, exist_ok=True)
            aside = to.with_name(f"{to.name}.part")
            shutil.copy2(path, aside)
            aside.replace(to)
        copied.append(to)
    return copied


def model_files(repository: Path) -> list[Path]:
    """Every file of the installed releases, in linked folders, too. What an installation has not finished has
    a name with a dot before it, and is left out.

    Raises:
        OSError: a folder cannot be read.
    """
    found: list[Path] = []

    def refuse(error: OSError) -> None:
        raise error

    for name, folders, files in os.walk(repository, followlinks=True, onerror=refuse):
        folder = Path(name)
        above = {
            one.resolve() for one in (folder, *folder.parents) if one.is_relative_to(repository)
        }
        folders[:] = [
            one
            for one in folders
            if one != "__pycache__"
            and not (folder == repository and one.startswith("."))
            and not ((folder / one).is_symlink() and (folder / one).resolve() in above)
        ]
        found += [folder / one for one in files if (folder / one).is_file()]
    return sorted(found)


def shown(settings: Settings) -> dict[str, Any]:
    """The settings as JSON, without secrets and without the values that URLs may hide them in."""

    def plain(value: Any) -> Any:
        if isinstance(value, SecretStr):
            return None
        if isinstance(value, dict):
            kept = {name: plain(one) for name, one in value.items()}
            return {name: one for name, one in kept.items() if one is not None}
        if isinstance(value, bool | int | float | str):
            return value
        return None if value is None else str(value)

    found: dict[str, Any] = plain(settings.model_dump())
    return found
