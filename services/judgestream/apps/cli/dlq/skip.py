"""`judgestream dlq skip`: set one record aside by hand."""

from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated

import typer

from judgestream.adapters.kafka.publishing import RecordPublisher
from judgestream.adapters.kafka.reading import TopicReader
from judgestream.adapters.kafka.skipping import GroupPlace
from judgestream.adapters.kafka.topics import admin
from judgestream.adapters.kafka.unreadable import unreadable
from judgestream.contracts.published import dead_letter_record
from judgestream.contracts.records import Record, dead_letter
from judgestream.contracts.topics import REQUESTS, TOPICS, VERDICTS
from judgestream.core.errors import ConfigurationError, JudgestreamError, SkippedByHand
from judgestream.settings import Settings, load
from judgestream.terminal.output import line

READ_S = 10.0


def skip(
    topic: Annotated[str, typer.Argument(help="topic of the record, as in a worker's log")],
    partition: Annotated[int, typer.Argument(min=0)],
    offset: Annotated[int, typer.Argument(min=0)],
    group: Annotated[
        str | None, typer.Option(help="consumer group; default: the one of the topic's workers")
    ] = None,
    move_group: Annotated[
        bool,
        typer.Option(
            "--move-group",
            help="move the group's offset past the record while its workers are stopped:"
            " for a record that cannot be fetched, or without Redis",
        ),
    ] = False,
) -> None:
    """Set one record aside, so that the workers of its group continue after it.

    The workers read their skip list in Redis every few seconds, and publish the record's dead letter. With
    --move-group this command writes the dead letter and moves the group's committed offset; the record must
    be the next one of the group.
    """
    settings = load()
    if topic not in TOPICS:
        raise ConfigurationError(f"unknown topic {topic}: use one of {', '.join(TOPICS)}")
    group = group or _group_of(topic, settings)
    place = f"{topic}[{partition}]@{offset}"
    with closing(admin(settings.kafka)) as client:
        at = GroupPlace(client, group, topic, partition)
        _check(at, place, group, offset)
        if move_group:
            record = Record(
                topic=topic, partition=partition, offset=offset, time=None, key=None, value=None
            )
            _move(at, settings, group, record)
            line(f"{place}: dead letter written; group {group} continues at {offset + 1}")
            return
    _list(settings, group, topic, partition, offset)
    line(f"{place}: on the skip list of group {group}; its workers set it aside when they reach it")


def _group_of(topic: str, settings: Settings) -> str:
    groups = {REQUESTS.name: settings.judging.group, VERDICTS.name: settings.bias.group}
    if topic not in groups:
        raise ConfigurationError(f"no worker reads {topic}: name the group with --group")
    return groups[topic]


def _check(at: GroupPlace, place: str, group: str, offset: int) -> None:
    first, end = at.bounds()
    if not first <= offset < end:
        raise ConfigurationError(
            f"{place} does not exist: the partition has offsets {first} to {end - 1}"
        )
    committed = at.committed()
    if committed is not None and offset < committed:
        raise ConfigurationError(
            f"group {group} is already past {place}: it continues at {committed}"
        )


def _list(settings: Settings, group: str, topic: str, partition: int, offset: int) -> None:
    from judgestream.adapters.redis.worker_board import WorkerBoard

    board = WorkerBoard.connect(settings.redis)
    if board is None:
        raise ConfigurationError(
            "the skip list needs Redis, and redis.url is empty: stop the workers and use --move-group"
        )
    with board:
        board.skip(group, (topic, partition, offset))


def _move(at: GroupPlace, settings: Settings, group: str, record: Record) -> None:
    committed = at.committed()
    begin = at.bounds()[0] if committed is None else committed
    if begin != record.offset:
        raise ConfigurationError(
            f"group {group} continues at offset {begin}: moving it past {record.offset} would lose the"
            f" {record.offset - begin} records before it; without --move-group only this record is set aside"
        )
    content, reason = _read(settings, record)
    now = datetime.now(UTC)
    letter = dead_letter(
        content,
        SkippedByHand(reason),
        attempts=1,
        first_failed_at=now,
        now=now,
        group=group,
        request_id="",
    )
    with RecordPublisher(settings.kafka) as publisher:
        publisher.send_record(
            dead_letter_record(letter, source="judgestream/dlq-skip"), what="the dead letter"
        )
    at.move(record.offset + 1)


def _read(settings: Settings, wanted: Record) -> tuple[Record, str]:
    """The record, with its content if it is readable, and the text of the dead letter."""
    reason = "set aside by hand: judgestream dlq skip"
    topic = TOPICS[wanted.topic]
    try:
        with TopicReader(settings.kafka, topic, topic.record) as reader:
            ends = reader.end()
            start = {**ends, wanted.partition: wanted.offset}
            for incoming in reader.read(start, until=ends, deadline_s=READ_S):
                record = incoming.record
                if (record.partition, record.offset) == (wanted.partition, wanted.offset):
                    problem = unreadable(record.headers)
                    if problem is None:
                        return record, reason
                    return replace(record, headers=()), f"{reason}; {problem}"
                if record.partition == wanted.partition:
                    break
    except JudgestreamError as exc:
        return wanted, f"{reason}; it could not be read: {exc}"
    return wanted, f"{reason}; it could not be read"
