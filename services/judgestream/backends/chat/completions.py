"""A judge behind any endpoint with OpenAI's chat completions: vLLM, SGLang, llama.cpp, hosted models.

Every prompt is one request; a limited number is in progress at once. Rate limits, overload and broken
connections are retried with back-off, honouring `Retry-After`. Any other answer is that prompt's reply or
error, never an exception (see `replies` and `failures`). A failure of the whole endpoint is assumed only if
the known good prompt fails, too (see `proof`). Tokens are counted as they are billed.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from time import monotonic

import httpx

from judgestream.backends.chat.endpoint import Endpoint, Usage
from judgestream.backends.chat.exchange import Exchange
from judgestream.backends.chat.kept import KeptReplies
from judgestream.backends.chat.message import NotChat
from judgestream.backends.chat.options import Fix, remedy
from judgestream.backends.chat.pauses import Pauses
from judgestream.backends.chat.proof import Proof
from judgestream.backends.chat.requests import Refused, Requests
from judgestream.contracts.triton_interface import gravest
from judgestream.core.errors import (
    JudgeDeadlineExceeded,
    JudgeError,
    JudgestreamError,
    JudgeUnavailable,
    RetryableError,
)
from judgestream.core.prompt import Prompt
from judgestream.core.reasonings import averaged_readable
from judgestream.core.types import Reply

log = logging.getLogger(__name__)


class ChatJudge:
    """The judge. One event loop at a time; call `close` when done.

    say  called with messages for the operator about what was learnt of the endpoint
    """

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        say: Callable[[str], None] = log.warning,
    ) -> None:
        self.endpoint = endpoint
        self.usage = Usage()
        self._exchange = Exchange(endpoint, transport)
        self._requests = Requests(endpoint, self._exchange, self.usage, say)
        self._pauses = Pauses(endpoint)
        self._proof = Proof(endpoint, self._requests, self._pauses, self.usage)
        self._kept = KeptReplies(endpoint.reuse_s)
        self._slots = asyncio.Semaphore(endpoint.concurrency)

    async def close(self) -> None:
        await self._exchange.close()

    async def read(
        self, prompts: Sequence[Prompt], wanted: Callable[[], bool] = lambda: True
    ) -> list[Reply | JudgestreamError]:
        """A reply per prompt, in order; an error stands in its own prompt's place.

        A `PoisonError` is permanent for that prompt; a `ReleaseError` concerns all prompts until an operator
        acts; a `RetryableError` may pass. A prompt that is not `wanted` when its turn comes is not sent.
        """
        return list(await asyncio.gather(*(self._sampled(prompt, wanted) for prompt in prompts)))

    async def _sampled(
        self, prompt: Prompt, wanted: Callable[[], bool]
    ) -> Reply | JudgestreamError:
        """The prompt's reply; of several reasonings, each of which is a request, their mean."""
        reasoning = prompt.reasoning
        if reasoning is None:
            return await self._one(prompt, wanted)
        samples = [
            replace(prompt, reasoning=replace(reasoning, samples=1, seed=reasoning.seed + k))
            for k in range(reasoning.samples)
        ]
        found = await asyncio.gather(*(self._one(sample, wanted) for sample in samples))
        errors = [one for one in found if not isinstance(one, Reply)]
        if errors:
            return gravest(errors)
        replies = [one for one in found if isinstance(one, Reply)]
        return averaged_readable(replies, prompt.grammar)

    async def _one(self, prompt: Prompt, wanted: Callable[[], bool]) -> Reply | JudgestreamError:
        try:
            async with self._slots:
                if not wanted():
                    return JudgeUnavailable("no client waits for this prompt any more")
                return self._reused(prompt) or await self._in_time(prompt)
        except JudgestreamError as error:
            return error
        except Exception as error:  # must not cost the other prompts their replies
            log.exception("unexpected error while asking an endpoint")
            return JudgeError(f"{type(error).__name__}: {self.endpoint.without_key(str(error))}")

    def _reused(self, prompt: Prompt) -> Reply | None:
        reply = self._kept.get(prompt)
        self.usage.reused += reply is not None
        return reply

    async def _in_time(self, prompt: Prompt) -> Reply:
        failures: list[JudgestreamError] = []
        deadline_s = self.endpoint.deadline_s
        try:
            async with asyncio.timeout(deadline_s):
                reply = await self._ask(prompt, failures)
        except TimeoutError:
            if failures:
                raise self._pauses.give_up(failures, deadline_s) from None
            raise JudgeDeadlineExceeded(
                f"{self.endpoint.model} gave no answer within {deadline_s:g} s"
            ) from None
        self._kept.keep(prompt, reply)
        return reply

    async def _ask(self, prompt: Prompt, failures: list[JudgestreamError]) -> Reply:
        """Send the prompt until there is a reply; the caller limits the time.

        Raises:
            JudgestreamError: there will be no reply.
        """
        requests, started = self._requests, monotonic()
        trying: Fix | None = None
        while True:
            await self._pauses.wait_for_endpoint(started)
            fixes = requests.fixes | ({trying} if trying else frozenset())
            try:
                reply = await requests.once(prompt, fixes)
            except Refused as refused:
                if trying in fixes - requests.fixes:
                    trying = None  # the option was not the reason
                else:
                    trying = remedy(refused.refusal, requests.body(prompt, fixes))
                    if trying is not None and trying not in fixes:
                        continue
                failure = await self._proof.of_refusal(refused.refusal)
            except NotChat as reason:
                failure = await self._proof.of_not_chat(reason)
            except RetryableError as error:
                failure = error
            else:
                if trying is not None:
                    requests.learn(trying)
                return reply
            if not isinstance(failure, RetryableError):
                raise failure
            failures.append(failure)
            self.usage.retries += 1
            await self._pauses.back_off(failures, started)
