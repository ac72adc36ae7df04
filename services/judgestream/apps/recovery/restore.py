"""Restoring a backup into empty topics.

Records keep their partition, order, key, headers and time; their offsets begin anew. What refers to offsets
is translated: the groups' offsets, and the rollout's place on the topic of checkpoints.

A partition that holds the beginning of its backup is completed: an interrupted restore is run again.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from google.protobuf.message import DecodeError
from kafka import KafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError

from judgestream.adapters.kafka.connection import client_options
from judgestream.adapters.kafka.group_offsets import set_group_offsets
from judgestream.adapters.kafka.reading import TopicReader
from judgestream.adapters.kafka.topic_changes import Wanted, make, plan
from judgestream.adapters.kafka.topics import admin, apply
from judgestream.apps.recovery.archive import Archive, Line, Manifest
from judgestream.apps.recovery.backup import Tell, copy_models, line_of
from judgestream.contracts.topics import CHECKPOINTS, ROLLOUTS, TOPICS, Topic
from judgestream.core.errors import BrokerUnavailable, ConfigurationError
from judgestream.settings import Kafka, Settings
from judgestream.v1.rollout_pb2 import Rollout

SEND_S = 60.0
NO_TIME = -1
"""Kafka's own mark. Without it a record without a usable time would get the time of the restore."""
MAX_RECORD_BYTES = 9 << 20


def restore(settings: Settings, folder: Path, *, models: Path | None, tell: Tell) -> Manifest:
    """Check the backup, then write it to the topics, and verify what is there.

    Args:
        models: the model repository to fill; None leaves it out.

    Raises:
        ConfigurationError: the backup is damaged, a topic holds other records, or a worker runs. Nothing was
            written unless the message says so.
        BrokerUnavailable: the broker does not answer. Run it again to continue.
    """
    archive = Archive(folder)
    manifest = archive.manifest()
    unknown = sorted(set(manifest.partitions) - set(TOPICS))
    if unknown:
        raise ConfigurationError(
            f"the backup has the topics {', '.join(unknown)}, which this version does not know: restore with"
            f" the version that wrote it ({manifest.version}), or a newer one"
        )
    with closing(admin(settings.kafka)) as client:
        _refuse_members(client, manifest)
        _prepare_topics(client, settings.kafka, manifest)
        # first, because the rollout refers to its offsets
        order = sorted(_filled(manifest), key=lambda name: (name != CHECKPOINTS.name, name))
        starts = {name: _starts(settings.kafka, archive, TOPICS[name]) for name in order}
        for name, start in starts.items():
            written = _write(settings.kafka, archive, TOPICS[name], start)
            _verify(settings.kafka, archive, TOPICS[name])
            tell(f"{name}: {written:,} records written and verified")
        _restore_groups(client, archive, manifest, tell)
    if models is not None and archive.models.is_dir():
        copied = copy_models(archive.models, models, _model_files(archive, manifest))
        tell(f"model repository: {len(copied)} files")
    return manifest


def _model_files(archive: Archive, manifest: Manifest) -> list[Path]:
    """Those of the manifest only: Triton runs the code that a model repository contains."""
    every = [archive.folder / one.path for one in manifest.files]
    return [path for path in every if path.is_relative_to(archive.models)]


def _filled(manifest: Manifest) -> set[str]:
    """Topics that the backup has records of."""
    return {Path(one.path).parent.name for one in manifest.files if one.records}


def _refuse_members(client: KafkaAdminClient, manifest: Manifest) -> None:
    """Workers would read and write while the topics are filled."""
    try:
        present = {group["group_id"] for group in client.list_groups()}
        named = sorted(present & set(manifest.groups))
        described = client.describe_groups(named) if named else {}
    except KafkaError as exc:
        raise BrokerUnavailable(f"the groups could not be looked up: {exc}") from exc
    for name, group in described.items():
        if group.get("members"):
            raise ConfigurationError(
                f"group {name} has {len(group['members'])} members: stop the workers, then restore"
            )


def _prepare_topics(client: KafkaAdminClient, kafka: Kafka, manifest: Manifest) -> None:
    """Create missing topics, with as many partitions as they had."""
    apply(client, kafka)
    wanted = Wanted(
        replication=1,
        partitions={
            name: max(number, TOPICS[name].partitions)
            for name, number in manifest.partitions.items()
            if TOPICS[name].cleanup == "delete"
        },
    )
    grown = [one for one in plan(client, wanted) if one.what == "partitions" and not one.refused]
    make(client, grown, timeout_s=60.0, on_progress=lambda told: None)
    for topic in TOPICS.values():
        (described,) = client.describe_topics([topic.name])
        had = manifest.partitions.get(topic.name, 0)
        if (has := len(described["partitions"])) < had:
            raise ConfigurationError(
                f"{topic.name} has {has} partitions and had {had}: delete the topic, then restore"
            )


