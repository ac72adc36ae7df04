"""Judging of single requests with in-memory ports. With real servers: tests/integration."""

import asyncio
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from judgestream.adapters.images.fetching import ImageFetcher
from judgestream.apps.judging.calls import PAUSE_S
from judgestream.apps.judging.one_judge import OneJudge
from judgestream.apps.judging.one_release import OneRelease
from judgestream.apps.judging.request import RequestJudge
from judgestream.apps.worker.offset_tracker import Abandoned
from judgestream.contracts.events import Header, IncomingHeader, header
from judgestream.contracts.records import Record
from judgestream.contracts.topics import MAX_REQUEST_BYTES, TOPICS
from judgestream.core.errors import (
    BrokerUnavailable,
    JudgeOverloaded,
    JudgestreamError,
    OversizeRecord,
    PromptTooLong,
)
from judgestream.core.modes import PAIRWISE, Mode, passes_of
from judgestream.core.passes import Pass
from judgestream.core.templates.base import Template
from judgestream.core.transforms import STRAIGHT, SWAPPED
from judgestream.core.types import PassResult, Reading, Release, Reply, Request
from judgestream.settings import Images, Judging
from judgestream.v1.judging_pb2 import Candidate, DeadLetter, JudgeOptions, JudgeRequest, Verdict

RELEASE = Release(
    name="judgelm-0", checkpoint_digest="00", template_id="judgelm-v1", max_input_tokens=2048
)
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
TRACE = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@dataclass
class FakeJudge:
    """Answers `8 3` in shown order unless told to fail first."""

    failures: list[JudgestreamError] = field(default_factory=list)
    asked: list[list[Pass]] = field(default_factory=list)
    release: Release = RELEASE
    text: str = "8 3\nbecause"
    wait_s: float = 0.0

    async def ask(self, passes: Sequence[Pass]) -> list[Reply]:
        self.asked.append(list(passes))
        await asyncio.sleep(self.wait_s)
        if self.failures:
            raise self.failures.pop(0)
        return [Reply(text=self.text, input_tokens=5, output_tokens=3) for _ in passes]


@dataclass
class FakeTopics:
    failures: list[BrokerUnavailable] = field(default_factory=list)
    records: list[tuple[str, bytes | None, bytes, list[Header]]] = field(default_factory=list)
    largest: int = 1 << 30
    refuses: str = ""

    async def publish(
        self, topic: str, *, key: bytes | None, value: bytes, headers: Sequence[Header]
    ) -> None:
        if self.failures:
            raise self.failures.pop(0)
        if len(value) > self.largest or topic == self.refuses:
            raise OversizeRecord(f"{len(value)} bytes exceed the size limit of topic {topic}")
        self.records.append((topic, key, value, list(headers)))

    def verdicts(self) -> list[Verdict]:
        values = [value for topic, _, value, _ in self.records if topic == "judge.verdicts.v1"]
        return [Verdict.FromString(value) for value in values]

    def letters(self) -> list[DeadLetter]:
        values = [value for topic, _, value, _ in self.records if topic == "judge.dlq.v1"]
        return [DeadLetter.FromString(value) for value in values]


@dataclass
class FakePublished:
    ids: dict[str, str] = field(default_factory=dict)

    async def claim(self, key: str, note: str) -> str:
        found = self.ids.get(key, "")
        self.ids.setdefault(key, note)
        return found

    async def write(self, key: str, note: str) -> None:
        self.ids[key] = note

    def remember(self, key: str, note: str) -> None:
        self.ids[key] = note


