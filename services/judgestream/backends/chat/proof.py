"""The distinction between a failure of one prompt and one of the whole endpoint.

The whole endpoint is assumed to fail only if the known good prompt fails, too.
"""

import asyncio
from collections.abc import Mapping
from math import inf
from time import monotonic

from judgestream.backends.chat.endpoint import Endpoint, Usage
from judgestream.backends.chat.failures import Refusal, classify
from judgestream.backends.chat.message import NotChat
from judgestream.backends.chat.options import hint
from judgestream.backends.chat.pauses import Pauses
from judgestream.backends.chat.requests import Refused, Requests
from judgestream.core.errors import (
    EndpointUnreachable,
    JudgestreamError,
    KeyRefused,
    ModelUnknown,
    QuotaExhausted,
    RejectedByJudge,
    ReleaseError,
    RequestsRefused,
    RetryableError,
)
from judgestream.core.probe import known_good
from judgestream.core.prompt import Prompt
from judgestream.core.templates import CHAT

EVIDENCE_S = 2.0
"""After a reply the endpoint is assumed to work for this long, if only a body is not a chat completion."""
STILL_BAD_S = 1.0
"""After the known good prompt failed, other failures are assumed to be the endpoint's for this long."""


class Proof:
    """Classifies failures. Sends the known good prompt only where `Endpoint.prove` is set."""

    def __init__(
        self, endpoint: Endpoint, requests: Requests, pauses: Pauses, usage: Usage
    ) -> None:
        self._endpoint = endpoint
        self._requests = requests
        self._pauses = pauses
        self._usage = usage
        self._proving = asyncio.Lock()
        self._bad_since = -inf
        self._known_good = Prompt(
            text=known_good(CHAT)[0].prompt, grammar=CHAT.forms["pair"].grammar
        )

    async def of_refusal(self, refused: Refusal) -> JudgestreamError:
        """The error for a response that is not a success."""
        kind, url, model = classify(refused), self._endpoint.url, self._endpoint.model
        if issubclass(kind, RetryableError):
            if refused.after_s:
                self._pauses.pause_all(refused.after_s, str(refused))
            return kind(f"{url}: {refused}")
        if not issubclass(kind, ReleaseError):
            return kind(f"{model}: {refused}")
        if kind is RequestsRefused and not self._endpoint.prove:
            return RejectedByJudge(f"{model}: {refused}")
        if self._endpoint.prove:
            try:
                if await self._works():
                    return RejectedByJudge(f"{model}: {refused}")
            except RetryableError as error:
                return error
        return kind(f"{self._words(kind)} ({refused}){hint(refused)}")

    async def of_not_chat(self, reason: NotChat) -> JudgestreamError:
        """The error for a success that is not a chat completion."""
        url = self._endpoint.url
        text = self._endpoint.without_key(
            f"{url} answers, but not as a chat completions endpoint ({reason})"
        )
        answered = monotonic() - self._requests.answered_at < EVIDENCE_S
        if not self._endpoint.prove or answered:
            return RejectedByJudge(text)
        try:
            return RejectedByJudge(text) if await self._works() else RequestsRefused(text)
        except RetryableError as error:
            return error

    def _words(self, kind: type[JudgestreamError]) -> str:
        url = self._endpoint.url
        texts: Mapping[type[JudgestreamError], str] = {
            KeyRefused: f"{url} refuses our key",
            QuotaExhausted: f"the account behind the key for {url} cannot pay",
            ModelUnknown: f"{url} has no model {self._endpoint.model!r}, or is not a chat endpoint",
        }
        return texts.get(kind, f"{url} refuses every request, even a known good one")

    async def _works(self) -> bool:
        """Whether the endpoint answers the known good prompt now. Concurrent callers share one request.

        Raises:
            RetryableError: unknown, because this request failed in a way that may pass.
        """
        called_at = monotonic()
        async with self._proving:
            if self._requests.good_since >= called_at:
                return True
            if self._bad_since >= called_at - STILL_BAD_S:
                return False
            sent_at = monotonic()
            self._usage.probes += 1
            try:
                await self._requests.once(self._known_good, self._requests.fixes)
            except Refused as refused:
                kind = classify(refused.refusal)
                if issubclass(kind, RetryableError):
                    raise kind(f"{self._endpoint.url}: {refused.refusal}") from None
            except (NotChat, EndpointUnreachable):
                pass
            else:
                return True
            self._bad_since = sent_at
            return False
