"""The options that an endpoint accepts, found out once, before a release is made of it.

The known good prompt is sent with the preferred options. Where the endpoint refuses one, the next row of
`RELAXATIONS` that its words name is applied and the prompt is sent again. Where the words name none, each row
is tried alone, then all together. Options that the user has chosen are never changed.
"""

from collections.abc import Callable, Iterator, Set
from dataclasses import dataclass, replace

import httpx

from judgestream.backends.chat.endpoint import Endpoint, Usage
from judgestream.backends.chat.exchange import Exchange
from judgestream.backends.chat.failures import Refusal, classify
from judgestream.backends.chat.message import ChatMessage, NotChat
from judgestream.backends.chat.options import names
from judgestream.backends.chat.protocols import PROTOCOLS
from judgestream.backends.chat.replies import reply_of, steps_of
from judgestream.backends.chat.request_options import (
    ANTHROPIC,
    OPENAI,
    Choice,
    SystemText,
    Thinking,
)
from judgestream.backends.chat.requests import Refused, Requests
from judgestream.core.errors import ConfigurationError, JudgestreamError, RequestsRefused
from judgestream.core.parsing import read
from judgestream.core.probe import known_good
from judgestream.core.prompt import Prompt
from judgestream.core.templates.base import Template
from judgestream.core.types import Unreadable

THINKING_TOKENS = 2_000
"""For a model that is seen to think, and was cut at it."""

MOST_REQUESTS = 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Relaxation:
    """One way of asking for less.

    what      the choice that is changed
    words     the option's names in an endpoint's errors
    applies   whether the endpoint would be asked differently
    """

    what: Choice
    words: tuple[str, ...]
    applies: Callable[[Endpoint], bool]
    relaxed: Callable[[Endpoint], Endpoint]


def _with(endpoint: Endpoint, **options: object) -> Endpoint:
    return replace(endpoint, options=replace(endpoint.options, **options))  # type: ignore[arg-type]


