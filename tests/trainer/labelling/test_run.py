"""Labelling runs against a real local HTTP server, with every kind of failure."""

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from judgestream.backends.chat.endpoint import Endpoint
from judgestream.core.errors import ConfigurationError
from judgestream.core.templates import CHAT
from judgestream_trainer.labelling.budget import FRAME_TOKENS, Budget
from judgestream_trainer.labelling.interrupts import Interrupt
from judgestream_trainer.labelling.journal import Journal, open_journal
from judgestream_trainer.labelling.pairing import Pair
from judgestream_trainer.labelling.prompts import PendingPrompt, PromptBuilder
from judgestream_trainer.labelling.run import EndReason, LabellingRun, RunProgress
from judgestream_trainer.labelling.sources import Answer as Written
from judgestream_trainer.labelling.sources import Question
from judgestream_trainer.labelling.teacher import endpoint_teacher
from tests.backends.chat.endpoint import Answer, Sent, completion, serving
from tests.backends.chat.endpoint import Endpoint as Server
from tests.trainer.labelling.inputs import by_length


def pair(number: int, reference: str | None = None) -> Pair:
    answers = (Written(model="a", text="Short."), Written(model="b", text="A longer one."))
    question = Question(id=number, body=f"Q{number}?", reference=reference, answers=answers)
    return Pair(question=question, answers=answers)


def label(
    answer: Answer,
    folder: Path,
    *,
    count: int = 12,
    pairs: Sequence[Pair] = (),
    budget: Budget | None = None,
    interrupt: Interrupt | None = None,
    **options: Any,
) -> tuple[EndReason, RunProgress, Server]:
    """Request `count` judgements, without those that the directory's journal holds."""
    settings = {"concurrency": 4, "backoff_s": 0.01, "deadline_s": 10.0, **options}
    with serving(answer) as server, open_journal(folder) as journal:
        endpoint = Endpoint(url=server.url, model="teacher", top_logprobs=0, **settings)
        teacher = endpoint_teacher(endpoint, "chat-v1")
        builder = PromptBuilder(
            template=teacher.template, max_tokens=50, identity={"model": "teacher"}
        )
        chosen = pairs or [pair(number) for number in range(count)]
        prompts = [PendingPrompt(pair=chosen_pair, informed=False) for chosen_pair in chosen]
        keyed = [(builder.key(prompt), prompt) for prompt in prompts]
        todo = [(key, prompt) for key, prompt in keyed if key not in journal.answers]
        progress = RunProgress(total=count, done=count - len(todo))
        labelling_run = LabellingRun(
            teacher,
            builder,
            todo,
            journal=journal,
            budget=budget or Budget(),
            progress=progress,
            interrupt=interrupt or Interrupt(),
            show=lambda now: None,
        )
        return (
            asyncio.run(labelling_run.run(list(journal.answers.values())[::-1])),
            progress,
            server,
        )


def kept(folder: Path) -> Journal:
    with open_journal(folder) as journal:
        return journal


def test_every_judgement_is_requested_once_and_kept_with_its_tokens(tmp_path: Path) -> None:
    def slow(body: dict[str, Any]) -> tuple[int, dict[str, str], Any]:
        time.sleep(0.05)
        return by_length(body)

    ended, progress, server = label(slow, tmp_path)
    assert (ended, progress.done, len(server.requests)) == (EndReason.DONE, 12, 12)
    assert (progress.input_tokens, progress.output_tokens) == (12 * 321, 12 * 4)
    assert 2 <= server.most_at_once <= 4
    assert {entry.text for entry in kept(tmp_path).answers.values()} == {"3 8\nBy itself."}
    ended, progress, server = label(by_length, tmp_path, count=15)
    assert (ended, progress.done, len(server.requests)) == (EndReason.DONE, 15, 3)


@pytest.mark.parametrize("fault", [429, 500, 503, 0], ids=str)
def test_a_temporary_failure_is_retried_after_the_requested_pause(
    tmp_path: Path, fault: int
) -> None:
    seen: dict[str, list[float]] = {}

    def flaky(body: dict[str, Any]) -> tuple[int, dict[str, str], Any]:
        times = seen.setdefault(body["messages"][-1]["content"], [])
        times.append(time.monotonic())
        return by_length(body) if len(times) > 1 else (fault, {"retry-after": "0.2"}, "later")

    ended, progress, _ = label(flaky, tmp_path, count=4)
    assert (ended, progress.done) == (EndReason.DONE, 4)
    assert [len(times) for times in seen.values()] == [2] * 4
    if fault:
        assert all(second - first >= 0.2 for first, second in seen.values())


