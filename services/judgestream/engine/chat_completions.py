"""A judge behind any endpoint that speaks OpenAI's chat completions: vLLM, SGLang, llama.cpp, hosted models.

Every prompt is one request; many are under way at once, bounded. Rate limits, overload and broken connections
are retried with growing pauses, honouring `Retry-After`. Whatever else comes back is that prompt's reply or
that prompt's error, never an exception: see `chat_replies` and `chat_failures`. What looks like a failure of
the whole endpoint is believed once the known good prompt fails, too. Tokens are counted as they are billed.
"""

import asyncio
import hashlib
import logging
import random
import socket
import ssl
import zlib
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import inf
from time import monotonic

import httpx

from judgestream.core.errors import (
    EndpointUnreachable,
    JudgeDeadlineExceeded,
    JudgeError,
    JudgeOverloaded,
    JudgestreamError,
    JudgeUnavailable,
    KeyRefused,
    ModelUnknown,
    QuotaExhausted,
    RejectedByJudge,
    ReleaseError,
    RequestsRefused,
    RetryableError,
)
from judgestream.core.probe import known_good
from judgestream.core.templates import CHAT
from judgestream.core.types import Reply
from judgestream.engine.chat_failures import Refusal, refusal, whose
from judgestream.engine.chat_options import LINE_TOKENS, Fix, hint, question, remedy
from judgestream.engine.chat_replies import NotChat, parsed, reply_of, thinking
from judgestream.engine.prompt import Prompt

__all__ = ["LINE_TOKENS", "ChatJudge", "Endpoint", "Usage"]

log = logging.getLogger(__name__)

LONGEST_PAUSE_S = 20.0
MAX_BODY = 16 << 20
"""Bytes of one answer, unpacked."""
MAX_ERROR_BODY = 64 << 10
EVIDENCE_S = 2.0
"""After an answer the endpoint is taken to work for so long, where a body alone is strange."""
STILL_BAD_S = 1.0
"""After a known good prompt failed, other failures are taken to be the endpoint's for so long."""
MOST_KEPT = 2048


@dataclass(frozen=True, kw_only=True, slots=True)
class Endpoint:
    """Where to ask, and how hard.

    url              base, up to and with `/v1`
    key              bearer token; empty for a server that wants none
    top_logprobs     alternatives asked for per token; 0 for an endpoint that gives none
    thinking_tokens  on top of the reply's, for a model that thinks before it speaks
    deadline_s       for one prompt, all its tries included
    patience_s       tries are made for so long; then the failure is told, for the caller to try again
    prove            ask the known good prompt where a failure may be everybody's
    reuse_s          a reply is kept for so long, for a prompt that is asked again since its request failed
    price_in, price_out   per million tokens, in any currency; for the cost counter
    """

    url: str
    model: str
    key: str = field(default="", repr=False)
    concurrency: int = 16
    top_logprobs: int = 20
    thinking_tokens: int = 0
    deadline_s: float = 60.0
    patience_s: float = inf
    backoff_s: float = 0.5
    prove: bool = False
    reuse_s: float = 0.0
    price_in: float = 0.0
    price_out: float = 0.0


@dataclass(kw_only=True, slots=True)
class Usage:
    """What was spent since the judge was made. `reused` prompts cost nothing."""

    prompts: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    retries: int = 0
    probes: int = 0
    reused: int = 0
    cost: float = 0.0


@dataclass(kw_only=True, slots=True)
class _Answer:
    status: int
    headers: Mapping[str, str]
    raw: bytes


