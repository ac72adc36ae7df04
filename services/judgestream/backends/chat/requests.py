"""One prompt as one request to a chat endpoint, with the options that the endpoint supports."""

from collections.abc import Callable, Mapping, Set
from datetime import UTC, datetime
from math import inf
from time import monotonic

from judgestream.backends.chat.endpoint import Endpoint, Usage
from judgestream.backends.chat.exchange import Answer, Exchange
from judgestream.backends.chat.failures import Refusal, refusal
from judgestream.backends.chat.message import ChatMessage, parsed
from judgestream.backends.chat.options import Fix, fixed
from judgestream.backends.chat.protocols import PROTOCOLS
from judgestream.backends.chat.replies import reply_of
from judgestream.core.prompt import Prompt
from judgestream.core.types import Reply


class Refused(Exception):
    """A response that is not a success."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(str(refusal))
        self.refusal = refusal


class Requests:
    """Requests to one endpoint, without retries.

    fixes         applied to every request; learnt from earlier errors
    answered_at   when the latest chat completion arrived
    good_since    when the latest request that got one was sent
    """

    def __init__(
        self, endpoint: Endpoint, exchange: Exchange, usage: Usage, say: Callable[[str], None]
    ) -> None:
        self._endpoint = endpoint
        self._exchange = exchange
        self._usage = usage
        self._say = say
        self._thoughts_cut = False
        self._protocol = PROTOCOLS[endpoint.options.protocol]
        self.fixes: frozenset[Fix] = frozenset()
        self.answered_at = self.good_since = -inf

    def body(self, prompt: Prompt, fixes: Set[Fix]) -> dict[str, object]:
        return fixed(self._protocol.question(prompt, self._endpoint), fixes)

    async def once(self, prompt: Prompt, fixes: Set[Fix]) -> Reply:
        """One request.

        Raises:
            Refused: a status other than success, or an error in the body.
            NotChat: a success that is not a chat completion.
            EndpointUnreachable, JudgeUnavailable: no response.
        """
        sent_at = monotonic()
        message = await self.message(prompt, fixes)
        reply = reply_of(
            message, prompt, asked=self._endpoint.top_logprobs, latency_s=monotonic() - sent_at
        )
        self.answered_at = monotonic()
        self.good_since = max(self.good_since, sent_at)
        self._usage.add(reply, self._endpoint)
        if reply.finish_reason == "length" and message.thought:
            self._warn_thoughts_cut()
        return reply

    async def message(self, prompt: Prompt, fixes: Set[Fix] = frozenset()) -> ChatMessage:
        """The message that answers the prompt. Raises as `once`."""
        answer = await self._exchange.post(self.body(prompt, fixes))
        if not 200 <= answer.status < 300:
            raise Refused(self._refusal(answer, answer.status))
        body = parsed(answer.raw)
        if body.get("error") and not (body.get("choices") or body.get("content")):
            raise Refused(self._refusal(answer, _status_inside(body["error"])))
        return self._protocol.message_of(body)

    def learn(self, fix: Fix) -> None:
        """Apply the fix to all later requests."""
        if fix not in self.fixes:
            self.fixes |= {fix}
            self._say(f"{self._endpoint.url} refuses {fix.option}: from now on {fix}")

    def _refusal(self, answer: Answer, status: int) -> Refusal:
        return refusal(
            status, answer.headers, answer.raw, secret=self._endpoint.key, now=datetime.now(UTC)
        )

    def _warn_thoughts_cut(self) -> None:
        if not self._thoughts_cut:
            self._thoughts_cut = True
            self._say(
                f"{self._endpoint.model} was cut while it was thinking: install the release with"
                " --thinking-tokens 2000, or more"
            )


STATUS_OF_TYPE = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}
"""Anthropic's types of errors and the statuses that they come with."""


def _status_inside(error: object) -> int:
    """The status of an error in the body of a success: its own code if valid, else its type's, else 400."""
    if not isinstance(error, Mapping):
        return 400
    code = error.get("code")
    if isinstance(code, int) and 400 <= code < 600:
        return code
    return STATUS_OF_TYPE.get(str(error.get("type")), 400)
