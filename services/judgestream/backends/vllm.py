"""A judge whose model runs in Triton's vLLM backend: every prompt is one or a few requests to it.

The first request generates the score line, greedily, with the alternatives of each token. If the model was
unsure of the first score, concurrent requests continue the line behind the most likely other ones. If an
explanation is wanted, another request continues the line. vLLM has the prompt in its prefix cache by then.
So scores are never sampled, whatever the temperature of the explanation.
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
    reasoning_sampling,
    score_line,
    softened,
)
from judgestream.core.errors import JudgeDeadlineExceeded, JudgestreamError, PromptTooLong
from judgestream.core.parsing import up_to_marker
from judgestream.core.prompt import Prompt
from judgestream.core.reasonings import averaged
from judgestream.core.templates.base import Reasoning
from judgestream.core.types import Reply

Ask = Callable[[str, str], Awaitable[Answer]]
"""Sends prompt and sampling parameters (JSON) to the backend; returns its answer or raises a
`JudgestreamError`."""

Report = Callable[[Reply | JudgestreamError], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class VllmSettings:
    """Limits of the requests, and parameters of the release's checkpoint.

    concurrency       prompts in progress at the backend at once
    top_logprobs      alternatives per token; everything less likely counts as impossible
    deadline_s        for one prompt, all its requests included
    max_input_tokens  a longer prompt is refused, as in our own engine
    temperature       the checkpoint's fitted one (see `checkpoints.temperature`)
    start             text before every prompt: BOS, where vLLM's tokenizer does not add it
    """

    concurrency: int = 64
    top_logprobs: int = 20
    deadline_s: float = 25.0
    max_input_tokens: int
    temperature: float = 1.0
    start: str = ""


@dataclass(kw_only=True, slots=True)
class VllmWork:
    """Counters since the judge was created."""

    prompts: int = 0
    requests: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    seconds: float = 0.0


class VllmJudge:
    """Sends its requests through `ask`, on its own event loop. Not thread-safe; call `close` when done."""

    def __init__(
        self, ask: Ask, settings: VllmSettings, loop: asyncio.AbstractEventLoop | None = None
    ) -> None:
        self.settings = settings
        self.work = VllmWork()
        self._ask = ask
        self._loop = loop or asyncio.new_event_loop()
        self._slots = asyncio.Semaphore(settings.concurrency)

    def close(self) -> None:
        self._loop.close()

    def stream(
        self,
        prompts: Sequence[Prompt],
        wanted: Callable[[int], bool] = lambda index: True,
        *,
        partial: bool = False,
    ) -> Iterator[tuple[int, Reply | JudgestreamError]]:
        """Index and reply of every prompt as soon as it is complete; an error stands in its prompt's place.

        A prompt that is not `wanted` when its turn comes gets no reply. With `partial` the scores of a prompt
        with an explanation come first, with `finish_reason` "".
        """
        results: asyncio.Queue[tuple[int, Reply | JudgestreamError] | None] = asyncio.Queue()

        async def judge(index: int) -> None:
            try:
                async with self._slots:
                    if wanted(index):
                        report = functools.partial(_put, results, index)
                        await self._judge(
                            prompts[index], report, functools.partial(wanted, index), partial
                        )
            finally:
                results.put_nowait(None)

        tasks = [self._loop.create_task(judge(index)) for index in range(len(prompts))]
        running = len(tasks)
        try:
            while running:
                result = self._loop.run_until_complete(results.get())
                if result is None:
                    running -= 1
                else:
                    yield result
            self._loop.run_until_complete(asyncio.gather(*tasks))  # raises unexpected errors
        finally:
            for task in tasks:
                task.cancel()
            self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))

    async def _judge(
        self, prompt: Prompt, report: Report, wanted: Callable[[], bool], partial: bool
    ) -> None:
        started = monotonic()
        try:
            async with asyncio.timeout(self.settings.deadline_s):
                if prompt.reasoning is not None:
                    report(await self._reasoned(prompt, prompt.reasoning, started))
                    return
                scores, text = await self._scores(prompt, started)
                if text and wanted():
                    if partial:
                        report(replace(scores, finish_reason=""))
                    scores = await self._explained(prompt, scores, text, started)
                if not text or wanted():
                    report(scores)
        except TimeoutError:
            report(
                JudgeDeadlineExceeded(
                    f"Triton's vLLM backend gave no answer within {self.settings.deadline_s:g} s"
                )
            )
        except JudgestreamError as error:
            report(error)
        finally:
            self.work.prompts += 1
            self.work.seconds += monotonic() - started

    async def _reasoned(self, prompt: Prompt, reasoning: Reasoning, started: float) -> Reply:
        """The mean distribution behind the prompt's reasonings, and the text of the first."""
        sent = [
            self._one_reasoning(prompt, reasoning, number, started)
            for number in range(reasoning.samples)
        ]
        replies = await asyncio.gather(*sent)
        return replace(
            averaged(replies),
            input_tokens=replies[0].input_tokens,
            latency_s=monotonic() - started,
        )

    async def _one_reasoning(
        self, prompt: Prompt, reasoning: Reasoning, number: int, started: float
    ) -> Reply:
        """One reasoning, and the scores behind it. vLLM has the prompt in its prefix cache for the second
        request. A reasoning that the limit ended gets the marker written for it."""
        text = self.settings.start + prompt.text
        written = await self._send(text, reasoning_sampling(prompt, reasoning, number))
        if written.input_tokens > self.settings.max_input_tokens:
            raise self._too_long(written.input_tokens)
        behind = prompt.behind(up_to_marker(written.text, prompt.grammar.marker))
        scores, _ = await self._scores(behind, started, limit=False)
        return replace(
            scores,
            text=behind.text[len(prompt.text) :] + scores.text,
            finish_reason="length" if written.finish_reason == "length" else scores.finish_reason,
            input_tokens=written.input_tokens,
            output_tokens=written.output_tokens + scores.output_tokens,
        )

    def _too_long(self, tokens: int) -> PromptTooLong:
        return PromptTooLong(
            f"the prompt has {tokens} tokens, this release holds {self.settings.max_input_tokens}"
            " prompt tokens"
        )

    async def _scores(
        self, prompt: Prompt, started: float, *, limit: bool = True
    ) -> tuple[Reply, str]:
        """The reply up to its score line, and the text that an explanation continues; "" if there is none.

        limit  refuse a prompt that is longer than the release takes
        """
        settings, text = self.settings, self.settings.start + prompt.text
        sampling = line_sampling(prompt.grammar, settings.top_logprobs)
        answer = await self._send(text, sampling)
        if limit and answer.input_tokens > settings.max_input_tokens:
            raise self._too_long(answer.input_tokens)
        line = score_line(answer, prompt.grammar)
        if line.others:
            prefixes = [f"{text}{prompt.grammar.lead}{label}" for label in line.others]
            answers = await asyncio.gather(*(self._send(prefix, sampling) for prefix in prefixes))
            line = score_line(answer, prompt.grammar, dict(zip(line.others, answers, strict=True)))
        scores = Reply(
            text=line.text,
            score_probs=softened(line.probs, settings.temperature),
            finish_reason="stop" if line.complete else "length",
            input_tokens=answer.input_tokens,
            output_tokens=answer.output_tokens,
            latency_s=monotonic() - started,
        )
        if not prompt.max_tokens or (line.complete and not line.continues):
            return scores, ""
        # a line that the limit cut is not a score line; as in our own engine, the text continues it
        return scores, f"{text}{line.text}\n" if line.complete else f"{text}{line.text}"

    async def _explained(self, prompt: Prompt, scores: Reply, text: str, started: float) -> Reply:
        answer = await self._send(text, explanation_sampling(prompt))
        return replace(
            scores,
            text=f"{scores.text}\n{answer.text}"
            if text.endswith("\n")
            else scores.text + answer.text,
            finish_reason="length" if answer.finish_reason == "length" else "stop",
            output_tokens=scores.output_tokens + answer.output_tokens,
            latency_s=monotonic() - started,
        )

    async def _send(self, text: str, sampling: str) -> Answer:
        self.work.requests += 1
        answer = await self._ask(text, sampling)
        self.work.input_tokens += answer.input_tokens
        self.work.output_tokens += answer.output_tokens
        return answer


def _put(
    results: asyncio.Queue[tuple[int, Reply | JudgestreamError] | None],
    index: int,
    result: Reply | JudgestreamError,
) -> None:
    results.put_nowait((index, result))
