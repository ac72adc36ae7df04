"""A judge behind a real local HTTP server that speaks the protocol, faults included."""

import asyncio
import threading
import time
from typing import Any

import pytest

from judgestream.core.errors import (
    JudgeDeadlineExceeded,
    JudgestreamError,
    JudgeUnavailable,
    PromptTooLong,
    RejectedByJudge,
)
from judgestream.core.parsing import read
from judgestream.core.templates import CHAT
from judgestream.core.types import Reading, Reply
from judgestream.engine.chat_completions import ChatJudge, Endpoint, Usage
from judgestream.engine.prompt import Prompt
from tests.engine.endpoint import Answer, completion, prefers_longer, serving

PAIR = CHAT.forms["pair"]
SHORT, LONG = "Yes.", "Yes, because water expands when it freezes."


def prompt(first: str, second: str, max_tokens: int = 0) -> Prompt:
    text = PAIR.render("Does ice float?", (first, second), None)
    return Prompt(text=text, grammar=PAIR.grammar, max_tokens=max_tokens)


def ask(
    answer: Answer, prompts: list[Prompt], **options: Any
) -> tuple[list[Reply | JudgestreamError], Usage, Any]:
    async def run(url: str) -> tuple[list[Reply | JudgestreamError], Usage]:
        settings = {"backoff_s": 0.01, "deadline_s": 10.0, **options}
        judge = ChatJudge(Endpoint(url=url, model="some-model", **settings))
        try:
            return await judge.read(prompts), judge.usage
        finally:
            await judge.close()

    with serving(answer) as endpoint:
        replies, usage = asyncio.run(run(endpoint.url))
        return replies, usage, endpoint


def test_scores_are_read_from_the_alternatives() -> None:
    (reply,), usage, endpoint = ask(prefers_longer, [prompt(LONG, SHORT)], key="geheim")
    assert isinstance(reply, Reply)
    assert (reply.text, reply.finish_reason, reply.input_tokens) == ("9 2", "stop", 321)
    reading = read(reply, PAIR.grammar)
    assert isinstance(reading, Reading)
    assert reading.means == pytest.approx((8.8, 2.3))
    assert reading.win == pytest.approx(1.0)
    body = endpoint.requests[0]
    assert [m["role"] for m in body["messages"]] == ["system", "user"]
    assert (body["temperature"], body["logprobs"], body["stop"]) == (0, True, ["\n"])
    assert endpoint.keys == ["Bearer geheim"]
    assert usage.prompts == 1 and usage.input_tokens == 321


def test_an_explanation_follows_the_scores() -> None:
    (reply,), _, endpoint = ask(prefers_longer, [prompt(SHORT, LONG, max_tokens=50)])
    assert isinstance(reply, Reply)
    assert reply.text == "2 9\nBecause of its length."
    assert "stop" not in endpoint.requests[0]


def test_an_endpoint_without_alternatives_is_read_by_its_text() -> None:
    def plain(body: dict[str, Any]) -> tuple[int, dict[str, str], Any]:
        assert "logprobs" not in body
        return 200, {}, completion("7 7")

    (reply,), _, _ = ask(plain, [prompt(LONG, SHORT)], top_logprobs=0)
    assert isinstance(reply, Reply)
    reading = read(reply, PAIR.grammar)
    assert isinstance(reading, Reading) and reading.tie == 1.0


def test_prose_instead_of_scores_is_unreadable_and_no_error() -> None:
    (reply,), _, _ = ask(
        lambda body: (200, {}, completion("I like both.")), [prompt(LONG, SHORT)], top_logprobs=0
    )
    assert isinstance(reply, Reply)
    assert not isinstance(read(reply, PAIR.grammar), Reading)


@pytest.mark.parametrize("fault", [429, 500, 503, 0], ids=str)
def test_what_may_pass_is_tried_again(fault: int) -> None:
    seen = []

    def flaky(body: dict[str, Any]) -> tuple[int, dict[str, str], Any]:
        seen.append(time.monotonic())
        if len(seen) <= 2:
            return fault, {"retry-after": "0.2"}, {"error": {"message": "later"}}
        return prefers_longer(body)

    (reply,), usage, _ = ask(flaky, [prompt(LONG, SHORT)])
    assert isinstance(reply, Reply) and reply.text == "9 2"
    assert len(seen) == 3 and usage.retries == 2
    if fault:
        assert seen[1] - seen[0] >= 0.2  # Retry-After is honoured


@pytest.mark.parametrize(
    ("status", "text", "error", "told"),
    [
        (400, "maximum context length is 8192 tokens", PromptTooLong, "8192"),
        (400, "bad temperature", RejectedByJudge, "bad temperature"),
        (401, "no such key", JudgeUnavailable, "refuses our key"),
        (404, "no such model", JudgeUnavailable, "has no model 'some-model'"),
    ],
)
def test_a_refusal_is_told_and_not_repeated(
    status: int, text: str, error: type[JudgestreamError], told: str
) -> None:
    (found,), _, endpoint = ask(
        lambda body: (status, {}, {"error": {"message": text}}), [prompt(LONG, SHORT)]
    )
    assert type(found) is error and told in str(found)
    assert len(endpoint.requests) == 1


def test_an_endpoint_that_stays_down_is_unavailable_and_says_why() -> None:
    (found,), _, _ = ask(
        lambda body: (503, {}, {"error": {"message": "warming up"}}),
        [prompt(LONG, SHORT)],
        deadline_s=0.5,
    )
    assert isinstance(found, JudgeUnavailable) and "warming up" in str(found)


def test_no_answer_in_time_is_a_deadline() -> None:
    release = threading.Event()

    def slow(body: dict[str, Any]) -> tuple[int, dict[str, str], Any]:
        release.wait(5)
        return prefers_longer(body)

    try:
        (found,), _, _ = ask(slow, [prompt(LONG, SHORT)], deadline_s=0.3)
    finally:
        release.set()
    assert isinstance(found, JudgeDeadlineExceeded)


@pytest.mark.parametrize("body", ["<html>hello</html>", {"choices": []}, {"answer": 42}], ids=str)
def test_another_kind_of_server_is_told(body: Any) -> None:
    (found,), _, _ = ask(lambda _: (200, {}, body), [prompt(LONG, SHORT)])
    assert isinstance(found, RejectedByJudge) and "not as a chat completions" in str(found)


def test_one_bad_prompt_leaves_its_neighbours_alone_and_many_are_under_way() -> None:
    def some(body: dict[str, Any]) -> tuple[int, dict[str, str], Any]:
        time.sleep(0.05)
        if "BAD" in body["messages"][-1]["content"]:
            return 400, {}, {"error": {"message": "no"}}
        return prefers_longer(body)

    prompts = [prompt("BAD" if k % 4 == 3 else LONG, SHORT) for k in range(24)]
    replies, usage, endpoint = ask(some, prompts, concurrency=6, price_in=2.0, price_out=10.0)
    assert [isinstance(reply, Reply) for reply in replies] == [k % 4 != 3 for k in range(24)]
    assert 2 <= endpoint.most_at_once <= 6
    assert usage.cost == pytest.approx(18 * (321 * 2 + 4 * 10) / 1e6)


def test_the_key_is_in_no_representation() -> None:
    assert "geheim" not in repr(Endpoint(url="http://h/v1", model="m", key="geheim"))