def translated(archive: Archive, topic: Topic, number: int) -> Iterator[Line]:
    """The partition's records as they are written."""
    offsets = None
    for line in archive.lines(topic.name, number):
        if topic is ROLLOUTS and line.value:
            if offsets is None:
                offsets = [one.offset for one in archive.lines(CHECKPOINTS.name, 0)]
            line = replace(line, value=_with_next_checkpoint(line.value, offsets))
        # kafka-python sends no header without a value; our readers take an empty one for the same
        yield replace(line, headers=tuple((name, value or b"") for name, value in line.headers))


def new_offset(offsets: Iterable[int], old: int) -> int:
    """The offset of the first record that was at `old` or behind it."""
    return sum(offset < old for offset in offsets)


def _with_next_checkpoint(value: bytes, offsets: list[int]) -> bytes:
    try:
        message = Rollout.FromString(value)
    except DecodeError:
        return value
    if not message.next_checkpoint:
        return value
    message.next_checkpoint = new_offset(offsets, message.next_checkpoint)
    return message.SerializeToString()


def _starts(kafka: Kafka, archive: Archive, topic: Topic) -> Mapping[int, int]:
    """Partition -> records of the backup that it holds already.

    Raises:
        ConfigurationError: it holds other records.
    """
    with TopicReader(kafka, topic, topic.record) as reader:
        first, end = reader.beginning(), reader.end()
        found = {}
        for number, held in end.items():
            found[number] = held
            if not held:
                continue
            last = next(islice(translated(archive, topic, number), held - 1, None), None)
            elsewhere = {n: at for n, at in end.items() if n != number}
            read = reader.read(
                {**elsewhere, number: held - 1}, until={number: held}, deadline_s=30.0
            )
            present = next((line_of(one) for one in read), None)
            if first[number] or last is None or present is None or present.digest != last.digest:
                raise ConfigurationError(
                    f"{topic.name}[{number}] holds {held} records that are not the beginning of this backup:"
                    " restore into empty topics (delete it, or use another cluster)"
                )
        return found


def _write(kafka: Kafka, archive: Archive, topic: Topic, starts: Mapping[int, int]) -> int:
    written = 0
    try:
        producer = KafkaProducer(
            **client_options(kafka),
            client_id="judgestream-restore",
            acks="all",
            enable_idempotence=True,
            linger_ms=20,
            batch_size=256 * 1024,
            max_request_size=MAX_RECORD_BYTES,
        )
        with closing(producer):
            sent = []
            for number, start in starts.items():
                for line in islice(translated(archive, topic, number), start, None):
                    sent.append(
                        producer.send(
                            topic.name,
                            value=line.value,
                            key=line.key,
                            headers=list(line.headers),
                            partition=number,
                            timestamp_ms=NO_TIME if line.time_ms is None else line.time_ms,
                        )
                    )
                    written += 1
                    if len(sent) >= 1000:
                        _confirm(sent)
            _confirm(sent)
    except (KafkaError, OSError) as exc:
        raise BrokerUnavailable(f"{topic.name} was restored in part ({exc}): run it again") from exc
    return written


def _confirm(sent: list[Any]) -> None:
    """Wait for futures of the producer."""
    for future in sent:
        future.get(timeout=SEND_S)
    sent.clear()


def _verify(kafka: Kafka, archive: Archive, topic: Topic) -> None:
    """Compare every record with the backup."""
    found: dict[int, tuple[int, bytes]] = {}
    with TopicReader(kafka, topic, topic.record) as reader:
        numbers = list(reader.end())
        for incoming in reader.read(reader.beginning(), until=reader.end()):
            if (line := line_of(incoming)) is not None:
                number = incoming.record.partition
                count, digest = found.get(number, (0, b""))
                found[number] = count + 1, hashlib.sha256(digest + line.digest).digest()
    for number in numbers:
        wanted: tuple[int, bytes] = (0, b"")
        for line in translated(archive, topic, number):
            wanted = wanted[0] + 1, hashlib.sha256(wanted[1] + line.digest).digest()
        if found.get(number, (0, b"")) != wanted:
            raise ConfigurationError(
                f"{topic.name}[{number}] holds {found.get(number, (0, b''))[0]} records, the backup"
                f" {wanted[0]}, or they differ: something else wrote to it; delete the topic, then restore"
            )


def _restore_groups(
    client: KafkaAdminClient, archive: Archive, manifest: Manifest, tell: Tell
) -> None:
    """The groups continue at the records that they had not committed."""
    for group, topics in manifest.groups.items():
        places = {}
        for name, by_partition in topics.items():
            if name not in manifest.partitions:
                continue
            for number, old in by_partition.items():
                new = new_offset((line.offset for line in archive.lines(name, number)), old)
                places[TopicPartition(name, number)] = new
        if not places:
            continue
        set_group_offsets(client, group, places)
        tell(f"group {group}: {len(places)} offsets")
