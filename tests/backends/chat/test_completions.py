"""A judge behind a real local HTTP server that speaks the protocol, faults included."""

import asyncio
import gzip
import json
import threading
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from judgestream.backends.chat.completions import ChatJudge
from judgestream.backends.chat.endpoint import Endpoint, Usage
from judgestream.core.costs import Prices
from judgestream.core.errors import (
    EndpointUnreachable,
    JudgeDeadlineExceeded,
    JudgeOverloaded,
    JudgestreamError,
    JudgeUnavailable,
    KeyRefused,
    ModelUnknown,
    PromptTooLong,
    QuotaExhausted,
    RejectedByJudge,
    RequestsRefused,
)
from judgestream.core.parsing import read
from judgestream.core.prompt import Prompt
from judgestream.core.templates import CHAT
from judgestream.core.types import Reading, Reply
from tests.backends.chat.endpoint import Answer, completion, prefers_longer, serving

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
    assert (body["temperature"], body["logprobs"]) == (0, True)
    assert "stop" not in body, "some models begin with an empty line, and some endpoints refuse it"
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
def test_transient_failures_are_retried(fault: int) -> None:
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
        (400, "bad luck", RejectedByJudge, "bad luck"),
        (401, "no such key", KeyRefused, "refuses our key"),
        (402, "no credit", QuotaExhausted, "cannot pay"),
        (404, "no such model", ModelUnknown, "has no model 'some-model'"),
    ],
)
def test_a_refusal_is_returned_and_not_retried(
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
def test_another_kind_of_server_is_reported(body: Any) -> None:
    (found,), _, _ = ask(lambda _: (200, {}, body), [prompt(LONG, SHORT)])
    assert isinstance(found, RejectedByJudge) and "not as a chat completions" in str(found)


def test_one_bad_prompt_does_not_affect_concurrent_ones() -> None:
    def some(body: dict[str, Any]) -> tuple[int, dict[str, str], Any]:
        time.sleep(0.05)
        if "BAD" in body["messages"][-1]["content"]:
            return 400, {}, {"error": {"message": "no"}}
        return prefers_longer(body)

    prompts = [prompt("BAD" if k % 4 == 3 else LONG, SHORT) for k in range(24)]
    replies, usage, endpoint = ask(
        some, prompts, concurrency=6, prices=Prices(per_million_in=2.0, per_million_out=10.0)
    )
    assert [isinstance(reply, Reply) for reply in replies] == [k % 4 != 3 for k in range(24)]
    assert 2 <= endpoint.most_at_once <= 6
    assert usage.cost == pytest.approx(18 * (321 * 2 + 4 * 10) / 1e6)


def test_the_key_is_in_no_representation() -> None:
    assert "geheim" not in repr(Endpoint(url="http://h/v1", model="m", key="geheim"))


KNOWN_GOOD = "What is 2 + 2?"


def is_probe(body: dict[str, Any]) -> bool:
    return KNOWN_GOOD in body["messages"][-1]["content"]


@pytest.mark.parametrize(
    ("status", "words", "error"),
    [
        (401, "Incorrect API key", KeyRefused),
        (402, "Insufficient Balance", QuotaExhausted),
        (429, "insufficient_quota", QuotaExhausted),
        (404, "model not found", ModelUnknown),
        (400, "top_logprobs must be at most 5", RequestsRefused),
        (307, "", RequestsRefused),
        (200, "<html>log in</html>", RequestsRefused),
    ],
)
def test_a_refusal_of_everything_is_a_release_error_and_proved_once(
    status: int, words: str, error: type[JudgestreamError]
) -> None:
    text: Any = words if status == 200 else {"error": {"message": words}}
    found, usage, endpoint = ask(
        lambda body: (status, {}, text), [prompt(LONG, SHORT)] * 12, prove=True
    )
    assert {type(one) for one in found} == {error}
    assert words[:10] in str(found[0])
    assert usage.probes <= 2 and len(endpoint.requests) <= 14


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 405, 302, 200])
def test_a_refusal_is_the_prompt_s_own_while_a_known_good_one_is_answered(
    status: int,
) -> None:
    def some(body: dict[str, Any]) -> tuple[int, dict[str, str], Any]:
        if "BAD" in body["messages"][-1]["content"]:
            return status, {}, "go away"
        return prefers_longer(body)

    prompts = [prompt("BAD" if k == 3 else LONG, SHORT) for k in range(8)]
    found, usage, _ = ask(some, prompts, prove=True)
    assert [type(one) for one in found] == [RejectedByJudge if k == 3 else Reply for k in range(8)]
    assert usage.probes <= 1


REFUSED_OPTIONS = [
    ("max_tokens is not taken by this model; use max_completion_tokens", "max_tokens"),
    ("Unsupported value: 'temperature' does not support 0 with this model.", "temperature"),
]


@pytest.mark.parametrize(("words", "option"), REFUSED_OPTIONS)
def test_a_refused_option_is_learnt_once_and_logged(words: str, option: str) -> None:
    def picky(body: dict[str, Any]) -> tuple[int, dict[str, str], Any]:
        if option in body:
            return 400, {}, {"error": {"message": words, "param": option}}
        return 200, {}, completion("9 2")

    async def run(url: str) -> list[Any]:
        judge = ChatJudge(Endpoint(url=url, model="m", prove=True), say=said.append)
        first = await judge.read([prompt(LONG, SHORT)])
        rest = await judge.read([prompt(LONG, SHORT)] * 9)
        await judge.close()
        return [*first, *rest]

    said: list[str] = []
    with serving(picky) as endpoint:
        found = asyncio.run(run(endpoint.url))
    assert all(isinstance(one, Reply) and one.text == "9 2" for one in found)
    assert len(endpoint.requests) == 11
    assert len(said) == 1 and option in said[0]


