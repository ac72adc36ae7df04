"""Prompts through the vLLM judge, with an engine that replays real answers of vLLM."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace

import pytest

from judgestream.backends.vllm import Ask, VllmJudge, VllmSettings
from judgestream.backends.vllm_responses import Answer
from judgestream.core.errors import (
    JudgeDeadlineExceeded,
    JudgestreamError,
    JudgeUnavailable,
    PromptTooLong,
)
from judgestream.core.prompt import Prompt
from judgestream.core.templates.base import TEXT
from judgestream.core.types import Reply
from tests.backends.record_vllm import EXPLANATION_TOKENS, prompts
from tests.backends.recorded_vllm import answers, replay

SETTINGS = VllmSettings(max_input_tokens=2000)


@pytest.fixture
def made() -> Iterator[list[VllmJudge]]:
    judges: list[VllmJudge] = []
    yield judges
    for judge in judges:
        judge.close()


def read(
    made: list[VllmJudge],
    wanted: list[Prompt],
    ask: Ask = replay,
    settings: VllmSettings = SETTINGS,
) -> list[Reply | JudgestreamError]:
    judge = VllmJudge(ask, settings)
    made.append(judge)
    found = dict(judge.stream(wanted))
    return [found[at] for at in range(len(wanted))]


def explained(at: int = 0) -> Prompt:
    return replace(prompts()[at], max_tokens=EXPLANATION_TOKENS)


def test_scores_take_one_request_and_an_explanation_another(made: list[VllmJudge]) -> None:
    line, text = answers()[0], answers()[len(prompts())]
    scores, full = read(made, [prompts()[0], explained()])
    assert isinstance(scores, Reply) and isinstance(full, Reply)
    assert (scores.text, scores.finish_reason) == (line["text_output"], "stop")
    assert scores.input_tokens == full.input_tokens == line["num_input_tokens"]
    assert full.text == f"{line['text_output']}\n{text['text_output']}"
    assert full.output_tokens == line["num_output_tokens"] + text["num_output_tokens"]
    assert full.score_probs == scores.score_probs
    assert made[0].work.prompts == 2 and made[0].work.requests == 3


def test_the_scores_of_an_explained_prompt_come_first(made: list[VllmJudge]) -> None:
    judge = VllmJudge(replay, SETTINGS)
    made.append(judge)
    replies = [reply for _, reply in judge.stream([explained()], partial=True)]
    first, last = replies
    assert isinstance(first, Reply) and isinstance(last, Reply)
    assert first.finish_reason == "" and last.finish_reason in ("stop", "length")
    assert last.text.startswith(first.text) and last.score_probs == first.score_probs


def test_a_text_without_a_score_line_is_continued_where_the_line_was_cut(
    made: list[VllmJudge],
) -> None:
    """As in our own engine: an analysis of a query begins with a sentence, not with scores."""
    asked: list[str] = []

    async def analyst(text: str, sampling: str) -> Answer:
        asked.append(text)
        said = "The query asks" if len(asked) == 1 else " for a cause.\nNo more."
        steps = json.dumps([{"1": {"logprob": 0.0, "rank": 1, "decoded_token": said}}])
        return Answer(
            text=said,
            finish_reason="length" if len(asked) == 1 else "stop",
            input_tokens=9,
            output_tokens=5,
            logprobs=steps.encode(),
        )

    prompt = Prompt(text="Analyse:", grammar=TEXT, max_tokens=50)
    (reply,) = read(made, [prompt], analyst)
    assert isinstance(reply, Reply) and asked == ["Analyse:", "Analyse:The query asks"]
    assert reply.text == "The query asks for a cause.\nNo more."
    assert (reply.finish_reason, reply.output_tokens) == ("stop", 10)


def test_an_error_stays_with_its_prompt(made: list[VllmJudge]) -> None:
    strange = replace(prompts()[0], text="never recorded")
    good, bad = read(made, [prompts()[1], strange])
    assert isinstance(good, Reply) and isinstance(bad, PromptTooLong)


def test_a_prompt_beyond_the_release_s_limit_is_refused(made: list[VllmJudge]) -> None:
    (found,) = read(made, prompts()[:1], settings=replace(SETTINGS, max_input_tokens=3))
    assert isinstance(found, PromptTooLong) and "holds 3 prompt tokens" in str(found)


def test_an_engine_that_misses_the_deadline_is_a_retryable_error(made: list[VllmJudge]) -> None:
    async def never(text: str, sampling: str) -> Answer:
        await asyncio.Event().wait()
        raise AssertionError

    settings = replace(SETTINGS, deadline_s=0.05)
    (found,) = read(made, prompts()[:1], never, settings)
    assert isinstance(found, JudgeDeadlineExceeded)


def test_an_unavailable_engine_is_a_retryable_error(made: list[VllmJudge]) -> None:
    async def away(text: str, sampling: str) -> Answer:
        raise JudgeUnavailable("not loaded")

    assert isinstance(read(made, prompts()[:1], away)[0], JudgeUnavailable)


def test_an_unexpected_error_is_raised(made: list[VllmJudge]) -> None:
    async def broken(text: str, sampling: str) -> Answer:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        read(made, prompts()[:1], broken)


def test_concurrent_requests_are_limited(made: list[VllmJudge]) -> None:
    running: list[str] = []
    most = 0

    async def slow(text: str, sampling: str) -> Answer:
        nonlocal most
        running.append(text)
        most = max(most, len(running))
        await asyncio.sleep(0)
        running.remove(text)
        return await replay(text, sampling)

    read(made, prompts(), slow, replace(SETTINGS, concurrency=3))
    assert most == 3


def test_unwanted_prompts_are_not_sent(made: list[VllmJudge]) -> None:
    judge = VllmJudge(replay, SETTINGS)
    made.append(judge)
    found = dict(judge.stream(prompts()[:3], lambda at: at != 1))
    assert sorted(found) == [0, 2] and judge.work.prompts == 2


def test_the_start_of_every_prompt_is_sent(made: list[VllmJudge]) -> None:
    seen: list[str] = []

    async def watching(text: str, sampling: str) -> Answer:
        seen.append(text)
        return await replay(text.removeprefix("<s>"), sampling)

    read(made, prompts()[:1], watching, replace(SETTINGS, start="<s>"))
    assert seen == ["<s>" + prompts()[0].text]