class ChatJudge:
    """Asks an endpoint. One event loop at a time; `close` when done.

    say  told in plain words what was learnt about the endpoint
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
        headers = {"Accept-Encoding": "identity"}
        if endpoint.key:
            headers["Authorization"] = f"Bearer {endpoint.key}"
        self._client = httpx.AsyncClient(
            base_url=endpoint.url.rstrip("/") + "/",
            headers=headers,
            timeout=endpoint.deadline_s,
            transport=transport,
            limits=httpx.Limits(max_connections=endpoint.concurrency + 1),
            follow_redirects=False,
        )
        self._say = say
        self._room = asyncio.Semaphore(endpoint.concurrency)
        self._jitter = random.Random()  # noqa: S311 - spreads retries, keeps no secret
        self._fixes: frozenset[Fix] = frozenset()
        self._quiet_until = 0.0
        self._quiet_words = ""
        self._proving = asyncio.Lock()
        self._good_since = self._bad_since = self._answered_at = -inf
        self._known_good = Prompt(
            text=known_good(CHAT)[0].prompt, grammar=CHAT.forms["pair"].grammar
        )
        self._kept: OrderedDict[bytes, tuple[float, Reply]] = OrderedDict()
        self._thoughts_cut = False

    async def close(self) -> None:
        await self._client.aclose()

    async def read(
        self, prompts: Sequence[Prompt], wanted: Callable[[], bool] = lambda: True
    ) -> list[Reply | JudgestreamError]:
        """A reply per prompt, in order; an error stands in its own prompt's place.

        A `PoisonError` is that prompt's for good, a `ReleaseError` everybody's until somebody acts, a
        `RetryableError` may pass. What is no longer `wanted` when its turn comes is not asked.
        """
        return list(await asyncio.gather(*(self._one(prompt, wanted) for prompt in prompts)))

    async def _one(self, prompt: Prompt, wanted: Callable[[], bool]) -> Reply | JudgestreamError:
        try:
            async with self._room:
                if not wanted():
                    return JudgeUnavailable("nobody waits for this prompt any more")
                return self._reused(prompt) or await self._in_time(prompt)
        except JudgestreamError as error:
            return error
        except (
            Exception
        ) as error:  # an unexpected error must not cost the other prompts their replies
            log.exception("unexpected error")
            return JudgeError(f"{type(error).__name__}: {self._without_key(str(error))}")

    async def _in_time(self, prompt: Prompt) -> Reply:
        failures: list[JudgestreamError] = []
        deadline_s = self.endpoint.deadline_s
        try:
            async with asyncio.timeout(deadline_s):
                reply = await self._ask(prompt, failures)
        except TimeoutError:
            if failures:
                raise self._given_up(failures, deadline_s) from None
            raise JudgeDeadlineExceeded(
                f"{self.endpoint.model} gave no answer within {deadline_s:g} s"
            ) from None
        if self.endpoint.reuse_s:
            self._kept[_key(prompt)] = (monotonic(), reply)
            while len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)
        return reply

    def _reused(self, prompt: Prompt) -> Reply | None:
        if not self.endpoint.reuse_s:
            return None
        at, reply = self._kept.get(_key(prompt), (-inf, None))
        if reply is None or monotonic() - at > self.endpoint.reuse_s:
            return None
        self.usage.reused += 1
        return reply

    async def _ask(self, prompt: Prompt, failures: list[JudgestreamError]) -> Reply:
        """Ask until there is a reply; the caller bounds the time.

        Raises:
            JudgestreamError: there will be none.
        """
        started = monotonic()
        trying: Fix | None = None
        while True:
            await self._quiet(started)
            fixes = self._fixes | ({trying} if trying else frozenset())
            try:
                reply = await self._once(prompt, fixes)
            except _Refused as refused:
                if trying in fixes - self._fixes:
                    trying = None  # it was not that option
                else:
                    trying = remedy(refused.refusal, self._body(prompt, fixes))
                    if trying is not None and trying not in fixes:
                        continue
                failure = await self._failure(refused.refusal)
            except NotChat as strange:
                failure = await self._strange(strange)
            except RetryableError as error:
                failure = error
            else:
                if trying is not None and trying not in self._fixes:
                    self._fixes |= {trying}
                    self._say(f"{self.endpoint.url} refuses {trying.option}: from now on {trying}")
                return reply
            if not isinstance(failure, RetryableError):
                raise failure
            failures.append(failure)
            self.usage.retries += 1
            pause = self._pause(len(failures) - 1)
            if monotonic() + pause - started > self.endpoint.patience_s:
                raise self._given_up(failures, monotonic() - started)
            await asyncio.sleep(pause)

    async def _once(self, prompt: Prompt, fixes: frozenset[Fix]) -> Reply:
        """One request.

        Raises:
            _Refused: another status than success, or an error in the body.
            NotChat: a success that is not a chat completion.
            EndpointUnreachable, JudgeUnavailable: no answer at all.
        """
        sent_at = monotonic()
        answer = await self._post(self._body(prompt, fixes))
        if not 200 <= answer.status < 300:
            raise _Refused(self._refusal(answer, answer.status))
        body = parsed(answer.raw)
        if body.get("error") and not body.get("choices"):
            raise _Refused(self._refusal(answer, _status_inside(body["error"])))
        reply = reply_of(
            body, prompt, asked=self.endpoint.top_logprobs, latency_s=monotonic() - sent_at
        )
        self._answered_at = monotonic()
        self._good_since = max(self._good_since, sent_at)
        self._spend(reply)
        if reply.finish_reason == "length" and thinking(body) and not self._thoughts_cut:
            self._thoughts_cut = True
            self._say(
                f"{self.endpoint.model} was cut while it still thought: install the release with"
                " --thinking-tokens 2000, or as many as it needs"
            )
        return reply

    def _body(self, prompt: Prompt, fixes: frozenset[Fix]) -> dict[str, object]:
        return question(
            prompt,
            model=self.endpoint.model,
            top_logprobs=self.endpoint.top_logprobs,
            thinking_tokens=self.endpoint.thinking_tokens,
            fixes=fixes,
        )

    async def _post(self, body: Mapping[str, object]) -> _Answer:
        try:
            async with self._client.stream("POST", "chat/completions", json=body) as answer:
                raw = await _bounded(answer)
                return _Answer(status=answer.status_code, headers=answer.headers, raw=raw)
        except (httpx.TransportError, httpx.InvalidURL) as error:
            text = f"{self.endpoint.url}: {type(error).__name__}: {self._without_key(str(error))}"
            if _unreachable(error):
                raise EndpointUnreachable(text) from error
            raise JudgeUnavailable(text) from error

    def _refusal(self, answer: _Answer, status: int) -> Refusal:
        return refusal(
            status, answer.headers, answer.raw, secret=self.endpoint.key, now=datetime.now(UTC)
        )

    async def _failure(self, found: Refusal) -> JudgestreamError:
        """Whose failure the refusal is."""
        kind, url, model = whose(found), self.endpoint.url, self.endpoint.model
        if issubclass(kind, RetryableError):
            if found.after_s:
                self._quiet_until = max(self._quiet_until, monotonic() + found.after_s)
                self._quiet_words = str(found)
            return kind(f"{url}: {found}")
        if not issubclass(kind, ReleaseError):
            return kind(f"{model}: {found}")
        if kind is RequestsRefused and not self.endpoint.prove:
            return RejectedByJudge(f"{model}: {found}")
        if self.endpoint.prove:
            try:
                if await self._works():
                    return RejectedByJudge(f"{model}: {found}")
            except RetryableError as error:
                return error
        texts: Mapping[type[JudgestreamError], str] = {
            KeyRefused: f"{url} refuses our key",
            QuotaExhausted: f"the account behind the key for {url} cannot pay",
            ModelUnknown: f"{url} has no model {model!r}, or is not a chat endpoint",
        }
        text = texts.get(kind, f"{url} refuses every request, a known good one, too")
        return kind(f"{text} ({found}){hint(found)}")

    async def _strange(self, strange: NotChat) -> JudgestreamError:
        """Whose failure a success is that is not a chat completion."""
        text = f"{self.endpoint.url} answers, but not as a chat completions endpoint ({strange})"
        text = self._without_key(text)
        if not self.endpoint.prove or monotonic() - self._answered_at < EVIDENCE_S:
            return RejectedByJudge(text)
        try:
            return RejectedByJudge(text) if await self._works() else RequestsRefused(text)
        except RetryableError as error:
            return error

    async def _works(self) -> bool:
        """Whether the endpoint answers the known good prompt now. Of many that want to know, one asks.

        Raises:
            RetryableError: it cannot be told.
        """
        came = monotonic()
        async with self._proving:
            if self._good_since >= came:
                return True
            if self._bad_since >= came - STILL_BAD_S:
                return False
            sent_at = monotonic()
            self.usage.probes += 1
            try:
                await self._once(self._known_good, self._fixes)
            except _Refused as refused:
                kind = whose(refused.refusal)
                if issubclass(kind, RetryableError):
                    raise kind(f"{self.endpoint.url}: {refused.refusal}") from None
            except (NotChat, EndpointUnreachable):
                pass
            else:
                return True
            self._bad_since = sent_at
            return False

    async def _quiet(self, started: float) -> None:
        """Wait until the time that the endpoint gave to anybody; told at once where that is too long."""
        rest = self._quiet_until - monotonic()
        if rest <= 0:
            return
        patience = min(self.endpoint.patience_s, self.endpoint.deadline_s)
        if monotonic() + rest - started > patience:
            raise JudgeOverloaded(
                f"{self.endpoint.url} asks to come again in {rest:.0f} s ({self._quiet_words})"
            )
        await asyncio.sleep(rest)

    def _pause(self, failures: int) -> float:
        doubled: float = self.endpoint.backoff_s * 2.0 ** min(failures, 20)
        return min(LONGEST_PAUSE_S, doubled) * (0.5 + 0.5 * self._jitter.random())

    def _given_up(self, failures: Sequence[JudgestreamError], seconds: float) -> JudgestreamError:
        last = failures[-1]
        kind = JudgeOverloaded if isinstance(last, JudgeOverloaded) else JudgeUnavailable
        return kind(
            f"{self.endpoint.url} failed {len(failures)} times in {seconds:.1f} s; the last time: {last}"
        )

    def _spend(self, reply: Reply) -> None:
        self.usage.prompts += 1
        self.usage.input_tokens += reply.input_tokens
        self.usage.output_tokens += reply.output_tokens
        self.usage.cost += (
            reply.input_tokens * self.endpoint.price_in
            + reply.output_tokens * self.endpoint.price_out
        ) / 1e6

    def _without_key(self, text: str) -> str:
        return text.replace(self.endpoint.key, "[the key]") if self.endpoint.key else text


class _Refused(Exception):
    """An answer that is not a success."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(str(refusal))
        self.refusal = refusal


