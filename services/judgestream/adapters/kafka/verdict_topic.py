"""Verdicts read from their topic: as published, or each judgement once."""

from collections.abc import Iterator
from datetime import datetime

from judgestream.adapters.kafka.consuming import Incoming
from judgestream.adapters.kafka.messages import OnSkip, everything, ignore, report_skip
from judgestream.contracts.codecs.verdicts import verdict_from_message
from judgestream.contracts.topics import VERDICTS
from judgestream.core.types import Verdict
from judgestream.core.verdict_filter import VerdictFilter
from judgestream.core.verdict_set import VerdictSet
from judgestream.settings import Kafka
from judgestream.v1.judging_pb2 import Verdict as VerdictMessage

Published = tuple[VerdictMessage, Verdict]
"""A verdict as its message on the topic, and as a value."""


def verdicts(
    messages: Iterator[tuple[Incoming[VerdictMessage], VerdictMessage]],
    *,
    release: str | None = None,
    on_skip: OnSkip = ignore,
) -> Iterator[Published]:
    """Verdict messages with their values, of one release or of all."""
    for incoming, message in messages:
        if release is not None and message.release != release:
            continue
        try:
            yield message, verdict_from_message(message)
        except ValueError as exc:  # a time outside the calendar, an unknown reason
            report_skip(incoming, exc, on_skip)


def all_verdicts(
    settings: Kafka,
    *,
    release: str | None = None,
    since: datetime | None = None,
    on_skip: OnSkip = ignore,
) -> Iterator[Published]:
    """Every verdict on the topic now, as published: redeliveries included."""
    messages = everything(settings, VERDICTS, VerdictMessage, since=since, on_skip=on_skip)
    return verdicts(messages, release=release, on_skip=on_skip)


def judgements(
    settings: Kafka,
    wanted: VerdictFilter,
    *,
    release: str | None = None,
    since: datetime | None = None,
    on_skip: OnSkip = ignore,
) -> Iterator[Published]:
    """Each judgement once, without redeliveries and without failures that a replay replaced.

    Reads the topic twice, so that memory holds ids and not verdicts.
    """
    kept: VerdictSet[str] = VerdictSet()
    for _, verdict in all_verdicts(settings, release=release, since=since, on_skip=on_skip):
        kept.add(verdict, _key(verdict))
    left = set(kept)
    for message, verdict in all_verdicts(settings, release=release, since=since):
        key = _key(verdict)
        if key in left and wanted.admits(verdict):
            left.discard(key)
            yield message, verdict


def _key(verdict: Verdict) -> str:
    return f"{verdict.verdict_id} {verdict.status.value} {verdict.judged_at.isoformat()}"