RELAXATIONS = (
    Relaxation(
        what=Choice.LIMIT,
        words=("max_tokens",),
        applies=lambda e: e.options.protocol == OPENAI and e.options.limit == "max_tokens",
        relaxed=lambda e: _with(e, limit="max_completion_tokens"),
    ),
    Relaxation(
        what=Choice.TEMPERATURE,
        words=("temperature",),
        applies=lambda e: e.options.temperature,
        relaxed=lambda e: _with(e, temperature=False),
    ),
    Relaxation(
        what=Choice.LOGPROBS,
        words=("top_logprobs",),
        applies=lambda e: e.top_logprobs > 5,
        relaxed=lambda e: replace(e, top_logprobs=5),
    ),
    Relaxation(
        what=Choice.LOGPROBS,
        words=("logprobs", "top_logprobs"),
        applies=lambda e: e.top_logprobs > 0,
        relaxed=lambda e: replace(e, top_logprobs=0),
    ),
    Relaxation(
        what=Choice.THINKING,
        words=("thinking", "budget_tokens"),
        applies=lambda e: (
            e.options.protocol == ANTHROPIC
            and e.thinking_tokens > 0
            and e.options.thinking is Thinking.ENABLED
        ),
        relaxed=lambda e: _with(e, thinking=Thinking.ADAPTIVE),
    ),
    Relaxation(
        what=Choice.SYSTEM,
        words=("system", "developer", "role", "roles"),
        applies=lambda e: e.options.system is not SystemText.USER,
        relaxed=lambda e: _with(e, system=SystemText.USER),
    ),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Attempt:
    """One request: how it was asked, and what the endpoint said; "" if it answered."""

    asked: str
    refused: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """The result.

    endpoint   with the options that will be used
    reply      of the judge to the known good prompt
    notes      what the user should know, a sentence each
    """

    endpoint: Endpoint
    attempts: tuple[Attempt, ...]
    reply: str
    input_tokens: int
    output_tokens: int
    notes: tuple[str, ...]


async def probed(
    endpoint: Endpoint,
    template: Template,
    chosen: Set[Choice] = frozenset(),
    *,
    transport: httpx.AsyncBaseTransport | None = None,
) -> Finding:
    """Ask the endpoint until it answers, each time for less.

    Args:
        chosen: what the user has chosen, so that it is not changed.

    Raises:
        ConfigurationError: it does not answer; the message has what was asked and the endpoint's words.
    """
    prober = _Prober(endpoint, template, chosen, transport)
    if endpoint.top_logprobs and not PROTOCOLS[endpoint.options.protocol].logprobs:
        prober.endpoint = replace(endpoint, top_logprobs=0)
    return await prober.run()


class _Prober:
    def __init__(
        self,
        endpoint: Endpoint,
        template: Template,
        chosen: Set[Choice],
        transport: httpx.AsyncBaseTransport | None,
    ) -> None:
        self.endpoint = endpoint
        self._rows = [row for row in RELAXATIONS if row.what not in chosen]
        self._transport = transport
        self._attempts: list[Attempt] = []
        self._notes: list[str] = []
        (one,) = known_good(template)[:1]
        self._prompt = Prompt(
            text=one.prompt,
            grammar=one.grammar,
            max_tokens=one.max_tokens,
            reasoning=one.reasoning,
        )

    async def run(self) -> Finding:
        message = await self._answered()
        if message.cut and message.thought and not self.endpoint.thinking_tokens:
            self._notes.append(
                f"the model thinks before it answers: it gets {THINKING_TOKENS:,} tokens for that"
                " (--thinking-tokens)"
            )
            self.endpoint = replace(self.endpoint, thinking_tokens=THINKING_TOKENS)
            message = await self._answered()
        self._check_logprobs(message)
        reply = reply_of(message, self._prompt, asked=self.endpoint.top_logprobs, latency_s=0.0)
        reading = read(reply, self._prompt.grammar)
        if isinstance(reading, Unreadable):
            self._notes.append(
                f"the reply cannot be read ({reading.reason}): verdicts would be unscored. Try another"
                " --template or model"
            )
        if not message.input_tokens:
            self._notes.append("it reports no token counts, so costs cannot be counted")
        return Finding(
            endpoint=self.endpoint,
            attempts=tuple(self._attempts),
            reply=reply.text,
            input_tokens=message.input_tokens,
            output_tokens=message.output_tokens,
            notes=tuple(self._notes),
        )

    async def _answered(self) -> ChatMessage:
        """The first message, with the endpoint's options changed until there is one."""
        while True:
            found = await self._ask(self.endpoint)
            if isinstance(found, ChatMessage):
                return found
            named = next(self._named(found), None)
            if named is not None:
                self.endpoint = named.relaxed(self.endpoint)
                continue
            if found.status not in (400, 422) or classify(found) is not RequestsRefused:
                raise self._failure(found)
            return await self._unnamed(found)

    async def _unnamed(self, refused: Refusal) -> ChatMessage:
        """For a refusal that does not say what is wrong: each row alone, then all."""
        rows = [row for row in self._rows if row.applies(self.endpoint)]
        everything = self.endpoint
        for row in rows:
            everything = row.relaxed(everything)
        singles = [row.relaxed(self.endpoint) for row in rows]
        for candidate in (*singles, *((everything,) if len(rows) > 1 else ())):
            found = await self._ask(candidate)
            if isinstance(found, ChatMessage):
                self.endpoint = candidate
                return found
        raise self._failure(refused)

    async def _ask(self, endpoint: Endpoint) -> ChatMessage | Refusal:
        if len(self._attempts) >= MOST_REQUESTS:
            raise ConfigurationError(
                f"{endpoint.url} still refuses after {MOST_REQUESTS} requests: {self._attempts[-1].refused}"
            )
        exchange = Exchange(endpoint, self._transport)
        requests = Requests(endpoint, exchange, Usage(), lambda text: None)
        try:
            message = await requests.message(self._prompt)
        except Refused as refused:
            self._attempts.append(Attempt(asked=described(endpoint), refused=str(refused.refusal)))
            return refused.refusal
        except (NotChat, JudgestreamError) as error:
            reason = endpoint.without_key(str(error))
            raise ConfigurationError(
                f"{endpoint.url} cannot be asked: {reason}. Correct the URL or start the server; --no-probe"
                " installs the release unseen"
            ) from error
        finally:
            await exchange.close()
        self._attempts.append(Attempt(asked=described(endpoint)))
        return message

    def _named(self, refused: Refusal) -> Iterator[Relaxation]:
        if refused.status not in (400, 404, 422, 500, 501):
            return
        for row in self._rows:
            if row.applies(self.endpoint) and any(names(refused, word) for word in row.words):
                yield row

    def _failure(self, refused: Refusal) -> ConfigurationError:
        endpoint = self.endpoint
        return ConfigurationError(
            f"{endpoint.url} refuses model {endpoint.model!r} with {described(endpoint)} ({refused}):"
            f" {classify(refused).code}. Correct the options; --no-probe installs the release unseen"
        )

    def _check_logprobs(self, message: ChatMessage) -> None:
        asked = self.endpoint.top_logprobs
        if asked and not steps_of(message.logprobs, asked):
            self._notes.append(
                "it accepts logprobs but returns none: scores are read from the text"
            )
            self.endpoint = replace(self.endpoint, top_logprobs=0)


def described(endpoint: Endpoint) -> str:
    """How the endpoint is asked, in words."""
    options = endpoint.options
    parts = [
        options.limit if options.protocol == OPENAI else "max_tokens",
        "temperature 0" if options.temperature else "no temperature",
        f"{endpoint.top_logprobs} logprobs" if endpoint.top_logprobs else "no logprobs",
        f"instructions as {options.system.value} text",
    ]
    if endpoint.thinking_tokens:
        kind = f" ({options.thinking.value})" if options.protocol == ANTHROPIC else ""
        parts.append(f"{endpoint.thinking_tokens:,} tokens to think{kind}")
    if options.reasoning_effort:
        parts.append(f"reasoning effort {options.reasoning_effort}")
    return ", ".join(parts)