def test_a_hanging_request_is_cut_retried_and_counted_as_paid(tmp_path: Path) -> None:
    release = threading.Event()
    seen: Counter[str] = Counter()

    def hangs_once(body: dict[str, Any]) -> tuple[int, dict[str, str], Any]:
        prompt = body["messages"][-1]["content"]
        seen[prompt] += 1
        if seen[prompt] == 1 and "Q2?" in prompt:
            release.wait(20)
        return by_length(body)

    budget = Budget(price_in=1.0)
    try:
        ended, progress, _ = label(hangs_once, tmp_path, count=4, budget=budget, deadline_s=1.0)
    finally:
        release.set()
    assert (ended, progress.done) == (EndReason.DONE, 4)
    lost = [entry for entry in kept(tmp_path).all_entries if entry.lost]
    assert len(lost) == 1 and lost[0].estimated
    assert budget.spent == pytest.approx((4 * 321 + lost[0].input_tokens) / 1e6)


def test_a_teacher_that_is_down_ends_the_run_and_says_why(tmp_path: Path) -> None:
    down: Sent = (503, {}, {"error": {"message": "out for lunch"}})
    ended, progress, _ = label(
        lambda body: down, tmp_path, count=40, deadline_s=2.0, concurrency=16
    )
    assert (ended, progress.done) == (EndReason.NO_RESPONSE, 0)
    assert "out for lunch" in progress.last_failure


def test_one_prompt_without_a_reply_does_not_stop_the_others(tmp_path: Path) -> None:
    def some(body: dict[str, Any]) -> tuple[int, dict[str, str], Any]:
        bad = "Q3?" in body["messages"][-1]["content"]
        return (500, {}, "broken") if bad else by_length(body)

    ended, progress, _ = label(some, tmp_path, deadline_s=0.5)
    assert (ended, progress.done) == (EndReason.INCOMPLETE, 11)


@pytest.mark.parametrize(
    ("status", "fix"),
    [
        (401, "--key-variable"),
        (402, "cannot pay"),
        (403, "use another key or model"),
        (404, "up to and with /v1"),
    ],
)
def test_a_refusal_of_every_prompt_stops_at_once_and_says_how_to_fix_it(
    tmp_path: Path, status: int, fix: str
) -> None:
    refused: Sent = (status, {}, {"error": {"message": "go away"}})
    with pytest.raises(ConfigurationError, match="go away") as raised:
        label(lambda body: refused, tmp_path, count=200)
    assert fix in str(raised.value)


def test_a_refusal_of_every_prompt_sends_no_more_than_were_in_flight(tmp_path: Path) -> None:
    seen: list[int] = []

    def refuse(body: dict[str, Any]) -> tuple[int, dict[str, str], Any]:
        seen.append(1)
        return 401, {}, "no"

    with pytest.raises(ConfigurationError):
        label(refuse, tmp_path, count=200)
    assert len(seen) <= 8


def test_a_permanent_refusal_is_kept_and_the_prompt_is_not_sent_again(
    tmp_path: Path,
) -> None:
    def some(body: dict[str, Any]) -> tuple[int, dict[str, str], Any]:
        bad = "Q3?" in body["messages"][-1]["content"]
        return (400, {}, "maximum context length is 10") if bad else by_length(body)

    assert label(some, tmp_path)[0] is EndReason.DONE
    assert [e.refused for e in kept(tmp_path).answers.values() if e.refused] == ["prompt_too_long"]
    assert label(some, tmp_path)[2].requests == []


def test_a_teacher_that_writes_no_scores_is_stopped_early_with_a_sample(tmp_path: Path) -> None:
    prose: Sent = (200, {}, completion("Both are lovely answers."))
    with pytest.raises(ConfigurationError, match="none of the teacher's first 10") as raised:
        label(lambda body: prose, tmp_path, count=200)
    assert "Both are lovely answers." in str(raised.value) and "--template" in str(raised.value)
    assert len(kept(tmp_path).answers) <= 14
    with pytest.raises(ConfigurationError, match="none of the teacher's first 10"):
        label(by_length, tmp_path, count=200)  # from the journal: nothing is sent
    assert len(kept(tmp_path).answers) <= 14


def test_unreadable_replies_after_a_readable_one_do_not_stop_the_next_run(tmp_path: Path) -> None:
    def some(body: dict[str, Any]) -> tuple[int, dict[str, str], Any]:
        good = "Q0?" in body["messages"][-1]["content"]
        return by_length(body) if good else (200, {}, completion("Hm."))

    assert label(some, tmp_path, count=13, concurrency=1)[1].unread == 12
    ended, progress, server = label(by_length, tmp_path, count=14)
    assert (ended, progress.unread, len(server.requests)) == (EndReason.DONE, 12, 1)


