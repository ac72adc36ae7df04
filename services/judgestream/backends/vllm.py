"""A judge whose model runs in Triton's vLLM backend: every prompt is one request to it, or a few.

The first writes the score line, greedily, and tells the alternatives of each token. Where it was not sure of
the first score, it is asked how the line goes on behind the likeliest other ones, all at once; where an
explanation is wanted, another request continues the line. vLLM has the prompt in its prefix cache by then. So
scores are never sampled, whatever the temperature of the explanation. How a request reaches the backend is
handed in.
"""

import asyncio
import functools
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from time import monotonic

from judgestream.backends.vllm_responses import (
    Answer,
    explanation_sampling,
    line_sampling,
    score_line,
    softened,
)
from judgestream.core.errors import JudgeDeadlineExceeded, JudgestreamError, PromptTooLong
from judgestream.core.prompt import Prompt
from judgestream.core.types import Reply

Ask = Callable[[str, str], Awaitable[Answer]]
"""Prompt and sampling parameters (JSON) -> the backend's answer. Raises a `JudgestreamError`."""

Tell = Callable[[Reply | JudgestreamError], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class VllmSettings:
    """How to ask, and what the release says about its checkpoint.

    concurrency       prompts under way at the backend at once
    top_logprobs      alternatives per token; what is less likely than all of them counts as impossible
    deadline_s        for one prompt, all its requests included
    max_input_tokens  a prompt that turns out longer is refused, as our own engine does
    temperature       the fitted one of the checkpoint (see `calibration`)
    start             what stands before every prompt: the text of BOS, where vLLM's tokenizer adds none
    """

    concurrency: int = 64
    top_logprobs: int = 20
    deadline_s: float = 25.0
    max_input_tokens: int
    temperature: float = 1.0
    start: str = ""


@dataclass(kw_only=True, slots=True)
class VllmWork:
    """What was asked since the judge was made."""

    prompts: int = 0
    requests: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    seconds: float = 0.0


class VllmJudge:
    """Asks through `ask`, on an event loop of its own. Not for two threads at once; `close` when done."""

    def __init__(
        self, ask: Ask, settings: VllmSettings, loop: asyncio.AbstractEventLoop | None = None
    ) -> None:
        self.settings = settings
        self.work = VllmWork()
        self._ask = ask
        self._loop = loop or asyncio.new_event_loop()
        self._room = asyncio.Semaphore(settings.concurrency)

    def close(self) -> None:
        self._loop.close()

    def stream(
        self,
        prompts: Sequence[Prompt],
        wanted: Callable[[int], bool] = lambda at: True,
        *,
        partial: bool = False,
    ) -> Iterator[tuple[int, Reply | JudgestreamError]]:
        """Index and reply of every prompt as soon as it is there; an error stands in its prompt's place.

        What is not `wanted` when its turn comes is left out. With `partial` the scores of a prompt that
        is to be explained come first, their `finish_reason` "".
        """
        news: asyncio.Queue[tuple[int, Reply | JudgestreamError] | None] = asyncio.Queue()

        async def one(at: int) -> None:
            try:
                async with self._room:
                    if wanted(at):
                        tell = functools.partial(_put, news, at)
                        await self._one(prompts[at], tell, functools.partial(wanted, at), partial)
            finally:
                news.put_nowait(None)

        tasks = [self._loop.create_task(one(at)) for at in range(len(prompts))]
        running = len(tasks)
        try:
            while running:
                found = self._loop.run_until_complete(news.get())
                if found is None:
                    running -= 1
                else:
                    yield found
            self._loop.run_until_complete(asyncio.gather(*tasks))  # raises what was unexpected
        finally:
            for task in tasks:
                task.cancel()
            self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))

    async def _one(
        self, prompt: Prompt, tell: Tell, wanted: Callable[[], bool], partial: bool
    ) -> None:
        started = monotonic()
        try:
            async with asyncio.timeout(self.settings.deadline_s):
                scores, text = await self._scores(prompt, started)
                if text and wanted():
                    if partial:
                        tell(replace(scores, finish_reason=""))
                    scores = await self._explained(prompt, scores, text, started)
                if not text or wanted():
                    tell(scores)
        except TimeoutError:
            tell(
                JudgeDeadlineExceeded(
                    f"Triton's vLLM backend gave no answer within {self.settings.deadline_s:g} s"
                )
            )
        except JudgestreamError as error:
            tell(error)
        finally:
            self.work.prompts += 1
            self.work.seconds += monotonic() - started

    async def _scores(self, prompt: Prompt, started: float) -> tuple[Reply, str]:
        """The reply as far as its score line, and the text that an explanation has to continue; "" if there
        is to be none."""
        settings, text = self.settings, self.settings.start + prompt.text
        sampling = line_sampling(prompt.grammar, settings.top_logprobs)
        answer = await self._asked(text, sampling)
        if answer.input_tokens > settings.max_input_tokens:
            raise PromptTooLong(
                f"the prompt has {answer.input_tokens} tokens, this release holds"
                f" {settings.max_input_tokens} prompt tokens"
            )
        line = score_line(answer, prompt.grammar)
        if line.others:
            behind = [f"{text}{prompt.grammar.lead}{label}" for label in line.others]
            found = await asyncio.gather(*(self._asked(one, sampling) for one in behind))
            line = score_line(answer, prompt.grammar, dict(zip(line.others, found, strict=True)))
        scores = Reply(
            text=line.text,
            score_probs=softened(line.probs, settings.temperature),
            finish_reason="stop" if line.complete else "length",
            input_tokens=answer.input_tokens,
            output_tokens=answer.output_tokens,
            latency_s=monotonic() - started,
        )
        goes_on = line.goes_on and prompt.max_tokens > 0
        return scores, f"{text}{line.text}\n" if goes_on else ""

    async def _explained(self, prompt: Prompt, scores: Reply, text: str, started: float) -> Reply:
        answer = await self._asked(text, explanation_sampling(prompt))
        return replace(
            scores,
            text=f"{scores.text}\n{answer.text}",
            finish_reason="length" if answer.finish_reason == "length" else "stop",
            output_tokens=scores.output_tokens + answer.output_tokens,
            latency_s=monotonic() - started,
        )

    async def _asked(self, text: str, sampling: str) -> Answer:
        self.work.requests += 1
        answer = await self._ask(text, sampling)
        self.work.input_tokens += answer.input_tokens
        self.work.output_tokens += answer.output_tokens
        return answer


def _put(
    news: asyncio.Queue[tuple[int, Reply | JudgestreamError] | None],
    at: int,
    found: Reply | JudgestreamError,
) -> None:
    news.put_nowait((at, found))
