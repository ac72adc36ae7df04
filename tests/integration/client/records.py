"""Verdicts, dead letters and a judge for the tests of the client side."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TypeVar

from google.protobuf.message import Message
from typer.testing import CliRunner, Result

from judgestream.adapters.kafka.consuming import Incoming
from judgestream.adapters.kafka.publishing import RecordPublisher
from judgestream.adapters.kafka.reading import TopicReader
from judgestream.apps.cli import main
from judgestream.client import JSON
from judgestream.contracts.codecs.requests import request_from_message
from judgestream.contracts.codecs.verdicts import verdict_to_message
from judgestream.contracts.events import event_headers
from judgestream.contracts.records import Record, dead_letter
from judgestream.contracts.topics import (
    DEAD_LETTERS,
    REQUESTS,
    VERDICTS,
    Topic,
)
from judgestream.contracts.wire import encode
from judgestream.core.errors import (
    UndecodableRecord,
)
from judgestream.core.identity import content_digest, verdict_id
from judgestream.core.transforms import STRAIGHT, SWAPPED
from judgestream.core.types import (
    CandidateScore,
    PassResult,
    Reading,
    Reply,
    Request,
    Status,
    Verdict,
)
from judgestream.settings import Kafka
from judgestream.v1.judging_pb2 import DeadLetter, JudgeRequest

M = TypeVar("M", bound=Message)
NOW = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


def there(kafka: Kafka, topic: Topic, message: type[M]) -> list[Incoming[M]]:
    with TopicReader(kafka, topic, message) as reader:
        return list(reader.read(reader.beginning(), until=reader.end(), deadline_s=20))


def verdict(
    request: Request, *, winner: str, status: Status = Status.SCORED, flipped: bool = False
) -> Verdict:
    """A verdict as the judging worker would publish it."""
    side = {"": 0, request.candidates[0].id: 1, request.candidates[1].id: -1}[winner]
    win, tie, lose = {1: (0.8, 0.1, 0.1), 0: (0.1, 0.8, 0.1), -1: (0.1, 0.1, 0.8)}[side]
    straight = Reading(means=(7.0, 5.0), greedy=(7.0, 5.0), win=win, tie=tie, lose=lose)
    swapped = straight
    if flipped:
        swapped = Reading(means=(5.0, 7.0), greedy=(5.0, 7.0), win=lose, tie=tie, lose=win)
    scored = status is Status.SCORED
    return Verdict(
        verdict_id=verdict_id(request.request_id, "judge-1", request.mode, content_digest(request)),
        content_digest=content_digest(request),
        request_id=request.request_id,
        mode=request.mode,
        status=status,
        requested_at=request.requested_at,
        judged_at=NOW,
        release="judge-1",
        error_class="too_old" if status is Status.FAILED else "",
        winner=winner if scored else "",
        tie=scored and not winner,
        p_win=win if scored else None,
        p_tie=tie if scored else None,
        p_lose=lose if scored else None,
        confidence=0.8 if scored else None,
        flipped=flipped if scored else None,
        scores=tuple(
            CandidateScore(candidate_id=c.id, score=6.0, system=c.system, length=len(c.text))
            for c in request.candidates
        ),
        passes=(
            PassResult(transform=STRAIGHT, reading=straight, reply=Reply(text="")),
            PassResult(transform=SWAPPED, reading=swapped, reply=Reply(text="")),
        )
        if scored
        else (),
        latency_s=0.25,
    )


def publish(kafka: Kafka, *verdicts: Verdict, topic: Topic = VERDICTS) -> None:
    with RecordPublisher(kafka) as publisher:
        for one in verdicts:
            publisher.send(
                topic.name,
                key=one.request_id.encode(),
                value=encode(verdict_to_message(one)),
                headers=event_headers(
                    event_type=topic.event_type,
                    event_id=one.verdict_id,
                    source="test",
                    time=one.judged_at,
                ),
            )


@contextmanager
def judging(kafka: Kafka, judge: Callable[[Request], Verdict | None]) -> Iterator[None]:
    """Someone who reads requests and publishes verdicts, over the real Kafka, while the block runs."""
    stop = threading.Event()
    ready = threading.Event()

    def work() -> None:
        with TopicReader(kafka, REQUESTS, JudgeRequest) as reader:
            reader.seek(reader.end())
            ready.set()
            while not stop.is_set():
                for one in reader.poll(0.1):
                    assert isinstance(one.message, JudgeRequest)
                    found = judge(
                        request_from_message(one.message, one.record.time or datetime.now(UTC))
                    )
                    if found is not None:
                        publish(kafka, found)

    thread = threading.Thread(target=work)
    thread.start()
    assert ready.wait(20)
    try:
        yield
    finally:
        stop.set()
        thread.join(20)


def letter(
    topic: str = REQUESTS.name, value: bytes | None = b'{"x": 1}', offset: int = 7
) -> DeadLetter:
    record = Record(
        topic=topic,
        partition=0,
        offset=offset,
        time=NOW,
        key=b"\xffkey",
        value=value,
        headers=(
            ("content-type", JSON.encode()),
            ("traceparent", b"00-1"),
            ("traceparent", b"\xff"),
        ),
    )
    error = UndecodableRecord("no such field")
    return dead_letter(
        record, error, attempts=1, first_failed_at=NOW, now=NOW, group="g", request_id=""
    )


def set_aside(kafka: Kafka, *letters: DeadLetter) -> None:
    with RecordPublisher(kafka) as publisher:
        for one in letters:
            publisher.send(DEAD_LETTERS.name, key=one.key, value=encode(one), headers=[])
