"""Anthropic's messages API: POST `messages`. Without log-probabilities, scores are read from the text."""

import json
from collections.abc import Mapping
from typing import Any

from judgestream.backends.chat.endpoint import Endpoint
from judgestream.backends.chat.message import ChatMessage, NotChat, count, glimpse, text_of
from judgestream.backends.chat.reply_tokens import reply_tokens
from judgestream.backends.chat.request_options import SystemText, Thinking
from judgestream.core.prompt import Prompt
from judgestream.core.templates import messages

PATH = "messages"
VERSION = "2023-06-01"
"""Of the API, in the header `anthropic-version`."""

LEAST_THINKING = 1024
"""The API refuses a smaller budget."""

_CUT = ("max_tokens", "model_context_window_exceeded")
_USAGE_IN = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")


def headers(endpoint: Endpoint) -> dict[str, str]:
    found = {"anthropic-version": VERSION}
    if endpoint.key:
        name = endpoint.options.key_header or "x-api-key"
        bearer = name.lower() == "authorization"
        found[name] = f"Bearer {endpoint.key}" if bearer else endpoint.key
    return found


def question(prompt: Prompt, endpoint: Endpoint) -> dict[str, Any]:
    """The body of a request."""
    reasoning, options = prompt.reasoning, endpoint.options
    texts = messages(prompt.text)
    system = texts[0]["content"] if texts[0]["role"] == "system" else ""
    user = texts[-1]["content"]
    if system and options.system is SystemText.USER:
        system, user = "", f"{system}\n\n{user}"
    limit = reply_tokens(prompt)
    body: dict[str, Any] = {
        "model": endpoint.model,
        "messages": [{"role": "user", "content": user}],
    }
    if system:
        body["system"] = system
    if endpoint.thinking_tokens:
        budget = max(LEAST_THINKING, endpoint.thinking_tokens)
        limit += budget
        body["thinking"] = (
            {"type": "enabled", "budget_tokens": budget}
            if options.thinking is Thinking.ENABLED
            else {"type": "adaptive"}
        )
    elif options.temperature:  # refused together with thinking
        body["temperature"] = 0 if reasoning is None else min(1.0, reasoning.temperature)
    if options.reasoning_effort:
        body["output_config"] = {"effort": options.reasoning_effort}
    body["max_tokens"] = limit
    return body


def message_of(body: Mapping[str, Any]) -> ChatMessage:
    """The message in a response. Blocks other than text, such as thoughts, are left out.

    Raises:
        NotChat: there is none.
    """
    blocks = body.get("content")
    if not isinstance(blocks, list) or body.get("role") not in ("assistant", None):
        raise NotChat(f"JSON without content blocks: {glimpse(json.dumps(body).encode())}")
    kinds = {block.get("type") for block in blocks if isinstance(block, Mapping)}
    reported = body.get("usage")
    usage = reported if isinstance(reported, Mapping) else {}
    return ChatMessage(
        content=text_of(blocks),
        thought=bool(kinds & {"thinking", "redacted_thinking"}),
        cut=body.get("stop_reason") in _CUT,
        input_tokens=sum(count(usage.get(name)) for name in _USAGE_IN),
        output_tokens=count(usage.get("output_tokens")),
    )