class Bench:
    def __init__(self, *failures: JudgestreamError, **settings: Any) -> None:
        self.judge = FakeJudge(list(failures))
        self.topics = FakeTopics()
        self.published = FakePublished()
        self.pauses: list[float] = []
        self.settings = Judging(**settings)
        self.restart()

    def restart(self) -> None:
        """A new worker, without the memory of the old one."""
        self.requests = RequestJudge(
            judges=OneJudge(OneRelease(self.judge, self.settings)),
            publisher=self.topics,
            published=self.published,
            settings=self.settings,
            images=ImageFetcher(Images()),
        )

    async def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)

    def record(
        self,
        value: bytes | None,
        *headers: IncomingHeader,
        offset: int = 41,
        time: datetime | None = NOON,
        key: bytes | None = b"k",
    ) -> Record:
        return Record(
            topic="judge.requests.v1",
            partition=3,
            offset=offset,
            time=time,
            key=key,
            value=value,
            headers=headers,
        )

    def handle(self, value: bytes | None, *headers: IncomingHeader, **place: Any) -> None:
        asyncio.run(self.requests.handle(self.record(value, *headers, **place), self.pause))


def request(**changes: object) -> bytes:
    fields: dict[str, object] = {
        "request_id": "r1",
        "question": "2+2?",
        "candidates": [Candidate(text="4"), Candidate(text="5")],
    }
    return JudgeRequest(**{**fields, **changes}).SerializeToString()  # type: ignore[arg-type]


def test_a_request_becomes_one_verdict_from_both_orders() -> None:
    bench = Bench()
    bench.handle(request(), ("traceparent", TRACE))
    (passes,) = bench.judge.asked
    assert [one.transform.name for one in passes] == ["straight", "swapped"]
    (verdict,) = bench.topics.verdicts()
    # "8 3" in both orders: the judge only looks at the position, so the settled verdict has no winner
    assert verdict.status == Verdict.STATUS_SCORED and verdict.flipped
    assert (verdict.p_win, verdict.p_lose) == (0.5, 0.5)
    assert [score.score for score in verdict.scores] == [5.5, 5.5]
    assert verdict.requested_at.ToDatetime(tzinfo=UTC) == NOON
    _, key, _, headers = bench.topics.records[0]
    assert key == b"r1"
    assert header(headers, "traceparent") == TRACE.decode()
    assert header(headers, "ce_id") == verdict.verdict_id
    assert header(headers, "ce_type") == "judge.verdict.v1"


def _rematch(
    request: Request, mode: Mode, template: Template, answered: Sequence[PassResult]
) -> tuple[Pass, ...]:
    """Straight first; swapped only if the first reply prefers an answer."""
    if not answered:
        return passes_of(request, mode, template, [STRAIGHT])
    (first, *rest) = answered
    decided = isinstance(first.reading, Reading) and not first.reading.tie
    return passes_of(request, mode, template, [SWAPPED]) if decided and not rest else ()


@pytest.mark.parametrize(
    ("text", "stages"), [("8 3", [["straight"], ["swapped"]]), ("5 5", [["straight"]])]
)
def test_a_mode_may_plan_later_passes_by_earlier_replies(
    monkeypatch: pytest.MonkeyPatch, text: str, stages: list[list[str]]
) -> None:
    rows = {"rematch": replace(PAIRWISE, name="rematch", plan=_rematch)}
    monkeypatch.setattr("judgestream.core.modes.MODES", rows)
    bench = Bench()
    bench.judge.text = text
    bench.handle(request(mode="rematch"))
    assert [[one.transform.name for one in stage] for stage in bench.judge.asked] == stages
    (verdict,) = bench.topics.verdicts()
    assert [one.name for one in verdict.passes] == [name for stage in stages for name in stage]
    assert verdict.status == Verdict.STATUS_SCORED
    assert verdict.tie


@pytest.mark.parametrize(("mode", "passes"), [("multi", 2), ("tournament", 12)])
def test_many_answers_that_are_too_long_are_all_cut_to_one_length(mode: str, passes: int) -> None:
    bench = Bench(PromptTooLong("3000 tokens"), PromptTooLong("2500 tokens"), too_long="cut")
    answers = [Candidate(text=f"{k} " + "x" * (1_000 + 500 * k)) for k in range(4)]
    bench.judge.text = "5 5 5 5" if mode == "multi" else "5 5"
    bench.handle(request(mode=mode, candidates=answers))
    *_, last = bench.judge.asked
    assert len(last) == passes
    (verdict,) = bench.topics.verdicts()
    assert verdict.status == Verdict.STATUS_SCORED
    # of the longest answer 70 % and then 49 %, as far as the context has room for those shown together
    limit = verdict.answers_cut_to
    assert 200 <= limit <= 2_502 * 0.49 and bench.topics.letters() == []
    for one in last:
        shown = [line for line in one.prompt.splitlines() if "xxx" in line]
        assert len(shown) == len(one.transform.order)
        assert all(len(line) == min(limit, 1_002 + 500 * int(line[0])) for line in shown)
    assert [score.rank for score in verdict.scores] == [1] * 4


