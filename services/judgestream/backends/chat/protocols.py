"""The table of chat APIs: how each is addressed, asked and read."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from judgestream.backends.chat import anthropic, openai
from judgestream.backends.chat.endpoint import Endpoint
from judgestream.backends.chat.message import ChatMessage
from judgestream.backends.chat.request_options import ANTHROPIC, OPENAI
from judgestream.core.prompt import Prompt


@dataclass(frozen=True, kw_only=True, slots=True)
class Protocol:
    """One API.

    path         of the request, below the base URL
    headers      of every request, the key's included
    question     the body of a request
    message_of   the message in a response's body; raises NotChat where there is none
    logprobs     whether the API has log-probabilities at all
    """

    path: str
    headers: Callable[[Endpoint], Mapping[str, str]]
    question: Callable[[Prompt, Endpoint], dict[str, Any]]
    message_of: Callable[[Mapping[str, Any]], ChatMessage]
    logprobs: bool


PROTOCOLS: Mapping[str, Protocol] = MappingProxyType(
    {
        OPENAI: Protocol(
            path=openai.PATH,
            headers=openai.headers,
            question=openai.question,
            message_of=openai.message_of,
            logprobs=True,
        ),
        ANTHROPIC: Protocol(
            path=anthropic.PATH,
            headers=anthropic.headers,
            question=anthropic.question,
            message_of=anthropic.message_of,
            logprobs=False,
        ),
    }
)
