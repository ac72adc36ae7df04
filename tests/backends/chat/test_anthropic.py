"""A judge behind a local server that answers as Anthropic's messages API does, faults included."""

import asyncio
from typing import Any

import pytest

from judgestream.backends.chat.completions import ChatJudge
from judgestream.backends.chat.endpoint import Endpoint, Usage
from judgestream.backends.chat.request_options import RequestOptions, SystemText, Thinking
from judgestream.core.errors import (
    JudgeOverloaded,
    JudgestreamError,
    JudgeUnavailable,
    KeyRefused,
    ModelUnknown,
    PromptTooLong,
    QuotaExhausted,
    RejectedByJudge,
)
from judgestream.core.parsing import read
from judgestream.core.prompt import Prompt
from judgestream.core.templates import CHAT
from judgestream.core.types import Reading, Reply
from tests.backends.chat.anthropic_endpoint import (
    PATH,
    message,
    prefers_longer,
    refusal,
    text,
    thinking,
)
from tests.backends.chat.endpoint import Answer, Sent, serving

PAIR = CHAT.forms["pair"]


def prompt(max_tokens: int = 0) -> Prompt:
    rendered = PAIR.render("Does ice float?", ("Yes, because it is lighter.", "Yes."), None)
    return Prompt(text=rendered, grammar=PAIR.grammar, max_tokens=max_tokens)


def ask(
    answer: Answer, asked: Prompt | None = None, *, made: dict[str, Any] | None = None, **given: Any
) -> tuple[Reply | JudgestreamError, Usage, Any]:
    async def run(url: str) -> tuple[Reply | JudgestreamError, Usage]:
        settings = {"backoff_s": 0.01, "deadline_s": 10.0, "top_logprobs": 0, "key": "geheim"}
        judge = ChatJudge(
            Endpoint(
                url=url,
                model="some-model",
                options=RequestOptions(protocol="anthropic", **(made or {})),
                **{**settings, **given},
            )
        )
        try:
            (found,) = await judge.read([asked or prompt()])
            return found, judge.usage
        finally:
            await judge.close()

    with serving(answer, path=PATH) as endpoint:
        found, usage = asyncio.run(run(endpoint.url))
        return found, usage, endpoint


def test_a_request_and_its_reply_in_the_apis_own_form() -> None:
    found, usage, endpoint = ask(prefers_longer)
    assert isinstance(found, Reply)
    reading = read(found, PAIR.grammar)
    assert isinstance(reading, Reading) and (reading.means, reading.win) == ((9.0, 2.0), 1.0)
    assert (found.input_tokens, found.output_tokens, usage.input_tokens) == (300, 7, 300)
    (body,), (headers,) = endpoint.requests, endpoint.headers
    assert headers["x-api-key"] == "geheim" and headers["anthropic-version"] == "2023-06-01"
    assert "authorization" not in headers
    assert body["system"].startswith("You grade answers") and body["max_tokens"] == 16
    assert [one["role"] for one in body["messages"]] == ["user"]
    assert body["temperature"] == 0


def test_headers_instructions_and_effort_are_as_the_release_states() -> None:
    _, _, endpoint = ask(
        prefers_longer,
        made={
            "headers": {"anthropic-version": "2024-10-22", "anthropic-beta": "x-1"},
            "key_header": "Authorization",
            "system": SystemText.USER,
            "temperature": False,
            "reasoning_effort": "low",
        },
    )
    (body,), (headers,) = endpoint.requests, endpoint.headers
    assert headers["anthropic-version"] == "2024-10-22" and headers["anthropic-beta"] == "x-1"
    assert headers["authorization"] == "Bearer geheim" and "x-api-key" not in headers
    assert "system" not in body and "temperature" not in body
    assert body["messages"][0]["content"].startswith("You grade answers")
    assert body["output_config"] == {"effort": "low"}