def test_garbage_among_readable_replies_is_kept_and_counted(tmp_path: Path) -> None:
    def some(body: dict[str, Any]) -> tuple[int, dict[str, str], Any]:
        good = "Q3?" in body["messages"][-1]["content"]
        return by_length(body) if good else (200, {}, completion("\u0000\ufffd{{{"))

    ended, progress, _ = label(some, tmp_path, count=9)
    assert (ended, progress.done, progress.unread) == (EndReason.DONE, 9, 8)


def test_a_server_of_another_kind_is_reported_as_such(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="not as a chat completions endpoint"):
        label(lambda body: (200, {}, "<html>hello</html>"), tmp_path, count=100)


@pytest.mark.parametrize("concurrency", [1, 4])
def test_a_budget_is_never_exceeded_and_a_higher_one_continues(
    tmp_path: Path, concurrency: int
) -> None:
    """A reply costs 321 + 4 * 10 = 361 of a millionth; 20 of them cost 0.00722."""
    limit = 0.005
    budget = Budget(price_in=1.0, price_out=10.0, limit=limit)
    ended, progress, server = label(
        by_length, tmp_path, count=20, budget=budget, concurrency=concurrency
    )
    assert ended is EndReason.BUDGET
    assert 0 < progress.done < 14 and progress.done == len(server.requests)
    assert budget.spent == pytest.approx(progress.done * 361 / 1e6) and budget.spent <= limit
    more = Budget(price_in=1.0, price_out=10.0, limit=0.02, spent=budget.spent)
    ended, progress, server = label(by_length, tmp_path, count=20, budget=more)
    assert (ended, progress.done) == (EndReason.DONE, 20)
    assert more.spent == pytest.approx(20 * 361 / 1e6)


def padded(number: int, most_tokens: int) -> Pair:
    """A pair whose prompt takes at most `most_tokens`: as many bytes, less those for the frame."""
    bare = CHAT.forms["pair"].render(f"Q{number}?", ["", "A longer one."], None)
    text = "x" * (most_tokens - FRAME_TOKENS - len(bare.encode()))
    answers = (Written(model="a", text=text), Written(model="b", text="A longer one."))
    question = Question(id=number, body=f"Q{number}?", reference=None, answers=answers)
    return Pair(question=question, answers=answers)


def test_an_exhausted_budget_is_reported_despite_rounding_errors(tmp_path: Path) -> None:
    """0.1, 0.2 and 0.3 are reserved and refunded one by one, which leaves a positive rounding error; then
    0.9 does not fit."""

    def in_turn(body: dict[str, Any]) -> tuple[int, dict[str, str], Any]:
        time.sleep(len(body["messages"][-1]["content"]) / 6000)
        return by_length(body)

    assert 0.1 + 0.2 + 0.3 - 0.1 - 0.2 - 0.3 > 0
    pairs = [padded(k, tokens) for k, tokens in enumerate((2000, 4000, 6000, 18_000))]
    budget = Budget(price_in=50.0, limit=0.65)
    ended, progress, _ = label(
        in_turn, tmp_path, pairs=pairs, count=4, budget=budget, concurrency=3
    )
    assert (ended, progress.done) == (EndReason.BUDGET, 3)


def test_a_budget_holds_for_an_endpoint_that_counts_no_tokens(tmp_path: Path) -> None:
    def silent(body: dict[str, Any]) -> tuple[int, dict[str, str], Any]:
        status, headers, data = by_length(body)
        return status, headers, {"choices": data["choices"]}

    budget = Budget(price_in=1.0, limit=0.01)
    ended, progress, _ = label(silent, tmp_path, count=20, budget=budget)
    assert ended is EndReason.BUDGET and 0 < budget.spent <= 0.01
    assert all(entry.estimated for entry in kept(tmp_path).answers.values())


def test_a_signal_stops_the_run_and_keeps_replies_in_flight(tmp_path: Path) -> None:
    interrupt = Interrupt()
    seen: list[int] = []

    def slow(body: dict[str, Any]) -> tuple[int, dict[str, str], Any]:
        seen.append(1)
        if len(seen) == 6:
            interrupt(15)
        time.sleep(0.1)
        return by_length(body)

    ended, progress, server = label(slow, tmp_path, count=40, interrupt=interrupt)
    assert ended is EndReason.INTERRUPTED
    assert progress.done == len(server.requests) == len(kept(tmp_path).answers) < 15
