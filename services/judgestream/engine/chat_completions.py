"""A judge behind any endpoint that speaks OpenAI's chat completions: vLLM, SGLang, llama.cpp, hosted models.

Every prompt is one request; many are under way at once, bounded. Rate limits, overload and broken connections
are retried with growing pauses, honouring `Retry-After`; what the endpoint refuses for good is an error of
that prompt alone. Tokens are counted as the endpoint bills them.
"""

import asyncio
import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import exp
from time import monotonic
from typing import Any

import httpx

from judgestream.core.errors import (
    JudgeDeadlineExceeded,
    JudgestreamError,
    JudgeUnavailable,
    PromptTooLong,
    RejectedByJudge,
)
from judgestream.core.templates import messages
from judgestream.core.types import Reply
from judgestream.engine.label_logprobs import Step, certain, joint
from judgestream.engine.prompt import Prompt

LINE_TOKENS = 8
"""Tokens for the score line, on top of the explanation's budget."""

RETRIED = frozenset({408, 409, 425, 429, 500, 502, 503, 504})
LONGEST_PAUSE_S = 20.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Endpoint:
    """Where to ask, and how hard.

    url            base, up to and with `/v1`
    key            bearer token; empty for a server that wants none
    top_logprobs   alternatives asked for per token; 0 for an endpoint that gives none
    deadline_s     for one prompt, all its tries included
    price_in, price_out   per million tokens, in any currency; for the cost counter
    """

    url: str
    model: str
    key: str = field(default="", repr=False)
    concurrency: int = 16
    top_logprobs: int = 20
    deadline_s: float = 60.0
    backoff_s: float = 0.5
    price_in: float = 0.0
    price_out: float = 0.0


@dataclass(kw_only=True, slots=True)
class Usage:
    """What was spent since the judge was made."""

    prompts: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    retries: int = 0
    cost: float = 0.0


