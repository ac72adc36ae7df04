"""A state machine of the worker: any records on the request topic, in any order, under any failures.

Every record ends in exactly one way: a verdict, a dead letter (with its failed verdict where anything shows
an id), suppressed as a duplicate, or abandoned to be delivered again. `handle` raises nothing but Abandoned.
Everything published decodes and fits its topic.
"""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from time import monotonic
from typing import Any

from google.protobuf.json_format import SerializeToJsonError
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from judgestream.adapters.images.fetching import ImageFetcher
from judgestream.apps.judging.one_judge import OneJudge
from judgestream.apps.judging.one_release import OneRelease
from judgestream.apps.judging.request import RequestJudge
from judgestream.apps.worker.offset_tracker import Abandoned
from judgestream.contracts.codecs.verdicts import verdict_from_message
from judgestream.contracts.events import Header, header
from judgestream.contracts.outgoing import record_size
from judgestream.contracts.records import Record
from judgestream.contracts.topics import TOPICS
from judgestream.contracts.wire import decode, encode
from judgestream.core.errors import (
    BrokerUnavailable,
    InternalError,
    JudgeError,
    JudgeOverloaded,
    JudgeUnavailable,
    JudgeUnhealthy,
    OversizeRecord,
    PromptTooLong,
    RejectedByJudge,
)
from judgestream.core.passes import Pass
from judgestream.core.types import Release, Reply
from judgestream.settings import Images, Judging
from judgestream.v1.judging_pb2 import Candidate, DeadLetter, JudgeRequest, Verdict

RELEASE = Release(
    name="judgelm-0", checkpoint_digest="00", template_id="judgelm-v1", max_input_tokens=2048
)
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
VERDICTS, LETTERS = "judge.verdicts.v1", "judge.dlq.v1"
ANYTHING = st.characters(exclude_categories=[])
WIRE_TEXT = st.text(max_size=12)
"""Text that protobuf can carry."""
LARGE = 300_000

FAILURES: dict[str, Exception] = {
    "full": JudgeOverloaded("full"),
    "away": JudgeUnavailable("not reached " + "x" * LARGE),
    "too long": PromptTooLong("4000 tokens"),
    "rejected": RejectedByJudge("no: " + "\x00" * LARGE),
    "a bug": InternalError("a bug"),
    "died": JudgeUnhealthy("died"),
    "internal": JudgeError("INTERNAL"),
}
TEXTS: dict[str, str | None] = {
    "prefers the longer": None,
    "scores": "8 3",
    "explanation": "3 8\nbecause",
    "tie": "5 5",
    "nothing": "",
    "prose": "I cannot say.",
    "empty lines first": "\n\n7 9",
    "megabytes": "8 3\n" + "\x01" * LARGE,
    "not numbers": "nan nan",
    "a lone surrogate": "8 3 \ud800",
}


class Judge:
    """Prefers the longer answer, or replies with `text`; raises `failures` first."""

    release = RELEASE

    def __init__(self) -> None:
        self.failures: list[Exception] = []
        self.text: str | None = None
        self.asked = 0

    async def ask(self, passes: Sequence[Pass]) -> list[Reply]:
        await asyncio.sleep(0)
        if self.failures:
            raise self.failures.pop(0)
        self.asked += 1
        return [
            Reply(text=self._reply(one), input_tokens=-5, output_tokens=1 << 40) for one in passes
        ]

    def _reply(self, one: Pass) -> str:
        if self.text is not None:
            return self.text
        first, second = (
            one.prompt.partition(f"[The Start of Assistant {k}'s Answer]\n")[2].partition(
                "\n\n[The End"
            )[0]
            for k in (1, 2)
        )
        return f"{5 + (len(first) > len(second))} {5 + (len(second) > len(first))}"


