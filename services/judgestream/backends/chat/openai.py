"""OpenAI's chat completions: POST `chat/completions`, as vLLM, SGLang and most providers have it."""

import json
import re
from collections.abc import Mapping
from typing import Any

from judgestream.backends.chat.endpoint import Endpoint
from judgestream.backends.chat.message import ChatMessage, NotChat, count, glimpse, text_of
from judgestream.backends.chat.reply_tokens import reply_tokens
from judgestream.backends.chat.request_options import SystemText
from judgestream.core.prompt import Prompt
from judgestream.core.templates import messages

PATH = "chat/completions"
_OPENS_WITH_A_THOUGHT = re.compile(
    r"\s*<(?:think|thinking|thought|thoughts|reasoning|reflection|analysis)>", re.I
)


def headers(endpoint: Endpoint) -> dict[str, str]:
    if not endpoint.key:
        return {}
    name = endpoint.options.key_header or "Authorization"
    bearer = name.lower() == "authorization"
    return {name: f"Bearer {endpoint.key}" if bearer else endpoint.key}


def question(prompt: Prompt, endpoint: Endpoint) -> dict[str, Any]:
    """The body of a request."""
    reasoning, options = prompt.reasoning, endpoint.options
    body: dict[str, Any] = {
        "model": endpoint.model,
        "messages": _placed(messages(prompt.text), options.system),
    }
    if options.temperature:
        body["temperature"] = 0 if reasoning is None else reasoning.temperature
    body[options.limit] = reply_tokens(prompt) + endpoint.thinking_tokens
    if options.reasoning_effort:
        body["reasoning_effort"] = options.reasoning_effort
    if reasoning is not None and reasoning.temperature > 0:
        body["seed"] = reasoning.seed
    if endpoint.top_logprobs:
        body |= {"logprobs": True, "top_logprobs": endpoint.top_logprobs}
    return body


def message_of(body: Mapping[str, Any]) -> ChatMessage:
    """The message in a response.

    Raises:
        NotChat: there is none.
    """
    choice = _first(body.get("choices"))
    message = choice.get("message") if choice is not None else None
    if choice is None or not isinstance(message, Mapping):
        raise NotChat(f"JSON without choices and a message: {glimpse(json.dumps(body).encode())}")
    content = text_of(message.get("content"))
    if not content.strip() and isinstance(message.get("refusal"), str):
        content = text_of(message["refusal"])
    thoughts = message.get("reasoning_content") or message.get("reasoning")
    reported = body.get("usage")
    usage = reported if isinstance(reported, Mapping) else {}
    return ChatMessage(
        content=content,
        thought=bool(thoughts) or bool(_OPENS_WITH_A_THOUGHT.match(content)),
        cut=choice.get("finish_reason") == "length",
        logprobs=choice.get("logprobs"),
        input_tokens=count(usage.get("prompt_tokens")),
        output_tokens=count(usage.get("completion_tokens")),
    )


def _placed(texts: list[dict[str, str]], system: SystemText) -> list[dict[str, str]]:
    if system is SystemText.SYSTEM or texts[0]["role"] != "system":
        return texts
    if system is SystemText.DEVELOPER:
        return [{**texts[0], "role": "developer"}, *texts[1:]]
    return [{"role": "user", "content": "\n\n".join(text["content"] for text in texts)}]


def _first(choices: object) -> Mapping[str, Any] | None:
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], Mapping):
        return None
    return choices[0]