@pytest.mark.parametrize(
    ("kind", "asked"),
    [
        (Thinking.ENABLED, {"type": "enabled", "budget_tokens": 2000}),
        (Thinking.ADAPTIVE, {"type": "adaptive"}),
    ],
)
def test_thoughts_have_a_budget_and_are_skipped(kind: Thinking, asked: dict[str, Any]) -> None:
    def thinks(body: dict[str, Any]) -> Sent:
        assert prefers_longer(body)[0] == 200, "no temperature beside thinking"
        blocks = (thinking("9 9? No."), {"type": "redacted_thinking", "data": "x"}, text("8 3"))
        return 200, {}, message(*blocks)

    found, _, endpoint = ask(thinks, thinking_tokens=2000, made={"thinking": kind})
    assert isinstance(found, Reply) and found.text == "8 3"
    (body,) = endpoint.requests
    assert body["thinking"] == asked and body["max_tokens"] == 2016


def test_a_reply_that_was_cut_or_refused_is_unreadable() -> None:
    for blocks, reason in (((thinking("hm"),), "max_tokens"), ((), "refusal")):
        body = message(*blocks, stop_reason=reason)
        found, _, _ = ask(lambda _, body=body: (200, {}, body))  # type: ignore[misc]
        assert isinstance(found, Reply)
        assert not isinstance(read(found, PAIR.grammar), Reading)
        assert found.finish_reason == ("length" if reason == "max_tokens" else "stop")


def test_tokens_of_the_prompt_cache_are_counted() -> None:
    usage = {
        "input_tokens": 10,
        "cache_creation_input_tokens": 200,
        "cache_read_input_tokens": 90,
        "output_tokens": 4,
    }
    found, _, _ = ask(lambda body: (200, {}, message(text("7 7"), usage=usage)))
    assert isinstance(found, Reply) and (found.input_tokens, found.output_tokens) == (300, 4)


@pytest.mark.parametrize(
    ("status", "kind", "words", "error"),
    [
        (400, "invalid_request_error", "prompt is too long: 210000 tokens", PromptTooLong),
        (400, "invalid_request_error", "messages: at least one is required", RejectedByJudge),
        (400, "invalid_request_error", "Your credit balance is too low", QuotaExhausted),
        (401, "authentication_error", "invalid x-api-key", KeyRefused),
        (402, "billing_error", "payment failed", QuotaExhausted),
        (403, "permission_error", "no access", KeyRefused),
        (404, "not_found_error", "model: no-such-model", ModelUnknown),
        (413, "request_too_large", "Request exceeds the maximum size", PromptTooLong),
        (429, "rate_limit_error", "too many requests", JudgeOverloaded),
        (500, "api_error", "Internal server error", JudgeUnavailable),
        (504, "timeout_error", "Request timed out", JudgeUnavailable),
        (529, "overloaded_error", "Overloaded", JudgeOverloaded),
        # a stream's error may arrive with status 200
        (200, "overloaded_error", "Overloaded", JudgeOverloaded),
    ],
)
def test_errors_are_classified(
    status: int, kind: str, words: str, error: type[JudgestreamError]
) -> None:
    found, _, _ = ask(lambda body: refusal(status, kind, words), patience_s=0.0)
    assert type(found) is error and words in str(found)


def test_an_overloaded_endpoint_is_asked_again() -> None:
    tries = []

    def busy(body: dict[str, Any]) -> Sent:
        tries.append(body)
        if len(tries) < 3:
            return refusal(529, "overloaded_error", "Overloaded")
        return prefers_longer(body)

    found, usage, _ = ask(busy)
    assert isinstance(found, Reply) and usage.retries == 2


def test_a_page_of_a_proxy_is_no_reply() -> None:
    for page in ("<html>log in</html>", {"content": "8 7"}, {"role": "user", "content": []}):
        found, _, _ = ask(lambda _, page=page: (200, {}, page))  # type: ignore[misc]
        assert isinstance(found, RejectedByJudge)
