"""What `release endpoint` finds out, against local servers that refuse in the providers' own words."""

import asyncio
from collections.abc import Callable, Set
from typing import Any

import pytest

from judgestream.backends.chat.endpoint import Endpoint
from judgestream.backends.chat.probing import Finding, described, probed
from judgestream.backends.chat.request_options import Choice, RequestOptions, SystemText, Thinking
from judgestream.core.errors import ConfigurationError
from judgestream.core.templates import CHAT
from tests.backends.chat.anthropic_endpoint import PATH, message, refusal, text, thinking
from tests.backends.chat.anthropic_endpoint import prefers_longer as anthropic
from tests.backends.chat.endpoint import Answer, Sent, completion, serving

Bodies = list[dict[str, Any]]


def find(
    answer: Answer, *, chosen: Set[Choice] = frozenset(), protocol: str = "openai", **given: Any
) -> tuple[Finding, Bodies]:
    path = PATH if protocol == "anthropic" else "/v1/chat/completions"
    with serving(answer, path=path) as server:
        endpoint = Endpoint(
            url=server.url,
            model="m",
            key="geheim",
            deadline_s=5,
            options=RequestOptions(protocol=protocol),
            **given,
        )
        return asyncio.run(probed(endpoint, CHAT, chosen)), server.requests


def plain(body: dict[str, Any]) -> Sent:
    """Answers as an endpoint with log-probabilities does."""
    if not body.get("logprobs"):
        return 200, {}, completion("10 1")
    return 200, {}, completion([("10", {"10": 1.0}), (" ", {" ": 1.0}), ("1", {"1": 1.0})])


def refusing(rules: dict[str, tuple[Callable[[dict[str, Any]], bool], str, str]]) -> Answer:
    """An endpoint that refuses a request for the first rule that it breaks, naming the parameter."""

    def answer(body: dict[str, Any]) -> Sent:
        for broken, words, param in rules.values():
            if broken(body):
                kind = {"type": "invalid_request_error", "param": param or None, "message": words}
                return 400, {}, {"error": kind}
        return plain(body)

    return answer


THINKING_MODEL = refusing(
    {
        "limit": (
            lambda body: "max_tokens" in body,
            "Unsupported parameter: 'max_tokens' is not supported with this model. Use"
            " 'max_completion_tokens' instead.",
            "max_tokens",
        ),
        "temperature": (
            lambda body: "temperature" in body,
            "Unsupported value: 'temperature' does not support 0 with this model. Only the default (1)"
            " value is supported.",
            "temperature",
        ),
        "logprobs": (
            lambda body: "logprobs" in body,
            "You are not allowed to request logprobs from this model",
            "",
        ),
    }
)


def test_an_endpoint_that_accepts_everything_is_asked_once() -> None:
    found, bodies = find(plain)
    assert len(bodies) == 1 and found.notes == ()
    assert (found.reply, found.input_tokens, found.endpoint.top_logprobs) == ("10 1", 321, 20)
    assert found.endpoint.options == RequestOptions()


def test_refused_options_are_replaced_one_after_the_other() -> None:
    found, bodies = find(THINKING_MODEL)
    used = found.endpoint
    assert (used.options.limit, used.options.temperature) == ("max_completion_tokens", False)
    assert used.top_logprobs == 0 and len(bodies) == 4
    assert [bool(one.refused) for one in found.attempts] == [True, True, True, False]
    assert "Use 'max_completion_tokens' instead" in found.attempts[0].refused
    assert found.attempts[-1].asked == described(used)
    assert found.reply == "10 1"


def test_what_the_user_chose_is_not_changed() -> None:
    with pytest.raises(ConfigurationError, match="does not support 0 with this model"):
        find(THINKING_MODEL, chosen={Choice.TEMPERATURE})
    with pytest.raises(ConfigurationError, match="not allowed to request logprobs"):
        find(THINKING_MODEL, chosen={Choice.LOGPROBS})


def test_fewer_alternatives_are_tried_before_none() -> None:
    answer = refusing(
        {
            "most": (
                lambda body: body.get("top_logprobs", 0) > 5,
                "top_logprobs must be at most 5",
                "top_logprobs",
            )
        }
    )
    found, _ = find(answer)
    assert found.endpoint.top_logprobs == 5


def test_logprobs_that_are_accepted_but_not_returned_are_noted() -> None:
    found, _ = find(lambda body: (200, {}, completion("10 1")))
    assert found.endpoint.top_logprobs == 0
    assert any("returns none" in note for note in found.notes)


