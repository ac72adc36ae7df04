"""The contents of a chat API's response under any field names: text, log-probabilities, token counts."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

from judgestream.core import limits

MAX_CONTENT = 1 << 20
"""Characters of a reply that are parsed."""

MAX_TOKENS = 2**32 - 1


class NotChat(Exception):
    """The body is not that of a chat response; the message describes it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ChatMessage:
    """The message in a response.

    content    its text, without thoughts that the API separates from it
    thought    whether the response shows that the model thinks before it answers
    cut        it ended at the token limit
    logprobs   as OpenAI's `logprobs`; None where there are none
    """

    content: str
    thought: bool = False
    cut: bool = False
    logprobs: object = None
    input_tokens: int = 0
    output_tokens: int = 0


def parsed(raw: bytes) -> Mapping[str, Any]:
    """The JSON object.

    Raises:
        NotChat: not a JSON object.
    """
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError):
        raise NotChat(f"not JSON but {glimpse(raw)}") from None
    if not isinstance(body, dict):
        raise NotChat(f"JSON, but a {type(body).__name__}: {glimpse(raw)}")
    return body


def text_of(content: object) -> str:
    """The text of a message's content: plain, or its parts of type text, without thoughts; "" if none."""
    if isinstance(content, str):
        text = content
    elif isinstance(content, Sequence):
        text = "".join(_part(part) for part in content)
    else:
        text = ""
    return limits.clean(text[:MAX_CONTENT])


def count(value: object) -> int:
    """A number of tokens; 0 if invalid."""
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return 0
    return int(max(0.0, min(number, MAX_TOKENS))) if isfinite(number) else 0


def glimpse(raw: bytes) -> str:
    return limits.quoted(" ".join(raw[:400].decode(errors="replace").split()))


def _part(part: object) -> str:
    if isinstance(part, str):
        return part
    if not isinstance(part, Mapping) or part.get("type") not in ("text", "output_text", None):
        return ""
    text = part.get("text")
    if isinstance(text, Mapping):
        text = text.get("value")
    return text if isinstance(text, str) else ""
