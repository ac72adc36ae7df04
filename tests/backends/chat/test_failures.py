"""Providers' error responses and their classification."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from judgestream.backends.chat.failures import Refusal, classify, refusal, retry_after
from judgestream.core.errors import (
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

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def found(status: int, body: Any, headers: dict[str, str] | None = None) -> Refusal:
    raw = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    return refusal(status, headers or {}, raw, secret="sk-geheim", now=NOON)


def error(message: str, **more: str) -> dict[str, Any]:
    return {"error": {"message": message, **more}}


TABLE: list[tuple[int, Any, type[JudgestreamError]]] = [
    # this request only
    (
        400,
        error(
            "This model's maximum context length is 8192 tokens.", code="context_length_exceeded"
        ),
        PromptTooLong,
    ),
    (
        400,
        {
            "object": "error",
            "message": "'max_tokens' is too large: 300. This model's maximum context length is"
            " 2048 tokens and your request has 1900 input tokens",
        },
        PromptTooLong,
    ),
    (
        400,
        error("the request exceeds the available context size", type="exceed_context_size_error"),
        PromptTooLong,
    ),
    (400, error("input is too long for requested model"), PromptTooLong),
    (400, error("prompt is too long: 210000 tokens > 200000 maximum"), PromptTooLong),
    (413, "<html>Request Entity Too Large</html>", PromptTooLong),
    (
        429,
        error("Request too large for gpt-x on tokens per min", code="rate_limit_exceeded"),
        PromptTooLong,
    ),
    (
        400,
        error(
            "The response was filtered due to the prompt triggering Azure OpenAI's content management policy",
            code="content_filter",
        ),
        RejectedByJudge,
    ),
    (
        403,
        error('Your chosen model requires moderation and your input was flagged for "hate"'),
        RejectedByJudge,
    ),
    (
        400,
        error(
            "<400> InternalError.Algo.DataInspectionFailed: Input data may contain inappropriate content.",
            code="data_inspection_failed",
        ),
        RejectedByJudge,
    ),
    # this release
    (401, error("Incorrect API key provided: sk-12**34"), KeyRefused),
    (403, "Forbidden", KeyRefused),
    (
        400,
        [{"error": {"code": 400, "message": "API key not valid.", "status": "INVALID_ARGUMENT"}}],
        KeyRefused,
    ),
    (402, error("Insufficient Balance"), QuotaExhausted),
    (
        429,
        error(
            "You exceeded your current quota, please check your plan and billing details.",
            type="insufficient_quota",
            code="insufficient_quota",
        ),
        QuotaExhausted,
    ),
    (400, error("Your credit balance is too low to access the API"), QuotaExhausted),
    (403, error("Your account is suspended due to insufficient balance"), QuotaExhausted),
    (
        404,
        error(
            "The model `x` does not exist or you do not have access to it.", code="model_not_found"
        ),
        ModelUnknown,
    ),
    (404, "<html><title>404</title></html>", ModelUnknown),
    (400, error("x is not a valid model ID"), ModelUnknown),
    (404, error("No endpoints found that support the requested parameters"), ModelUnknown),
    # this request's or every one's: the known good prompt decides
    (400, error("Unsupported parameter: 'top_logprobs'", param="top_logprobs"), RequestsRefused),
    (422, {"detail": [{"loc": ["body", "messages"], "msg": "field required"}]}, RequestsRefused),
    (405, "", RequestsRefused),
    (302, "", RequestsRefused),
    (501, "not implemented", RequestsRefused),
    # wait
    (429, error("Rate limit reached for requests", code="rate_limit_exceeded"), JudgeOverloaded),
    (503, error("The server is overloaded"), JudgeOverloaded),
    (529, error("Overloaded", type="overloaded_error"), JudgeOverloaded),
    (500, "Internal Server Error", JudgeUnavailable),
    (502, "<html>Bad Gateway</html>", JudgeUnavailable),
    (524, "", JudgeUnavailable),
    (408, "", JudgeUnavailable),
]


@pytest.mark.parametrize(("status", "body", "kind"), TABLE, ids=lambda one: str(one)[:50])
def test_refusals_are_classified(status: int, body: Any, kind: type[JudgestreamError]) -> None:
    assert classify(found(status, body)) is kind


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (error("no"), "no"),
        ({"error": "no"}, "no"),
        ({"detail": "no"}, "no"),
        ({"detail": [{"msg": "no"}, {"msg": "nor this"}]}, "no; nor this"),
        ({"message": "no", "object": "error"}, "no"),
        ([error("no")], "no"),
        ("<html><style>a{}</style><h1>no</h1></html>", "no"),
        ("no\n\x1b[31m\x00", "no [31m"),
        ({"error": {"code": 7}}, '{"code": 7}'),
        ("", ""),
        ("[" * 50_000, "["),
        ({"error": {"message": {"a": 1}}}, '{"message": {"a": 1}}'),
    ],
    ids=lambda one: ascii(one)[:40],
)
def test_the_provider_s_words_are_kept_whatever_form_they_have(body: Any, words: str) -> None:
    assert found(400, body).words.startswith(words)


def test_words_are_bounded_and_never_contain_the_key() -> None:
    told = found(401, error("the key sk-geheim is wrong " + "x" * 100_000)).words
    assert (
        "sk-geheim" not in told
        and told.startswith("the key [the key] is wrong")
        and len(told) < 500
    )


def test_a_redirect_names_its_target_and_is_not_followed() -> None:
    assert "https://else/v1" in str(found(307, "", {"location": "https://else/v1"}))


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0),
        ("0.5", 0.5),
        ("Thu, 01 Jan 2026 12:00:30 GMT", 30.0),
        ("Thu, 01 Jan 2026 11:00:00 GMT", 0.0),
        ("86400", 300.0),
        ("-5", 0.0),
        ("nan", 0.0),
        ("inf", 300.0),
        ("soon", 0.0),
        ("", 0.0),
        ("Thu, 99 Jan 99999 12:00:30 GMT", 0.0),
    ],
)
def test_retry_after_is_seconds_or_a_date_and_bounded(value: str, seconds: float) -> None:
    assert retry_after(value, NOON) == seconds