def test_a_model_without_a_system_message_gets_the_instructions_from_the_user() -> None:
    answer = refusing(
        {
            "system": (
                lambda body: body["messages"][0]["role"] == "system",
                "System role not supported",
                "",
            )
        }
    )
    found, bodies = find(answer)
    assert found.endpoint.options.system is SystemText.USER
    assert bodies[-1]["messages"][0]["content"].startswith("You grade answers")


def test_a_refusal_that_names_nothing_is_narrowed_down() -> None:
    answer = refusing({"temperature": (lambda body: "temperature" in body, "Bad Request", "")})
    found, bodies = find(answer)
    used = found.endpoint
    assert not used.options.temperature and used.options.limit == "max_tokens"
    assert used.top_logprobs == 20, "only what is needed is given up"
    assert len(bodies) == 3
    both = refusing({"x": (lambda b: "temperature" in b or "logprobs" in b, "Bad Request", "")})
    used = find(both)[0].endpoint
    assert not used.options.temperature and used.top_logprobs == 0


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        ((401, {}, {"error": {"message": "key geheim is wrong"}}), "key_refused"),
        ((404, {}, {"error": {"message": "The model `m` does not exist"}}), "model_unknown"),
        ((400, {}, {"error": {"message": "no"}}), "400: no"),
        ((200, {}, "<html>log in</html>"), "cannot be asked"),
        ((0, {}, ""), "cannot be asked"),
    ],
)
def test_an_endpoint_that_does_not_answer_is_not_installed(sent: Sent, words: str) -> None:
    with pytest.raises(ConfigurationError, match="--no-probe") as failed:
        find(lambda body: sent)
    assert words in str(failed.value) and "geheim" not in str(failed.value)


def test_a_model_that_is_cut_at_its_thoughts_gets_tokens_for_them() -> None:
    def thinks(body: dict[str, Any]) -> Sent:
        if body["max_tokens"] < 1000:
            return 200, {}, completion("<think>Let me see", finish="length")
        return plain(body)

    found, bodies = find(thinks)
    assert found.endpoint.thinking_tokens == 2000 and len(bodies) == 2
    assert any("--thinking-tokens" in note for note in found.notes)


def test_an_unreadable_reply_and_missing_counts_are_noted() -> None:
    answer = {"choices": [{"message": {"content": "I cannot grade."}}]}
    found, _ = find(lambda body: (200, {}, answer))
    assert len(found.notes) == 3
    assert any("cannot be read" in note for note in found.notes)
    assert any("no token counts" in note for note in found.notes)


def test_anthropics_api_is_asked_without_log_probabilities() -> None:
    found, bodies = find(anthropic, protocol="anthropic")
    assert len(bodies) == 1 and found.endpoint.top_logprobs == 0
    assert found.endpoint.options.protocol == "anthropic"


def test_anthropics_later_models_refuse_temperature_and_budgets_of_thoughts() -> None:
    def later(body: dict[str, Any]) -> Sent:
        if "temperature" in body:
            words = "`temperature` is deprecated for this model."
            return refusal(400, "invalid_request_error", words)
        if body.get("thinking", {}).get("type") == "enabled":
            words = (
                "thinking.type.enabled is not supported for this model. Use thinking.type.adaptive"
            )
            return refusal(400, "invalid_request_error", words)
        return 200, {}, message(thinking("hm"), text("10 1"))

    found, _ = find(later, protocol="anthropic")
    assert not found.endpoint.options.temperature
    found, _ = find(later, protocol="anthropic", thinking_tokens=2000)
    assert found.endpoint.options.thinking is Thinking.ADAPTIVE


def test_options_survive_a_release_and_keys_are_refused_in_headers() -> None:
    options = RequestOptions(
        protocol="anthropic",
        temperature=False,
        system=SystemText.USER,
        thinking=Thinking.ADAPTIVE,
        headers={"anthropic-beta": "x"},
    )
    assert RequestOptions.of_json(options.as_json()) == options
    assert RequestOptions.of_json("") == RequestOptions() and RequestOptions().as_json() == "{}"
    for broken in ("[]", '{"limit": "x"}', '{"no": 1}', "{", '{"system": "x"}', '{"headers": 1}'):
        with pytest.raises(ConfigurationError):
            RequestOptions.of_json(broken)
    for name, value in (
        ("Authorization", "Bearer k"),
        ("x-api-key", "k"),
        ("a b", "c"),
        ("a", "ä"),
    ):
        with pytest.raises(ConfigurationError):
            RequestOptions(headers={name: value})
