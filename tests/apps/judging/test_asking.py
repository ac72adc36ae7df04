"""The outcome of a request for each class of judge failure. The test moves the clock."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from judgestream.adapters.redis.worker_board import WorkerState
from judgestream.apps.judging.asking import Asking, Tries
from judgestream.apps.worker import metrics
from judgestream.apps.worker.status import WorkerStatus
from judgestream.core.errors import (
    EndpointUnreachable,
    JudgeBroken,
    JudgeError,
    JudgeFailed,
    JudgeOverloaded,
    JudgestreamError,
    JudgeUnavailable,
    JudgeUnhealthy,
    KeyRefused,
    ModelUnknown,
    PromptTooLong,
    QuotaExhausted,
    RejectedByJudge,
    ReleaseChanged,
    ReleaseError,
    ReleaseNotLoaded,
    RequestsRefused,
    TooOld,
)
from judgestream.core.passes import Pass
from judgestream.core.templates import JUDGELM
from judgestream.core.transforms import STRAIGHT
from judgestream.core.types import Release, Reply
from judgestream.settings import Judging

Answer = Callable[[str, int], JudgestreamError | None]
"""Prompt and how often it was asked before -> what the judge raises, or None for an answer."""


class FakeJudge:
    release = Release(
        name="judgelm-0", checkpoint_digest="00", template_id="judgelm-v1", max_input_tokens=9
    )

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.asked: list[str] = []

    async def ask(self, passes: Sequence[Pass]) -> list[Reply]:
        prompt = "known good" if "What is 2 + 2?" in passes[0].prompt else passes[0].prompt
        before = self.asked.count(prompt)
        self.asked.append(prompt)
        await asyncio.sleep(0)
        error = self.answer(prompt, before)
        if error is not None:
            raise error
        return [Reply(text="8 3") for _ in passes]


class Bench:
    """Requests of one worker; every pause moves the clock by its length."""

    def __init__(self, answer: Answer, **settings: Any) -> None:
        self.now = 0.0
        self.judge = FakeJudge(answer)
        self.status = WorkerStatus(kind="judging", slot=0)
        self.asking = Asking(self.judge, Judging(**settings), self.status)
        self.asking.health.clock = lambda: self.now
        self.states: list[tuple[float, WorkerState]] = []

    async def pause(self, seconds: float) -> None:
        self.now += seconds
        self.states.append((self.now, self.status.state))
        if self.now > 20_000:
            raise TimeoutError("no end of waiting in 20,000 s")
        await asyncio.sleep(0)

    def ask(self, *prompts: str) -> list[list[Reply] | BaseException]:
        async def all_of_them() -> list[list[Reply] | BaseException]:
            grammar = JUDGELM.forms["pair"].grammar
            asks = (
                self.asking.ask(
                    [Pass(transform=STRAIGHT, prompt=prompt, grammar=grammar)], Tries(), self.pause
                )
                for prompt in prompts
            )
            return await asyncio.gather(*asks, return_exceptions=True)

        return asyncio.run(all_of_them())


RELEASE = (
    KeyRefused,
    QuotaExhausted,
    ModelUnknown,
    RequestsRefused,
    EndpointUnreachable,
    ReleaseNotLoaded,
    ReleaseChanged,
    JudgeBroken,
)


@pytest.mark.parametrize("error", RELEASE, ids=lambda error: error.code)
def test_a_paused_release_holds_every_request_and_resumes_by_itself(
    error: type[ReleaseError],
) -> None:
    fixed_at = 1800.0

    def answer(prompt: str, before: int) -> JudgestreamError | None:
        return None if bench.now > fixed_at else error("no credit left")

    bench = Bench(answer, max_age_s=60)
    replies = bench.ask("a", "b", "c")
    assert all(isinstance(reply, list) for reply in replies), "nothing was to be given up"
    assert bench.judge.asked.count("a") == bench.judge.asked.count("b") == 2
    probes = bench.judge.asked.count("known good")
    often = 1800 / (5 if error is ReleaseNotLoaded else 60)
    assert 0.8 * often < probes < often + 10, "each minute, or each five seconds where it is free"
    assert bench.now < fixed_at + 200
    assert {state for _, state in bench.states} == {WorkerState.PAUSED}
    assert bench.status.state is WorkerState.WORKING
    assert metrics.release_paused.labels(error.code)._value.get() == 0


def test_a_pause_is_logged_and_counted_at_once_and_then_rarely_repeated(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def answer(prompt: str, before: int) -> JudgestreamError | None:
        told.append(metrics.release_paused.labels("key_refused")._value.get())
        return None if bench.now > 100 else KeyRefused("Incorrect API key provided")

    told: list[float] = []
    bench = Bench(answer)
    bench.ask(*"abcdefgh")
    assert 1 in told
    lines = [record.message for record in caplog.records if "Incorrect API key" in record.message]
    assert lines[0].startswith("paused: key_refused")
    assert 1 < len(lines) <= 1 + 100 / 30 + 1


def test_a_temporary_failure_is_shown_as_the_workers_state_and_logged_with_its_message(
    caplog: pytest.LogCaptureFixture,
) -> None:
    bench = Bench(
        lambda prompt, before: JudgeUnavailable("500: upstream broke") if before < 5 else None
    )
    bench.ask("a")
    assert bench.states[0][1] == WorkerState.WAITING
    assert "judge_unavailable: 500: upstream broke" in caplog.text
    assert bench.status.state is WorkerState.WORKING
    assert bench.status.entry().counts["retries"] == 5


def test_single_failures_among_answers_do_not_change_the_workers_state() -> None:
    bench = Bench(lambda prompt, before: JudgeOverloaded("full") if before < 3 else None)
    bench.asking.health.answered(bench.now)
    bench.ask("a")
    assert WorkerState.WAITING not in {state for when, state in bench.states if when < 2}


def test_a_request_is_too_old_only_while_the_judge_answers_others() -> None:
    down = JudgeUnavailable("away")
    alone = Bench(lambda prompt, before: down if prompt == "a" else None, max_age_s=1e-9)
    (found,) = alone.ask("a")
    assert isinstance(found, TooOld) and "away" in str(found)
    outage = Bench(lambda prompt, before: down if outage.now < 5000 else None, max_age_s=1e-9)
    (found,) = outage.ask("a")
    assert isinstance(found, list)


def test_a_prompt_on_which_the_model_fails_is_given_up_after_three_tries() -> None:
    bench = Bench(lambda prompt, before: JudgeError("CUDA error") if prompt == "bad" else None)
    bad, *good = bench.ask("bad", "a", "b", "c")
    assert isinstance(bad, JudgeFailed)
    assert all(isinstance(reply, list) for reply in good)
    assert bench.judge.asked.count("bad") == 3
    assert bench.judge.asked.count("known good") == 1


def test_a_model_that_fails_on_everything_pauses_and_loses_nothing() -> None:
    bench = Bench(lambda prompt, before: JudgeError("sticky") if bench.now < 3600 else None)
    replies = bench.ask(*"abcdef")
    assert all(isinstance(reply, list) for reply in replies)
    assert WorkerState.PAUSED in {state for _, state in bench.states}


def test_a_prompt_that_kills_the_judge_is_found_among_those_in_flight() -> None:
    """The model dies with every request in flight, is reloaded three seconds later, and dies again."""
    dead_until = [0.0]

    def answer(prompt: str, before: int) -> JudgestreamError | None:
        if prompt == "killer" and bench.now >= dead_until[0]:
            dead_until[0] = bench.now + 3
        return JudgeUnhealthy("Stub is not healthy") if bench.now < dead_until[0] else None

    bench = Bench(answer)
    found = dict(zip("abcKdef", bench.ask("a", "b", "c", "killer", "d", "e", "f"), strict=True))
    assert isinstance(found.pop("K"), JudgeFailed)
    assert all(isinstance(reply, list) for reply in found.values())
    assert bench.judge.asked.count("killer") <= 4


def test_a_refusal_fails_its_request_and_many_in_a_row_need_a_probe_first() -> None:
    bench = Bench(
        lambda prompt, before: None if prompt == "known good" else RejectedByJudge("policy")
    )
    assert all(isinstance(found, RejectedByJudge) for found in bench.ask(*"abcdefgh"))
    assert 1 <= bench.judge.asked.count("known good") <= 3


def test_a_judge_that_refuses_everything_pauses_after_a_few() -> None:
    bench = Bench(lambda prompt, before: RejectedByJudge("schema") if bench.now < 600 else None)
    found = bench.ask(*"abcdefghijkl")
    assert sum(isinstance(one, RejectedByJudge) for one in found) == 3
    assert sum(isinstance(one, list) for one in found) == 9


def test_prompts_that_are_too_long_need_no_probe() -> None:
    bench = Bench(lambda prompt, before: PromptTooLong("3000"))
    assert all(isinstance(found, PromptTooLong) for found in bench.ask(*"abcdefgh"))
    assert "known good" not in bench.judge.asked