class Topics:
    def __init__(self) -> None:
        self.failures: list[Exception] = []
        self.refused: dict[str, int] = {}
        self.sent: list[tuple[str, bytes | None, bytes, Sequence[Header]]] = []

    async def publish(
        self, topic: str, *, key: bytes | None, value: bytes, headers: Sequence[Header]
    ) -> None:
        await asyncio.sleep(0)
        if self.failures:
            raise self.failures.pop(0)
        if len(value) > self.refused.get(topic, 1 << 40):
            raise OversizeRecord(f"{len(value)} bytes exceed the size limit of topic {topic}")
        self.sent.append((topic, key, value, headers))


@dataclass
class Redis:
    notes: dict[str, str] = field(default_factory=dict)
    away: bool = False

    async def claim(self, key: str, note: str) -> str:
        if self.away:
            return ""
        found = self.notes.get(key, "")
        self.notes.setdefault(key, note)
        return found

    async def write(self, key: str, note: str) -> None:
        self.remember(key, note)

    def remember(self, key: str, note: str) -> None:
        if not self.away:
            self.notes[key] = note


def messages() -> st.SearchStrategy[JudgeRequest]:
    """Requests that our producers would not send: fields of any size, number and sign."""
    text = WIRE_TEXT | st.sampled_from([0, 513, LARGE]).map("x".__mul__)
    return st.builds(
        _message,
        request_id=text,
        mode=st.sampled_from(["", "pairwise", "single", "majority", "m" * 100]),
        question=text,
        answers=st.lists(
            st.tuples(st.sampled_from(["", "a", "b", " "]), text, WIRE_TEXT), max_size=3
        ),
        reference=st.none() | WIRE_TEXT,
        metadata=st.dictionaries(WIRE_TEXT, text, max_size=2),
        seconds=st.none() | st.sampled_from([0, -(10**11), 253402300799, 10**17]),
        tokens=st.sampled_from([0, 9, 4_000_000_000]),
        orders=st.sampled_from([0, 2, 77]),
        explain=st.booleans(),
    )


def _message(**found: Any) -> JudgeRequest:
    message = JudgeRequest(
        request_id=found["request_id"],
        mode=found["mode"],
        question=found["question"],
        candidates=[Candidate(id=i, text=t, system=s) for i, t, s in found["answers"]],
        reference=found["reference"],
        metadata=found["metadata"],
    )
    if found["seconds"] is not None:
        message.requested_at.seconds = found["seconds"]
    message.options.max_explanation_tokens = found["tokens"]
    message.options.orders = found["orders"]
    message.options.explain = found["explain"]
    return message


HEADERS = st.lists(
    st.tuples(
        st.sampled_from(["content-type", "ce_time", "ce_id", "traceparent", "TraceState", "x"])
        | st.text(ANYTHING, max_size=5),
        st.none()
        | st.binary(max_size=20)
        | st.sampled_from(
            [
                b"application/json",
                b"application/cloudevents+json",
                b"application/avro",
                b"0001-01-01T00:00:00+01:00",
                b"9999-12-31T23:59:59-01:00",
                b"\xff",
            ]
        )
        | st.just(LARGE).map(b"h".__mul__),
    ),
    max_size=4,
)
KEYS = st.none() | st.binary(max_size=5) | st.just(LARGE).map(b"k".__mul__)
TIMES = st.none() | st.datetimes(timezones=st.just(UTC))