def test_an_option_that_does_not_help_is_not_learnt() -> None:
    words, _ = REFUSED_OPTIONS[0]
    found, usage, endpoint = ask(
        lambda body: (400, {}, {"error": {"message": words, "param": "max_tokens"}}),
        [prompt(LONG, SHORT)] * 3,
        prove=True,
    )
    assert {type(one) for one in found} == {RequestsRefused}
    assert "max_completion_tokens" in str(found[0])
    assert len(endpoint.requests) <= 3 * 2 + 1


def test_transient_failures_are_returned_early_with_the_provider_s_words() -> None:
    started = time.monotonic()
    found, _, _ = ask(
        lambda body: (500, {}, {"error": {"message": "upstream broke"}}),
        [prompt(LONG, SHORT)],
        patience_s=0.2,
        deadline_s=30,
    )
    assert isinstance(found[0], JudgeUnavailable) and "upstream broke" in str(found[0])
    assert time.monotonic() - started < 3


def test_a_long_retry_after_is_returned_at_once_and_honoured() -> None:
    async def run(url: str) -> list[Any]:
        judge = ChatJudge(Endpoint(url=url, model="m", patience_s=0.2))
        first = await judge.read([prompt(LONG, SHORT)])
        again = await judge.read([prompt(LONG, SHORT)] * 5)
        await judge.close()
        return [*first, *again]

    with serving(lambda body: (429, {"retry-after": "120"}, "slow down")) as endpoint:
        found = asyncio.run(run(endpoint.url))
    assert {type(one) for one in found} == {JudgeOverloaded}
    assert all("slow down" in str(one) for one in found)
    assert len(endpoint.requests) == 1, "nobody asks before the time that the endpoint gave"


def test_a_paid_reply_is_reused_for_the_same_prompt() -> None:
    async def run(url: str) -> Usage:
        judge = ChatJudge(Endpoint(url=url, model="m", reuse_s=60))
        for _ in range(3):
            (reply,) = await judge.read([prompt(LONG, SHORT)])
            assert isinstance(reply, Reply) and reply.text == "9 2"
        await judge.read([prompt(LONG, SHORT, max_tokens=50)])
        await judge.close()
        return judge.usage

    with serving(prefers_longer) as endpoint:
        usage = asyncio.run(run(endpoint.url))
    assert len(endpoint.requests) == usage.prompts == 2 and usage.reused == 2


class Parts(httpx.AsyncByteStream):
    """A body that comes in parts, as from a network."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for at in range(0, len(self._raw), 1 << 16):
            yield self._raw[at : at + (1 << 16)]


def answer_bytes(raw: bytes, headers: dict[str, str]) -> Any:
    async def run() -> Any:
        transport = httpx.MockTransport(
            lambda _: httpx.Response(200, stream=Parts(raw), headers=headers)
        )
        judge = ChatJudge(Endpoint(url="http://h/v1", model="m"), transport=transport)
        (found,) = await judge.read([prompt(LONG, SHORT)])
        await judge.close()
        return found

    return asyncio.run(run())


def test_bodies_beyond_the_size_limit_are_refused() -> None:
    bomb = gzip.compress(b" " * (40 << 20), compresslevel=9)
    for raw, headers in (
        (b" " * (17 << 20), {}),
        (bomb, {"content-encoding": "gzip"}),
        (b"{}", {"content-encoding": "br"}),
        (b"not gzip", {"content-encoding": "gzip"}),
    ):
        assert isinstance(answer_bytes(raw, headers), RejectedByJudge)
    packed = gzip.compress(json.dumps(completion("9 2")).encode())
    assert isinstance(answer_bytes(packed, {"content-encoding": "gzip"}), Reply)


def test_an_untrusted_or_unknown_host_is_a_release_error() -> None:
    with serving(prefers_longer) as endpoint:
        urls = [endpoint.url.replace("http://", "https://")]

    async def run(url: str) -> Any:
        judge = ChatJudge(Endpoint(url=url, model="m", patience_s=0.1))
        (found,) = await judge.read([prompt(LONG, SHORT)])
        await judge.close()
        return found

    with serving(prefers_longer) as endpoint:
        found = asyncio.run(run(endpoint.url.replace("http://", "https://")))
    assert isinstance(found, EndpointUnreachable) and "SSL" in str(found).upper()
    assert isinstance(asyncio.run(run(urls[0].replace("https://", "http://"))), JudgeUnavailable)


def test_a_key_repeated_by_the_provider_is_removed() -> None:
    found, _, _ = ask(
        lambda body: (401, {}, {"error": {"message": "bad key geheim-123"}}),
        [prompt(LONG, SHORT)],
        key="geheim-123",
    )
    assert "geheim" not in str(found[0]) and "[the key]" in str(found[0])


def test_prompts_without_a_waiting_client_are_not_sent() -> None:
    async def run(url: str) -> Any:
        judge = ChatJudge(Endpoint(url=url, model="m"))
        found = await judge.read([prompt(LONG, SHORT)], wanted=lambda: False)
        await judge.close()
        return found

    with serving(prefers_longer) as endpoint:
        asyncio.run(run(endpoint.url))
    assert endpoint.requests == []
