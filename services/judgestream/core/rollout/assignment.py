"""The release that answers a record of a request, by what earlier records of the same request came to.

A request is its id, its mode and its content. A worker assigns it to a release before it judges, and
remembers that, so that a record which is delivered again is judged by the same release even if the route has
changed meanwhile.

    the same record again (a redelivery), published     suppressed
    the same record again, not published                the release that it was assigned to
    another record (a resend)                           the route's release; suppressed if that has scored it
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum

from judgestream.core.limits import plausible

MOST_RECORDS = 8
"""Records of one request that are remembered, newest last."""

_ATTEMPT = "attempt "
"""Start of the place in a row about an attempt. The span and the record's place follow."""


class Outcome(StrEnum):
    ASSIGNED = "assigned"
    """Nothing was published, or a failed verdict."""
    UNSCORED = "unscored"
    SCORED = "scored"


@dataclass(frozen=True, kw_only=True, slots=True)
class Assignment:
    """One record of the request: its place in the topic, and the release that answers or has answered it.

    attempt   the span of an attempt at it, as a `traceparent`; "" if none was traced. Not compared: the
              memory is not written again for a span alone
    """

    place: str
    release: str
    requested_at: datetime
    outcome: Outcome = Outcome.ASSIGNED
    attempt: str = field(default="", compare=False)


Memory = tuple[Assignment, ...]
"""What is remembered of one request, oldest record first."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Turn:
    """What to do with a record.

    release        that judges it
    suppressed     it is not judged: its verdict was published
    again          it was assigned before, so its verdict may have been published without a trace
    requested_at   of its verdict: verdicts with one id carry one time, that of the first record
    attempt        the span of an earlier attempt at the record, as far as it is known
    """

    release: str
    requested_at: datetime
    suppressed: bool = False
    again: bool = False
    attempt: str = ""


def turn(memory: Memory, *, place: str, routed: str, requested_at: datetime) -> Turn:
    """What to do with the record at `place`, for which the route gives the release `routed`."""
    for one in memory:
        if one.place == place:
            return Turn(
                release=one.release,
                requested_at=one.requested_at,
                suppressed=one.outcome is not Outcome.ASSIGNED,
                again=True,
                attempt=one.attempt,
            )
    of_release = [one for one in memory if one.release == routed]
    return Turn(
        release=routed,
        requested_at=of_release[0].requested_at if of_release else requested_at,
        suppressed=any(one.outcome is Outcome.SCORED for one in of_release),
    )


def with_record(memory: Memory, record: Assignment) -> Memory:
    """The memory with this record instead of what it had about the record's place."""
    known = any(one.place == record.place for one in memory)
    if known:
        return tuple(record if one.place == record.place else one for one in memory)
    return (*memory, record)[-MOST_RECORDS:]


def merged(own: Memory, shared: Memory) -> Memory:
    """What a worker and the shared store remember together. Each may have missed what the other has seen."""
    found = shared
    for one in own:
        other = next((other for other in found if other.place == one.place), None)
        if other is None or (
            other.outcome is Outcome.ASSIGNED and one.outcome is not Outcome.ASSIGNED
        ):
            found = with_record(found, one)
    return found


def to_text(memory: Iterable[Assignment]) -> str:
    """The text of a memory.

    An attempt has a separate row, because readers of the last release refuse rows with a fifth field. These
    rows come first: of too many rows, readers drop the first.
    """
    records = list(memory)
    attempts = [_attempt_at(one) for one in records if one.attempt]
    return json.dumps(
        [
            [one.outcome.value, one.place, one.requested_at.isoformat(), one.release]
            for one in (*attempts, *records)
        ],
        separators=(",", ":"),
    )


def from_text(text: str) -> Memory:
    """The memory that a text holds; nothing for any other text, because anybody may write to the store."""
    try:
        rows = json.loads(text) if text else []
        # a newer version may have written more about each record
        found = [_assignment(*row[:4]) for row in rows]
    except (ValueError, TypeError, OverflowError, RecursionError):
        return ()
    attempts: dict[str, str] = {}
    records: list[Assignment] = []
    for one in found:
        if one.place.startswith(_ATTEMPT):
            attempt, _, place = one.place.removeprefix(_ATTEMPT).partition(" ")
            attempts[place] = attempt
        else:
            records.append(one)
    return tuple(
        replace(one, attempt=attempts[one.place]) if one.place in attempts else one
        for one in records[-MOST_RECORDS:]
    )


def _attempt_at(one: Assignment) -> Assignment:
    """The row about the attempt at a record, in the form of a record that no request has."""
    return replace(one, place=f"{_ATTEMPT}{one.attempt} {one.place}", release="", attempt="")


def _assignment(outcome: str, place: str, requested_at: str, release: str) -> Assignment:
    if not isinstance(place, str) or not isinstance(release, str):
        raise TypeError("a place and a release are texts")
    time = plausible(datetime.fromisoformat(requested_at).astimezone(UTC))
    if time is None:
        raise ValueError(f"the time {requested_at} is outside the calendar")
    # what only a newer version knows is judged again by its release, under the same verdict id
    known = Outcome(outcome) if outcome in list(Outcome) else Outcome.ASSIGNED
    return Assignment(outcome=known, place=place, requested_at=time, release=release)