class RecordMachine(RuleBasedStateMachine):
    records = Bundle("records")

    @initialize()
    def start(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.judge, self.topics, self.store = Judge(), Topics(), Redis()
        self.now = monotonic()
        self.drained = False
        self.offset = 0
        self.checked = 0
        self.pauses = 0
        self.restart()

    @rule()
    def restart(self) -> None:
        """A new worker, without the memory of the old one."""
        release = OneRelease(self.judge, Judging())
        release._asking.health.clock = lambda: self.now  # pauses pass at once
        self.worker = RequestJudge(
            judges=OneJudge(release),
            publisher=self.topics,
            published=self.store,
            settings=Judging(),
            images=ImageFetcher(Images()),
        )

    # what comes

    @rule(target=records, number=st.integers(0, 3), json_form=st.booleans(), time=TIMES)
    def good(self, number: int, json_form: bool, time: datetime | None) -> Record:
        message = JudgeRequest(
            request_id=f"r{number}",
            question="which?",
            candidates=[Candidate(text="long answer"), Candidate(text="short")],
        )
        value = encode(message, "application/json" if json_form else "application/protobuf")
        return self.arrive(value, key=message.request_id.encode(), time=time)

    @rule(target=records, message=messages(), headers=HEADERS, key=KEYS, time=TIMES, data=st.data())
    def odd(
        self, message: JudgeRequest, headers: Any, key: bytes | None, time: Any, data: st.DataObject
    ) -> Record:
        value = message.SerializeToString()
        if data.draw(st.booleans(), label="JSON"):
            with suppress(SerializeToJsonError):  # it has no form for a time off the calendar
                value = encode(message, "application/json")
        return self.arrive(value, headers=headers, key=key, time=time)

    @rule(
        target=records,
        value=st.none()
        | st.just(3_200_000).map(b"x".__mul__)
        | st.binary(max_size=60)
        | st.sampled_from([b'{"requestId": "half', b"\x0a\x01r\xff", b"[]", b"{}"]),
        headers=HEADERS,
        key=KEYS,
    )
    def undecodable(self, value: bytes | None, headers: Any, key: bytes | None) -> Record:
        return self.arrive(value, headers=headers, key=key, time=None)

    @rule(record=records)
    def redelivered(self, record: Record) -> None:
        self.handle(record)

    @rule(target=records, record=records)
    def sent_again(self, record: Record) -> Record:
        self.offset += 1
        again = replace(record, offset=self.offset)
        self.handle(again)
        return again

    @rule(record=records, count=st.integers(2, 4))
    def twins(self, record: Record, count: int) -> None:
        """Concurrent records of one judgement: a scored verdict is published at most once."""
        copies = [replace(record, offset=self.offset + k) for k in range(1, count + 1)]
        self.offset += count
        before = len(self.topics.sent)
        outcomes = self.loop.run_until_complete(self._all(copies))
        assert all(one is None or isinstance(one, Abandoned) for one in outcomes), outcomes
        scored = [v.verdict_id for v in self._verdicts(before) if v.status == Verdict.STATUS_SCORED]
        assert len(scored) == len(set(scored))

    # what goes wrong

    @rule(names=st.lists(st.sampled_from(sorted(FAILURES)), max_size=4))
    def judge_fails(self, names: list[str]) -> None:
        self.judge.failures = [FAILURES[name] for name in names]

    @rule(name=st.sampled_from(sorted(TEXTS)))
    def judge_says(self, name: str) -> None:
        self.judge.text = TEXTS[name]

    @rule(text=st.text(ANYTHING, max_size=9))
    def judge_says_anything(self, text: str) -> None:
        self.judge.text = text

    @rule(count=st.integers(0, 3))
    def broker_away(self, count: int) -> None:
        self.topics.failures = [BrokerUnavailable("away")] * count

    @rule(topic=st.sampled_from([VERDICTS, LETTERS]), most=st.sampled_from([3000, 9000, 1 << 40]))
    def topic_takes_less(self, topic: str, most: int) -> None:
        self.topics.refused[topic] = most

    @rule(away=st.booleans())
    def redis_away(self, away: bool) -> None:
        self.store.away = away

    @rule(drained=st.booleans())
    def rebalance(self, drained: bool) -> None:
        self.drained = drained

    @rule(number=st.integers(0, 10**6), longer=st.integers(0, 1))
    def winners_mirror_under_swap(self, number: int, longer: int) -> None:
        """The same two answers in both orders have the same winner, whatever else has happened."""
        answers = [Candidate(id="0", text="an answer"), Candidate(id="1", text="an answer")]
        answers[longer].text = "a longer answer"
        pairs = [(answers, "a"), (answers[::-1], "b")]
        self.judge.text, self.judge.failures, self.topics.failures = None, [], []
        self.topics.refused.clear()
        self.drained = False
        before = len(self.topics.sent)
        for candidates, order in pairs:
            message = JudgeRequest(
                request_id=f"swap{number}{order}", question="q", candidates=candidates
            )
            self.arrive(message.SerializeToString(), key=b"k", time=NOON)
        verdicts = self._verdicts(before)
        assert {v.winner for v in verdicts} <= {str(longer)}
        if len(verdicts) == 2:
            first, second = verdicts
            assert (first.p_win, first.p_lose) == (second.p_lose, second.p_win)

    # what must hold

    def teardown(self) -> None:
        self.loop.close()

    def arrive(
        self, value: bytes | None, *, key: bytes | None, time: datetime | None, headers: Any = ()
    ) -> Record:
        self.offset += 1
        record = Record(
            topic="judge.requests.v1",
            partition=self.offset % 3,
            offset=self.offset,
            time=time,
            key=key,
            value=value,
            headers=tuple(headers),
        )
        self.handle(record)
        return record

    def handle(self, record: Record) -> None:
        """One record alone ends in exactly one way."""
        before = len(self.topics.sent)
        (outcome,) = self.loop.run_until_complete(self._all([record]))
        assert outcome is None or isinstance(outcome, Abandoned), repr(outcome)
        sent = [topic for topic, *_ in self.topics.sent[before:]]
        if isinstance(outcome, Abandoned):
            assert sent in ([], [LETTERS]), "a redelivery repeats a dead letter under the same id"
            return
        verdicts = self._verdicts(before)
        failed = [v for v in verdicts if v.status == Verdict.STATUS_FAILED]
        assert len(verdicts) <= 1
        if LETTERS in sent:
            assert sent.count(LETTERS) == 1 and len(failed) == len(verdicts)
        else:
            assert not failed, "a failed verdict comes with its dead letter"
            assert verdicts or self.store.notes or self.worker._before._recent, (
                "or it is a duplicate"
            )

    async def _all(self, records: Sequence[Record]) -> list[BaseException | None]:
        self.pauses = 0
        handled = [self.worker.handle(record, self._pause) for record in records]
        return await asyncio.wait_for(asyncio.gather(*handled, return_exceptions=True), 60)

    async def _pause(self, seconds: float) -> None:
        await asyncio.sleep(0)
        self.pauses += 1
        self.now += seconds
        if self.drained or self.pauses > 200:
            raise Abandoned

    def _verdicts(self, start: int) -> list[Verdict]:
        return [
            decode(Verdict, value)
            for topic, _, value, _ in self.topics.sent[start:]
            if topic == VERDICTS
        ]

    @invariant()
    def everything_published_decodes_and_fits(self) -> None:
        for topic, key, value, headers in self.topics.sent[self.checked :]:
            row = TOPICS[topic]
            assert record_size(key, value, headers) <= row.max_message_bytes
            message = decode(row.record, value, header(headers, "content-type"))
            if isinstance(message, Verdict):
                verdict = verdict_from_message(message)
                assert key == verdict.request_id.encode()
                assert not (verdict.winner and verdict.tie)
            else:
                assert isinstance(message, DeadLetter) and message.error_class
        self.checked = len(self.topics.sent)


class TestRecords(RecordMachine.TestCase):  # type: ignore[misc,valid-type]
    @classmethod
    def setUpClass(cls) -> None:
        logging.disable(logging.ERROR)  # formatting thousands of lines would take most of the time

    @classmethod
    def tearDownClass(cls) -> None:
        logging.disable(logging.NOTSET)


# 400 examples in `make test`, 20,000 in `make test-nightly`
TestRecords.settings = settings(
    max_examples=max(400, settings().max_examples), stateful_step_count=4
)
