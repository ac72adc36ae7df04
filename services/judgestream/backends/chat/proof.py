"""Proof of whose a failure is: one prompt's, or the whole endpoint's.

The second is believed once the known good prompt fails, too.
"""

import asyncio
from collections.abc import Mapping
from math import inf
from time import monotonic

from judgestream.backends.chat.endpoint import Endpoint, Usage
from judgestream.backends.chat.failures import Refusal, whose
from judgestream.backends.chat.options import hint
from judgestream.backends.chat.pauses import Pauses
from judgestream.backends.chat.replies import NotChat
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
"""After an answer the endpoint is taken to work for so long, where a body alone is strange."""
STILL_BAD_S = 1.0
"""After a known good prompt failed, other failures are taken to be the endpoint's for so long."""


class Proof:
    """Tells whose a failure is. Asks the known good prompt only where the endpoint's description says so."""

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

    async def of_refusal(self, found: Refusal) -> JudgestreamError:
        """Whose failure the refusal is."""
        kind, url, model = whose(found), self._endpoint.url, self._endpoint.model
        if issubclass(kind, RetryableError):
            if found.after_s:
                self._pauses.ask_for_quiet(found.after_s, str(found))
            return kind(f"{url}: {found}")
        if not issubclass(kind, ReleaseError):
            return kind(f"{model}: {found}")
        if kind is RequestsRefused and not self._endpoint.prove:
            return RejectedByJudge(f"{model}: {found}")
        if self._endpoint.prove:
            try:
                if await self._works():
                    return RejectedByJudge(f"{model}: {found}")
            except RetryableError as error:
                return error
        return kind(f"{self._words(kind)} ({found}){hint(found)}")

    async def of_strange(self, strange: NotChat) -> JudgestreamError:
        """Whose failure a success is that is not a chat completion."""
        url = self._endpoint.url
        text = self._endpoint.without_key(
            f"{url} answers, but not as a chat completions endpoint ({strange})"
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
        return texts.get(kind, f"{url} refuses every request, a known good one, too")

    async def _works(self) -> bool:
        """Whether the endpoint answers the known good prompt now. Of many that want to know, one asks.

        Raises:
            RetryableError: it cannot be told.
        """
        came = monotonic()
        async with self._proving:
            if self._requests.good_since >= came:
                return True
            if self._bad_since >= came - STILL_BAD_S:
                return False
            sent_at = monotonic()
            self._usage.probes += 1
            try:
                await self._requests.once(self._known_good, self._requests.fixes)
            except Refused as refused:
                kind = whose(refused.refusal)
                if issubclass(kind, RetryableError):
                    raise kind(f"{self._endpoint.url}: {refused.refusal}") from None
            except (NotChat, EndpointUnreachable):
                pass
            else:
                return True
            self._bad_since = sent_at
            return False