class ChatJudge:
    """Asks an endpoint. One event loop at a time; `close` when done."""

    def __init__(
        self, endpoint: Endpoint, *, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        self.endpoint = endpoint
        self.usage = Usage()
        headers = {"Authorization": f"Bearer {endpoint.key}"} if endpoint.key else {}
        self._client = httpx.AsyncClient(
            base_url=endpoint.url.rstrip("/") + "/",
            headers=headers,
            timeout=endpoint.deadline_s,
            transport=transport,
            limits=httpx.Limits(max_connections=endpoint.concurrency),
        )
        self._room = asyncio.Semaphore(endpoint.concurrency)
        self._jitter = random.Random()  # noqa: S311 - spreads retries, keeps no secret

    async def close(self) -> None:
        await self._client.aclose()

    async def read(self, prompts: Sequence[Prompt]) -> list[Reply | JudgestreamError]:
        """A reply per prompt, in order; an error stands in its own prompt's place.

        `PromptTooLong` and `RejectedByJudge` are final; `JudgeUnavailable` and `JudgeDeadlineExceeded` may
        pass.
        """
        return list(await asyncio.gather(*(self._one(prompt) for prompt in prompts)))

    async def _one(self, prompt: Prompt) -> Reply | JudgestreamError:
        async with self._room:
            started = monotonic()
            failures: list[str] = []
            try:
                async with asyncio.timeout(self.endpoint.deadline_s):
                    body = await self._ask(self._question(prompt), failures)
                return self._reply(prompt, body, monotonic() - started)
            except TimeoutError:
                if failures:
                    return JudgeUnavailable(
                        f"{self.endpoint.url} failed {len(failures)} times in"
                        f" {self.endpoint.deadline_s:g} s; the last time: {failures[-1]}"
                    )
                return JudgeDeadlineExceeded(
                    f"{self.endpoint.model} gave no answer within {self.endpoint.deadline_s:g} s"
                )
            except JudgestreamError as error:
                return error

    def _question(self, prompt: Prompt) -> dict[str, Any]:
        body: dict[str, Any] = {
            "model": self.endpoint.model,
            "messages": messages(prompt.text),
            "temperature": 0,
            "max_tokens": LINE_TOKENS + prompt.max_tokens,
        }
        if self.endpoint.top_logprobs:
            body |= {"logprobs": True, "top_logprobs": self.endpoint.top_logprobs}
        if prompt.max_tokens == 0:
            body["stop"] = ["\n"]
        return body

    async def _ask(self, question: Mapping[str, Any], failures: list[str]) -> Mapping[str, Any]:
        """Ask until there is an answer or a refusal for good; the caller bounds the time."""
        while True:
            pause = self._pause(len(failures))
            try:
                answer = await self._client.post("chat/completions", json=question)
            except httpx.TransportError as error:
                failures.append(f"{type(error).__name__}: {error}")
            else:
                if answer.is_success:
                    return self._body(answer)
                failures.append(f"{answer.status_code}: {_message(answer)}")
                if answer.status_code not in RETRIED:
                    raise self._refusal(answer.status_code, failures[-1])
                pause = max(pause, _retry_after(answer))
            self.usage.retries += 1
            await asyncio.sleep(pause)

    def _pause(self, failures: int) -> float:
        doubled: float = self.endpoint.backoff_s * 2.0 ** min(failures, 20)
        return min(LONGEST_PAUSE_S, doubled) * (0.5 + 0.5 * self._jitter.random())

    def _body(self, answer: httpx.Response) -> Mapping[str, Any]:
        try:
            body = answer.json()
            if not isinstance(body["choices"][0]["message"], dict):
                raise TypeError("message")
        except (ValueError, LookupError, TypeError) as error:
            raise RejectedByJudge(
                f"{self.endpoint.url} answers, but not as a chat completions endpoint ({error!r})"
            ) from error
        return dict(body)

    def _refusal(self, status: int, text: str) -> JudgestreamError:
        if status in (401, 403):
            return JudgeUnavailable(f"{self.endpoint.url} refuses our key ({text})")
        if status == 404:
            return JudgeUnavailable(
                f"{self.endpoint.url} has no model {self.endpoint.model!r}, or is no chat endpoint ({text})"
            )
        lowered = text.lower()
        if status == 413 or "context_length" in lowered or "context length" in lowered:
            return PromptTooLong(text)
        return RejectedByJudge(f"{self.endpoint.model}: {text}")

    def _reply(self, prompt: Prompt, body: Mapping[str, Any], latency_s: float) -> Reply:
        choice = body["choices"][0]
        text = choice["message"].get("content") or ""
        spent = body.get("usage") or {}
        tokens_in, tokens_out = (
            int(spent.get(name) or 0) for name in ("prompt_tokens", "completion_tokens")
        )
        self.usage.prompts += 1
        self.usage.input_tokens += tokens_in
        self.usage.output_tokens += tokens_out
        self.usage.cost += (
            tokens_in * self.endpoint.price_in + tokens_out * self.endpoint.price_out
        ) / 1e6
        steps = _steps(choice.get("logprobs"))
        if steps:
            probs = joint(steps, prompt.grammar)
        else:
            probs = certain(text, prompt.grammar)
        finish = str(choice.get("finish_reason") or "")
        return Reply(
            text=text,
            score_probs=probs,
            finish_reason="length" if finish == "length" and prompt.max_tokens else "stop",
            input_tokens=tokens_in,
            output_tokens=tokens_out,
            latency_s=latency_s,
        )


def _steps(logprobs: Mapping[str, Any] | None) -> list[Step]:
    """The protocol's `logprobs.content`; a token missing from its own alternatives is added."""
    found = []
    for entry in (logprobs or {}).get("content") or []:
        alternatives = {one["token"]: exp(one["logprob"]) for one in entry["top_logprobs"]}
        alternatives.setdefault(entry["token"], exp(entry["logprob"]))
        found.append(Step(token=entry["token"], alternatives=alternatives))
    return found


def _message(answer: httpx.Response) -> str:
    try:
        error = answer.json()["error"]
        return str(error["message"] if isinstance(error, dict) else error)[:500]
    except (json.JSONDecodeError, LookupError, TypeError):
        return answer.text[:200]


def _retry_after(answer: httpx.Response) -> float:
    try:
        return min(LONGEST_PAUSE_S, float(answer.headers.get("retry-after", 0)))
    except ValueError:  # a date: rare, and our own pause will do
        return 0.0