def _status_inside(error: object) -> int:
    """Of an error that came with a success: its own code where that is one, else a refusal."""
    code = error.get("code") if isinstance(error, Mapping) else None
    return code if isinstance(code, int) and 400 <= code < 600 else 400


def _key(prompt: Prompt) -> bytes:
    identity = repr((prompt.text, prompt.grammar, prompt.max_tokens))
    return hashlib.sha256(identity.encode(errors="surrogatepass")).digest()


async def _bounded(answer: httpx.Response) -> bytes:
    """The body, unpacked, as far as it goes into memory safely.

    Raises:
        NotChat: a success with a body that is larger, or packed in a way that was not asked for.
    """
    success = answer.is_success
    most = MAX_BODY if success else MAX_ERROR_BODY
    packed = bytearray()
    async for part in answer.aiter_raw():
        packed += part
        if len(packed) > most:
            if success:
                raise NotChat(f"more than {most >> 20} MiB")
            break
    encoding = answer.headers.get("content-encoding", "identity").strip().lower()
    if encoding in ("", "identity"):
        return bytes(packed[:most])
    try:
        if encoding not in ("gzip", "x-gzip", "deflate"):
            raise zlib.error(encoding)
        unpacked = zlib.decompressobj(47).decompress(bytes(packed), most + 1)
    except zlib.error as error:
        if success:
            raise NotChat(f"content-encoding {encoding[:40]!r}, which was not asked for") from error
        return b""
    if success and len(unpacked) > most:
        raise NotChat(f"more than {most >> 20} MiB when unpacked")
    return unpacked[:most]


def _unreachable(error: BaseException) -> bool:
    """Whether somebody has to act: the name does not resolve, or the connection cannot be trusted."""
    if isinstance(error, httpx.UnsupportedProtocol | httpx.InvalidURL):
        return True
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, ssl.SSLError):
            return True
        if isinstance(seen, socket.gaierror):
            return seen.errno != socket.EAI_AGAIN
        seen = seen.__cause__ or seen.__context__
    return False
