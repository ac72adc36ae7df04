"""The record of each kind of message that the services and the clients publish."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from judgestream.contracts.codecs.labels import label_to_message
from judgestream.contracts.codecs.requests import request_to_message
from judgestream.contracts.codecs.verdicts import verdict_to_message
from judgestream.contracts.events import PROTOBUF, Header, IncomingHeader, trace_headers
from judgestream.contracts.outgoing import Outgoing, outgoing
from judgestream.contracts.records import RECORD_KEY
from judgestream.contracts.topics import (
    DEAD_LETTERS,
    LABELS,
    REQUESTS,
    VERDICTS,
    Topic,
)
from judgestream.core.checks import label_problem
from judgestream.core.errors import InvalidRequest
from judgestream.core.limits import quoted
from judgestream.core.modes import check
from judgestream.core.types import Label, Request, Verdict
from judgestream.v1.judging_pb2 import DeadLetter

CLIENT = "judgestream/client"
"""The CloudEvents source of requests and labels."""


def request_record(
    request: Request, *, content_type: str = PROTOBUF, trace: Iterable[IncomingHeader] = ()
) -> Outgoing:
    """The record of a request, once it is known to be judgeable: keyed by request id.

    A malformed `trace` is left out.

    Raises:
        InvalidRequest: a worker would refuse it; the message names the field.
        OversizeRecord: it is larger than a request may be.
    """
    check(request)
    return outgoing(
        REQUESTS,
        request_to_message(request),
        key=request.request_id,
        event_id=request.request_id,
        source=CLIENT,
        time=request.requested_at,
        content_type=content_type,
        trace=trace_headers(trace),
    )


def label_record(label: Label, *, now: datetime, content_type: str = PROTOBUF) -> Outgoing:
    """The record of a label: keyed by request id.

    Raises:
        InvalidRequest: it has neither a winner nor a tie, or both, or exceeds a limit.
    """
    if problem := label_problem(label):
        raise InvalidRequest(f"label {quoted(label.label_id)}: {problem}")
    return outgoing(
        LABELS,
        label_to_message(label),
        key=label.request_id,
        event_id=label.label_id,
        source=CLIENT,
        time=now,
        content_type=content_type,
    )


def verdict_record(
    verdict: Verdict,
    *,
    source: str,
    content_type: str = PROTOBUF,
    trace: Sequence[Header] = (),
    topic: Topic = VERDICTS,
) -> Outgoing:
    """The record of a verdict: keyed by request id. `topic` is one of those whose records are verdicts.

    Raises:
        OversizeRecord: it is too large for the topic.
    """
    return outgoing(
        topic,
        verdict_to_message(verdict),
        key=verdict.request_id,
        event_id=verdict.verdict_id,
        source=source,
        time=verdict.judged_at,
        content_type=content_type,
        trace=trace,
    )


def dead_letter_record(
    letter: DeadLetter, *, source: str, trace: Sequence[Header] = ()
) -> Outgoing:
    """The record of a dead letter: keyed as the original record was.

    Raises:
        OversizeRecord: it is too large for the topic.
    """
    return outgoing(
        DEAD_LETTERS,
        letter,
        key=letter.key[:RECORD_KEY] if letter.HasField("key") else None,
        event_id=letter.dead_letter_id,
        source=source,
        time=letter.dead_lettered_at.ToDatetime(UTC),
        trace=trace,
    )
