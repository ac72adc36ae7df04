"""One request's way to its verdict, with in-memory ports. The real servers: tests/integration."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest

from judgestream.apps.judge_request import RequestJudge
from judgestream.apps.window import Abandoned
from judgestream.contracts.events import Header, header
from judgestream.contracts.records import Record
from judgestream.contracts.topics import MAX_REQUEST_BYTES
from judgestream.core.errors import (
    BrokerUnavailable,
    JudgeOverloaded,
    JudgestreamError,
    PromptTooLong,
)
from judgestream.core.modes import Pass
from judgestream.core.types import Release, Reply
from judgestream.settings import Judging
from judgestream.v1.judging_pb2 import Candidate, DeadLetter, JudgeRequest, Verdict

RELEASE = Release(
    name="judgelm-0", checkpoint_digest="00", template_id="judgelm-v1", max_input_tokens=2048
)
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@dataclass
class FakeJudge:
    """Answers `8 3` in shown order unless told to fail first."""

    failures: list[JudgestreamError] = field(default_factory=list)
    asked: list[list[Pass]] = field(default_factory=list)
    release: Release = RELEASE

    async def ask(self, passes: Sequence[Pass]) -> list[Reply]:
        self.asked.append(list(passes))
        if self.failures:
            raise self.failures.pop(0)
        return [Reply(text="8 3\nbecause", input_tokens=5, output_tokens=3) for _ in passes]


@dataclass
class FakeTopics:
    failures: list[BrokerUnavailable] = field(default_factory=list)
    records: list[tuple[str, bytes | None, bytes, list[Header]]] = field(default_factory=list)

    async def publish(
        self, topic: str, *, key: bytes | None, value: bytes, headers: Sequence[Header]
    ) -> None:
        if self.failures:
            raise self.failures.pop(0)
        self.records.append((topic, key, value, list(headers)))

    def verdicts(self) -> list[Verdict]:
        values = [value for topic, _, value, _ in self.records if topic == "judge.verdicts.v1"]
        return [Verdict.FromString(value) for value in values]

    def letters(self) -> list[DeadLetter]:
        values = [value for topic, _, value, _ in self.records if topic == "judge.dlq.v1"]
        return [DeadLetter.FromString(value) for value in values]


@dataclass
class FakePublished:
    ids: set[str] = field(default_factory=set)

    async def already(self, verdict_id: str) -> bool:
        return verdict_id in self.ids

    def remember(self, verdict_id: str) -> None:
        self.ids.add(verdict_id)


class Bench:
    def __init__(self, *failures: JudgestreamError, **settings: float) -> None:
        self.judge = FakeJudge(list(failures))
        self.topics = FakeTopics()
        self.published = FakePublished()
        self.pauses: list[float] = []
        self.requests = RequestJudge(
            judge=self.judge,
            publisher=self.topics,
            published=self.published,
            settings=Judging(**settings),  # type: ignore[arg-type]
        )

    async def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)

    def handle(self, value: bytes | None, *headers: Header) -> None:
        record = Record(
            topic="judge.requests.v1",
            partition=3,
            offset=41,
            time=NOON,
            key=b"k",
            value=value,
            headers=headers,
        )
        asyncio.run(self.requests.handle(record, self.pause))


def request(**changes: object) -> bytes:
    fields: dict[str, object] = {
        "request_id": "r1",
        "question": "2+2?",
        "candidates": [Candidate(text="4"), Candidate(text="5")],
    }
    return JudgeRequest(**{**fields, **changes}).SerializeToString()  # type: ignore[arg-type]


def test_a_request_becomes_one_verdict_from_both_orders() -> None:
    bench = Bench()
    bench.handle(request(), ("traceparent", b"00-abc"))
    (passes,) = bench.judge.asked
    assert [one.name for one in passes] == ["straight", "swapped"]
    (verdict,) = bench.topics.verdicts()
    # "8 3" in both orders: the judge only looks at the position, so the settled verdict is no winner
    assert verdict.status == Verdict.STATUS_SCORED and verdict.flipped
    assert (verdict.p_win, verdict.p_lose) == (0.5, 0.5)
    assert [score.score for score in verdict.scores] == [5.5, 5.5]
    assert verdict.requested_at.ToDatetime(tzinfo=UTC) == NOON
    _, key, _, headers = bench.topics.records[0]
    assert key == b"r1"
    assert header(headers, "traceparent") == "00-abc"
    assert header(headers, "ce_id") == verdict.verdict_id
    assert header(headers, "ce_type") == "judge.verdict.v1"


def test_a_redelivered_request_is_neither_judged_nor_published_again() -> None:
    bench = Bench()
    bench.handle(request())
    bench.handle(request())
    assert len(bench.judge.asked) == len(bench.topics.records) == 1


def test_without_redis_a_redelivered_request_gets_the_same_id() -> None:
    bench = Bench()
    bench.handle(request())
    bench.published.ids.clear()
    bench.handle(request())
    first, second = bench.topics.verdicts()
    assert first.verdict_id == second.verdict_id


def test_retryable_failures_are_retried_with_growing_pauses_and_counted() -> None:
    bench = Bench(*(JudgeOverloaded("full") for _ in range(5)), backoff_s=1.0, max_backoff_s=4.0)
    bench.handle(request())
    (verdict,) = bench.topics.verdicts()
    assert verdict.attempts == 6
    # 1, 2, 4, 4, 4 seconds, each times 0.5 to 1
    assert [
        round(p / b, 9) <= 1 <= 2 * p / b
        for p, b in zip(bench.pauses, (1, 2, 4, 4, 4), strict=True)
    ]
    assert not bench.topics.letters()


def test_too_old_is_dead_lettered_and_told_to_the_producer() -> None:
    bench = Bench(JudgeOverloaded("full"), max_age_s=1e-9)
    bench.handle(request())
    (letter,) = bench.topics.letters()
    (verdict,) = bench.topics.verdicts()
    assert letter.error_class == verdict.error_class == "too_old"
    assert "judge_overloaded" in letter.error_message
    assert verdict.status == Verdict.STATUS_FAILED and verdict.request_id == "r1"
    assert not bench.published.ids, "a failed verdict must not stop the replay from being judged"


def test_a_replay_of_a_failed_request_replaces_its_verdict() -> None:
    bench = Bench(PromptTooLong("3000 tokens"))
    bench.handle(request())
    bench.handle(request())
    failed, scored = bench.topics.verdicts()
    assert (failed.status, scored.status) == (Verdict.STATUS_FAILED, Verdict.STATUS_SCORED)
    assert failed.verdict_id == scored.verdict_id


POISON = {
    "undecodable": (b"\xff\xff\xff", ""),
    "empty": (None, ""),
    "half a JSON": (b'{"requestId": "r1"', ""),
    "unknown field": (b'{"requestId": "r1", "quesiton": "?"}', ""),
    "unknown mode": (request(mode="majority"), "r1"),
    "empty question": (request(question="  "), "r1"),
    "one candidate": (request(candidates=[Candidate(text="4")]), "r1"),
    "same ids": (request(candidates=[Candidate(id="a"), Candidate(id="a")]), "r1"),
    "single without reference": (request(mode="single", candidates=[Candidate(text="4")]), "r1"),
    "no request id": (request(request_id=""), ""),
    "oversize": (request(question="x" * (MAX_REQUEST_BYTES + 1)), ""),
}
CLASSES = {
    "undecodable": "undecodable",
    "empty": "undecodable",
    "half a JSON": "undecodable",
    "unknown field": "undecodable",
    "unknown mode": "unknown_mode",
    "empty question": "empty_question",
    "oversize": "oversize",
}


@pytest.mark.parametrize("name", POISON)
def test_poison_is_dead_lettered_whole(name: str) -> None:
    value, request_id = POISON[name]
    bench = Bench()
    bench.handle(value, ("x", b"\x00\xff"), ("x", b"again"))
    assert not bench.judge.asked
    (letter,) = bench.topics.letters()
    assert letter.value == (value or b"") and letter.HasField("value") == (value is not None)
    assert [(h.key, h.value) for h in letter.headers] == [("x", b"\x00\xff"), ("x", b"again")]
    assert (letter.topic, letter.partition, letter.offset) == ("judge.requests.v1", 3, 41)
    assert letter.key == b"k"
    assert letter.error_class == CLASSES.get(name, "invalid_request")
    assert letter.error_message and letter.request_id == request_id
    assert [verdict.request_id for verdict in bench.topics.verdicts()] == (
        [request_id] if request_id else []
    )


def test_the_same_record_is_always_the_same_dead_letter() -> None:
    bench = Bench()
    bench.handle(b"\xff")
    bench.handle(b"\xff")
    first, second = bench.topics.letters()
    assert first.dead_letter_id == second.dead_letter_id


def test_a_broker_that_is_away_is_waited_for_without_limit() -> None:
    bench = Bench(max_age_s=1e-9)
    bench.topics.failures = [BrokerUnavailable("away") for _ in range(20)]
    bench.handle(request())
    assert len(bench.topics.verdicts()) == 1 and len(bench.pauses) == 20


def test_an_abandoned_request_publishes_nothing() -> None:
    bench = Bench(JudgeOverloaded("full"))

    async def abandoned(_: float) -> None:
        raise Abandoned

    bench.pause = abandoned  # type: ignore[method-assign]
    with pytest.raises(Abandoned):
        bench.handle(request())
    assert not bench.topics.records


def test_explanations_are_asked_for_once_and_published() -> None:
    bench = Bench()
    value = request()
    message = JudgeRequest.FromString(value)
    message.options.explain = True
    message.options.max_explanation_tokens = 99
    bench.handle(message.SerializeToString())
    assert [one.max_tokens for one in bench.judge.asked[0]] == [99, 0]
    assert bench.topics.verdicts()[0].explanation == "because"


def test_event_time_is_the_requests_then_the_headers_then_the_records() -> None:
    bench = Bench()
    bench.handle(request(request_id="a"), ("ce_time", b"2026-01-01T11:00:00Z"))
    message = JudgeRequest.FromString(request(request_id="b"))
    message.requested_at.FromDatetime(datetime(2026, 1, 1, 10, tzinfo=UTC))
    bench.handle(message.SerializeToString(), ("ce_time", b"2026-01-01T11:00:00Z"))
    bench.handle(request(request_id="c"), ("ce_time", b"yesterday"))
    hours = [v.requested_at.ToDatetime(tzinfo=UTC).hour for v in bench.topics.verdicts()]
    assert hours == [11, 10, 12]