def test_a_failed_call_of_many_passes_repeats_none_that_was_answered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Sixteen prompts of 50,000 characters each: eight calls of two."""
    bench = Bench()
    answers = [Candidate(text=f"{k} " + "x" * 3_000) for k in range(16)]
    options = JudgeOptions(orders=JudgeOptions.ORDERS_ROTATIONS)
    bench.judge.text = " ".join("5" for _ in answers)
    value = request(mode="multi", candidates=answers, options=options)

    async def flaky(passes: Sequence[Pass]) -> list[Reply]:
        bench.judge.asked.append(list(passes))
        if len(bench.judge.asked) == 3:
            raise JudgeOverloaded("busy")
        return [Reply(text=bench.judge.text) for _ in passes]

    monkeypatch.setattr(bench.judge, "ask", flaky)
    bench.handle(value)
    sizes = [len(passes) for passes in bench.judge.asked]
    assert sizes == [2, 2, 2, 2, 2, 2, 2, 2, 2]  # eight calls, the third of them twice
    assert bench.judge.asked[2] == bench.judge.asked[3]
    (verdict,) = bench.topics.verdicts()
    assert (verdict.status, verdict.attempts) == (Verdict.STATUS_SCORED, 2)
    assert len({one.name for one in verdict.passes}) == 16
    assert [score.rank for score in verdict.scores] == [1] * 16
    # the pause between two calls is what ends work on a record that was taken away
    assert bench.pauses.count(PAUSE_S) == 7


def test_a_redelivered_request_is_neither_judged_nor_published_again() -> None:
    bench = Bench()
    bench.handle(request())
    bench.handle(request())
    assert len(bench.judge.asked) == len(bench.topics.records) == 1


def test_without_redis_a_redelivered_request_gets_the_same_id() -> None:
    bench = Bench()
    bench.handle(request())
    bench.published.ids.clear()
    bench.restart()
    bench.handle(request())
    first, second = bench.topics.verdicts()
    assert first.verdict_id == second.verdict_id


def test_retryable_failures_are_retried_with_growing_pauses_and_counted() -> None:
    bench = Bench(*(JudgeOverloaded("full") for _ in range(5)), backoff_s=1.0, max_backoff_s=4.0)
    bench.handle(request())
    (verdict,) = bench.topics.verdicts()
    assert verdict.attempts == 6
    # 1, 2, 4, 4, 4 seconds, each times 0.5 to 1
    assert len(bench.pauses) == 5
    assert all(
        base / 2 <= pause <= base for pause, base in zip(bench.pauses, (1, 2, 4, 4, 4), strict=True)
    )
    assert not bench.topics.letters()


def test_a_request_that_is_too_old_is_dead_lettered_with_a_failed_verdict() -> None:
    bench = Bench(JudgeOverloaded("full"), max_age_s=1e-9)
    bench.handle(request())
    (letter,) = bench.topics.letters()
    (verdict,) = bench.topics.verdicts()
    assert letter.error_class == verdict.error_class == "too_old"
    assert "judge_overloaded" in letter.error_message
    assert verdict.status == Verdict.STATUS_FAILED and verdict.request_id == "r1"
    (note,) = bench.published.ids.values()
    assert "assigned" in note, "a failed verdict must not stop the replay from being judged"


def test_a_replay_of_a_failed_request_replaces_its_verdict() -> None:
    bench = Bench(PromptTooLong("3000 tokens"))
    bench.handle(request())
    bench.handle(request())
    failed, scored = bench.topics.verdicts()
    assert (failed.status, scored.status) == (Verdict.STATUS_FAILED, Verdict.STATUS_SCORED)
    assert failed.verdict_id == scored.verdict_id


POISON = {
    "undecodable": (b"\xff\xff\xff", "k"),
    "empty": (None, "k"),
    "half a JSON": (b'{"requestId": "r1"', "r1"),
    "unknown field": (b'{"requestId": "r1", "quesiton": "?"}', "r1"),
    "unknown mode": (request(mode="majority"), "r1"),
    "empty question": (request(question="  "), "r1"),
    "one candidate": (request(candidates=[Candidate(text="4")]), "r1"),
    "same ids": (request(candidates=[Candidate(id="a"), Candidate(id="a")]), "r1"),
    "no request id": (request(request_id=""), "k"),
    "oversize": (request(question="x" * (MAX_REQUEST_BYTES + 1)), "r1"),
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
def test_a_poison_record_is_dead_lettered_unchanged(name: str) -> None:
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
    assert [verdict.request_id for verdict in bench.topics.verdicts()] == [request_id]


def test_a_redelivered_record_has_the_same_dead_letter_id() -> None:
    bench = Bench()
    bench.handle(b"\xff")
    bench.handle(b"\xff")
    first, second = bench.topics.letters()
    assert first.dead_letter_id == second.dead_letter_id


def test_an_unavailable_broker_is_waited_for_without_limit() -> None:
    bench = Bench(max_age_s=1e-9)
    bench.topics.failures = [BrokerUnavailable("away") for _ in range(20)]
    bench.handle(request())
    assert len(bench.topics.verdicts()) == 1 and len(bench.pauses) == 20


def test_an_abandoned_request_publishes_nothing() -> None:
    bench = Bench(JudgeOverloaded("full"))

    async def abandoned(_: float) -> None:
        raise Abandoned

    bench.pause = abandoned  # type: ignore[method-assign,assignment]
    with pytest.raises(Abandoned):
        bench.handle(request())
    assert not bench.topics.records


def test_an_explanation_is_requested_once_and_published() -> None:
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


def test_other_content_under_a_used_id_gets_another_verdict_id() -> None:
    bench = Bench()
    bench.handle(request())
    bench.handle(request(question="3+3?"))
    first, second = bench.topics.verdicts()
    assert first.request_id == second.request_id == "r1"
    assert first.verdict_id != second.verdict_id
    assert first.content_digest != second.content_digest


def test_the_same_content_in_json_and_protobuf_is_one_judgement() -> None:
    bench = Bench()
    bench.handle(request())
    value = b'{"requestId": "r1", "question": "2+2?", "candidates": [{"text": "4"}, {"text": "5"}]}'
    bench.handle(value)
    assert len(bench.topics.verdicts()) == 1


def test_a_resend_judges_an_unscored_request_again_and_a_redelivery_does_not() -> None:
    bench = Bench()
    bench.judge.text = "I cannot say."
    bench.handle(request(), offset=1)
    bench.handle(request(), offset=1)
    assert len(bench.judge.asked) == 1
    bench.restart()
    bench.handle(request(), offset=1)
    assert len(bench.judge.asked) == 1, "Redis knows it, too"
    bench.judge.text = "8 3"
    bench.handle(request(), offset=2, time=NOON + timedelta(hours=1))
    bench.handle(request(), offset=3)
    unscored, scored = bench.topics.verdicts()
    assert unscored.status == Verdict.STATUS_UNSCORED
    assert scored.status == Verdict.STATUS_SCORED
    assert unscored.verdict_id == scored.verdict_id
    assert unscored.requested_at == scored.requested_at, "twins tell the first one's time"


@pytest.mark.parametrize("note", ["1", "[[]]", '[["scored","t[0]@1","yesterday","r"]]', "[" * 9999])
def test_a_note_in_redis_that_is_none_of_ours_is_replaced(note: str) -> None:
    bench = Bench()
    bench.handle(request())
    bench.published.ids = {identity: note for identity in bench.published.ids}
    bench.restart()
    bench.handle(request())
    bench.restart()
    bench.handle(request())
    assert len(bench.topics.verdicts()) == 2


async def test_concurrent_records_of_one_judgement_are_judged_once() -> None:
    bench = Bench()
    bench.judge.wait_s = 0.01
    twins = [
        bench.requests.handle(bench.record(request(), offset=k), bench.pause) for k in range(9)
    ]
    await asyncio.gather(*twins)
    assert len(bench.judge.asked) == len(bench.topics.verdicts()) == 1


async def test_a_concurrent_record_is_judged_when_the_first_one_fails() -> None:
    bench = Bench(PromptTooLong("3000 tokens"))
    bench.judge.wait_s = 0.01
    twins = [
        bench.requests.handle(bench.record(request(), offset=k), bench.pause) for k in range(3)
    ]
    await asyncio.gather(*twins)
    statuses = [verdict.status for verdict in bench.topics.verdicts()]
    assert statuses == [Verdict.STATUS_FAILED, Verdict.STATUS_SCORED]


def test_a_reply_of_megabytes_is_scored_and_published_with_a_marked_cut() -> None:
    bench = Bench()
    bench.judge.text = "8 3\n" + "x" * 1_300_000
    message = JudgeRequest.FromString(request())
    message.options.explain = True
    bench.handle(message.SerializeToString())
    (verdict,) = bench.topics.verdicts()
    assert verdict.status == Verdict.STATUS_SCORED
    assert verdict.explanation.endswith("of 1300000 bytes]")
    for one in verdict.passes:
        assert len(one.text) <= 33_000 and one.text.endswith("of 1300004 bytes]")


def test_an_id_over_its_limit_is_refused_and_its_outcomes_fit() -> None:
    bench = Bench()
    bench.handle(request(request_id="i" * 720_000, question=""), key=b"i" * 720_000)
    (letter,), (verdict,) = bench.topics.letters(), bench.topics.verdicts()
    assert letter.error_class == "invalid_request"
    assert "request_id has 720000 bytes; at most 512" in letter.error_message
    assert letter.request_id == verdict.request_id
    assert verdict.request_id.endswith("…[cut: 483 of 720000 bytes]")
    assert (list(letter.cut), len(letter.key)) == (["key"], 65_536)
    for topic, key, value, _ in bench.topics.records:
        limit = TOPICS[topic].max_message_bytes
        assert len(key or b"") <= 4096 and len(value) < limit


def test_a_value_beyond_a_dead_letter_is_cut_with_its_size_and_digest() -> None:
    bench = Bench()
    value = b"x" * 5_000_000
    bench.handle(value, ("big", b"h" * 300_000), ("small", b"h"))
    (letter,) = bench.topics.letters()
    assert sorted(letter.cut) == ["headers", "value"]
    assert (letter.value, letter.value_bytes) == (value[:65_536], 5_000_000)
    assert letter.value_sha256 == hashlib.sha256(value).hexdigest()
    assert [one.key for one in letter.headers] == ["small"]


def test_topics_with_a_lower_limit_get_the_smallest_form() -> None:
    bench = Bench()
    bench.topics.largest = 2000
    bench.judge.text = "8 3\n" + "x" * 10_000
    bench.handle(request())
    bench.handle(b"\xff" * 10_000)
    verdict, failed = bench.topics.verdicts()
    assert verdict.status == Verdict.STATUS_SCORED and not verdict.passes[0].text
    (letter,) = bench.topics.letters()
    assert (letter.value, letter.value_bytes, list(letter.cut)) == (b"", 10_000, ["value"])
    assert (failed.request_id, failed.status) == ("k", Verdict.STATUS_FAILED)


def test_a_verdict_topic_that_refuses_everything_causes_dead_letters() -> None:
    bench = Bench()
    bench.topics.refuses = "judge.verdicts.v1"
    bench.handle(request())
    (letter,) = bench.topics.letters()
    assert (letter.error_class, letter.request_id) == ("oversize", "r1")
    assert not bench.topics.verdicts()


def test_an_event_in_structured_mode_is_judged_with_its_own_time_and_trace() -> None:
    bench = Bench()
    event = {
        "specversion": "1.0",
        "id": "e1",
        "source": "/shop",
        "type": "judge.request.v1",
        "time": "2026-01-01T10:00:00Z",
        "traceparent": TRACE.decode(),
        "data": {"requestId": "ce", "question": "q", "candidates": [{"text": "a"}, {"text": "b"}]},
    }
    content_type = b"application/cloudevents+json; charset=UTF-8"
    bench.handle(json.dumps(event).encode(), ("content-type", content_type))
    (verdict,) = bench.topics.verdicts()
    assert (verdict.request_id, verdict.requested_at.ToJsonString()) == (
        "ce",
        "2026-01-01T10:00:00Z",
    )
    assert header(bench.topics.records[0][3], "traceparent") == TRACE.decode()


@pytest.mark.parametrize(
    "odd",
    [
        [("content-type", None)],
        [("ce_time", None), ("ce_time", b"9999-12-31T23:59:59-01:00")],
        [("ce_time", b"0001-01-01T00:00:00+01:00")],
        [("content\udcff-type", b"\xff")],
        [("traceparent", b"x" * 900_000)] * 3,
        [(f"h{k}", b"") for k in range(10_000)],
    ],
    ids=["null", "last day", "first day", "name not UTF-8", "trace flood", "header flood"],
)
def test_invalid_headers_are_ignored(odd: list[IncomingHeader]) -> None:
    bench = Bench()
    bench.handle(request(), *odd)
    bench.handle(b"\xff", *odd)
    scored, _ = bench.topics.verdicts()
    assert scored.status == Verdict.STATUS_SCORED
    assert scored.requested_at.ToDatetime(tzinfo=UTC) == NOON
    (letter,) = bench.topics.letters()
    assert len(letter.headers) == len(odd) or letter.cut == ["headers"]


@pytest.mark.parametrize("time", [None, datetime(1969, 1, 1, tzinfo=UTC)])
def test_a_record_without_a_time_was_requested_when_it_is_read(time: datetime | None) -> None:
    bench = Bench()
    before = datetime.now(UTC)
    bench.handle(request(), time=time)
    bench.handle(b"\xff", time=time)
    scored, failed = bench.topics.verdicts()
    for verdict in (scored, failed):
        assert before <= verdict.requested_at.ToDatetime(tzinfo=UTC) <= datetime.now(UTC)
    assert bench.topics.letters()[0].HasField("recorded_at") is (time is not None)


LONG = [Candidate(id="a", text="x" * 9000), Candidate(id="b", text="short")]


def test_answers_are_cut_evenly_until_they_fit_where_the_settings_allow_it() -> None:
    bench = Bench(PromptTooLong("3000 tokens"), PromptTooLong("2500 tokens"), too_long="cut")
    bench.handle(request(candidates=LONG))
    (verdict,) = bench.topics.verdicts()
    # 2,048 tokens hold about 8,192 characters, half of them for each answer; then 30 % less
    assert (verdict.status, verdict.answers_cut_to) == (Verdict.STATUS_SCORED, 2867)
    assert [len(asked[0].prompt) > 2867 for asked in bench.judge.asked] == [True, True, True]
    for one in bench.judge.asked[-1]:
        assert "x" * 2868 not in one.prompt and "short" in one.prompt
    assert {score.length for score in verdict.scores} == {9000, 5}
    assert bench.topics.letters() == []


def test_a_request_that_no_cut_fits_is_set_aside() -> None:
    bench = Bench(*[PromptTooLong("3000 tokens")] * 50, too_long="cut")
    bench.handle(request(candidates=LONG))
    (verdict,) = bench.topics.verdicts()
    assert (verdict.status, verdict.error_class) == (Verdict.STATUS_FAILED, "prompt_too_long")
    assert len(bench.judge.asked) < 15


def test_without_the_setting_nothing_is_cut() -> None:
    bench = Bench(PromptTooLong("3000 tokens"))
    bench.handle(request(candidates=LONG))
    assert len(bench.judge.asked) == 1 and len(bench.topics.letters()) == 1
