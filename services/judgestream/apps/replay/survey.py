"""The work of a replay: the selected requests, and those of them that the release has judged already."""

from collections import Counter
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from datetime import datetime

from judgestream.adapters.kafka.messages import OnSkip, everything, ignore
from judgestream.adapters.kafka.reading import never
from judgestream.apps.judging.one_release import RequestsJudge
from judgestream.apps.replay.requests import old_request, plans_of, records
from judgestream.apps.replay.selection import Selection
from judgestream.contracts.records import Record
from judgestream.contracts.topics import SHADOW, VERDICTS
from judgestream.core.errors import PoisonError
from judgestream.core.identity import verdict_id
from judgestream.core.limits import EARLIEST, shortened
from judgestream.core.replay_cost import Size
from judgestream.core.types import Status
from judgestream.settings import Kafka
from judgestream.v1.judging_pb2 import Verdict as VerdictMessage

Place = tuple[int, int]
"""Partition and offset."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Selected:
    """One judgement that is wanted: where its request is, and its size at every release that is asked."""

    place: Place
    time: datetime
    sizes: tuple[Size, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Survey:
    """The work of a replay. Memory holds about 300 bytes for each selected request.

    todo       what is still to be judged, by place
    shadow     selected judgements that are on `judge.shadow.v1` already
    live       selected judgements that the release has published on `judge.verdicts.v1`
    failed     of those, the ones whose verdict is a failed one
    refused    records that cannot be judged, by reason
    """

    todo: Mapping[Place, Selected]
    shadow: int
    live: int
    failed: int
    refused: Mapping[str, int]


def survey(
    settings: Kafka,
    selection: Selection,
    judge: RequestsJudge,
    *,
    retry_failed: bool,
    on_skip: OnSkip = ignore,
    stopped: Callable[[], bool] = never,
) -> Survey:
    """Read the selected requests, and then the topics of verdicts for what is done.

    A request that stands on the topic twice is one judgement, since its verdict id is the same. So a replay
    that was stopped anywhere continues with what has no verdict yet, and a finished one has nothing to do.

    Args:
        retry_failed: judge again what has only a failed verdict.
        on_skip: called with a sentence for every record that cannot be judged.
        stopped: once it returns True, the survey ends early, and what it returns is incomplete.

    Raises:
        BrokerUnavailable, ConfigurationError: as for `TopicReader`.
    """
    refused: Counter[str] = Counter()
    selected: dict[str, Selected] = {}
    with records(settings, selection, stopped=stopped) as found:
        for record in found:
            try:
                asked, _ = old_request(record, judge.release)
                if not selection.wanted.admits(asked.request):
                    continue
                plans = plans_of(asked, judge)
            except PoisonError as exc:
                refused[exc.code] += 1
                on_skip(f"left out {record.place}: {exc.code}: {shortened(str(exc), 200)}")
                continue
            one = Selected(
                place=_place(record),
                time=record.time or EARLIEST,
                sizes=tuple(Size.of(passes) for passes in plans),
            )
            name = verdict_id(
                asked.request.request_id,
                judge.release.name,
                asked.request.mode,
                asked.content_digest,
            )
            earlier = selected.get(name)
            if earlier is None or _order(one) < _order(earlier):
                selected[name] = one
    if selection.limit is not None:
        oldest = sorted(selected.items(), key=lambda item: _order(item[1]))
        selected = dict(oldest[: selection.limit])
    statuses = _statuses(settings, judge.release.name, selected, stopped)
    return _surveyed(selected, statuses, refused, retry_failed=retry_failed)


def _surveyed(
    selected: Mapping[str, Selected],
    statuses: tuple[Mapping[str, Status], Mapping[str, Status]],
    refused: Mapping[str, int],
    *,
    retry_failed: bool,
) -> Survey:
    shadow, live = statuses
    todo: dict[Place, Selected] = {}
    counts: Counter[str] = Counter()
    for name, one in selected.items():
        found = [where[name] for where in (shadow, live) if name in where]
        failed = bool(found) and all(status is Status.FAILED for status in found)
        if not found or (failed and retry_failed):
            todo[one.place] = one
            continue
        counts["live" if name in live and name not in shadow else "shadow"] += 1
        counts["failed"] += failed
    return Survey(
        todo=todo,
        shadow=counts["shadow"],
        live=counts["live"],
        failed=counts["failed"],
        refused=dict(sorted(refused.items())),
    )


def _statuses(
    settings: Kafka,
    release: str,
    selected: Mapping[str, Selected],
    stopped: Callable[[], bool],
) -> tuple[dict[str, Status], dict[str, Status]]:
    """Of the selected judgements, the best status on the shadow topic and on the topic of verdicts."""
    found: tuple[dict[str, Status], dict[str, Status]] = ({}, {})
    if not selected:
        return found
    for known, topic in zip(found, (SHADOW, VERDICTS), strict=True):
        for _, message in everything(settings, topic, VerdictMessage):
            if stopped():
                return found
            if message.release != release or message.verdict_id not in selected:
                continue
            failed = message.status == VerdictMessage.STATUS_FAILED
            if not failed or message.verdict_id not in known:
                known[message.verdict_id] = Status.FAILED if failed else Status.SCORED
    return found


def chosen(
    settings: Kafka,
    selection: Selection,
    todo: Mapping[Place, Selected],
    *,
    stopped: Callable[[], bool],
) -> Generator[Record, None, None]:
    """The records of what is to be judged, read again, so that memory does not hold them."""
    left = len(todo)
    if not left:
        return
    with records(settings, selection, stopped=stopped) as found:
        for record in found:
            if _place(record) in todo:
                left -= 1
                yield record
                if not left:
                    return


def _place(record: Record) -> Place:
    return record.partition, record.offset


def _order(one: Selected) -> tuple[datetime, Place]:
    return one.time, one.place
