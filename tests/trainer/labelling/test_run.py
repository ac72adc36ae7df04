"""Asking a real local HTTP server that speaks the protocol, with everything that goes wrong there."""

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


def ask(
    answer: Answer,
    folder: Path,
    *,
    count: int = 12,
    pairs: Sequence[Pair] = (),
    budget: Budget | None = None,
    interrupt: Interrupt | None = None,
    **options: Any,
) -> tuple[EndReason, RunProgress, Server]:
    """Ask for `count` judgements; what the folder's journal has is not asked again."""
    settings = {"concurrency": 4, "backoff_s": 0.01, "deadline_s": 10.0, **options}
    with serving(answer) as server, open_journal(folder) as journal:
        endpoint = Endpoint(url=server.url, model="teacher", top_logprobs=0, **settings)
        teacher = endpoint_teacher(endpoint, "chat-v1")
        builder = PromptBuilder(
            template=teacher.template, max_tokens=50, identity={"model": "teacher"}
        )
        chosen = pairs or [pair(number) for number in range(count)]
        asks = [PendingPrompt(pair=one, informed=False) for one in chosen]
        keyed = [(builder.key(one), one) for one in asks]
        todo = [one for one in keyed if one[0] not in journal.answers]
        tally = RunProgress(total=count, done=count - len(todo))
        labelling_run = LabellingRun(
            teacher,
            builder,
            todo,
            journal=journal,
            budget=budget or Budget(),
            tally=tally,
            interrupt=interrupt or Interrupt(),
            show=lambda now: None,
        )
        return asyncio.run(labelling_run.run(list(journal.answers.values())[::-1])), tally, server


def kept(folder: Path) -> Journal:
    with open_journal(folder) as journal:
        return journal


def test_every_judgement_is_asked_once_and_kept_with_its_tokens(tmp_path: Path) -> None:
    def slow(body: dict[str, Any]) -> tuple[int, dict[str, str], Any]:
        time.sleep(0.05)
        return by_length(body)

    ended, tally, server = ask(slow, tmp_path)
    assert (ended, tally.done, len(server.requests)) == (EndReason.DONE, 12, 12)
    assert (tally.input_tokens, tally.output_tokens) == (12 * 321, 12 * 4)
    assert 2 <= server.most_at_once <= 4
    assert {entry.text for entry in kept(tmp_path).answers.values()} == {"3 8\nBy itself."}
    ended, tally, server = ask(by_length, tmp_path, count=15)
    assert (ended, tally.done, len(server.requests)) == (EndReason.DONE, 15, 3)


@pytest.mark.parametrize("fault", [429, 500, 503, 0], ids=str)
def test_what_may_pass_is_asked_again_after_the_pause_that_was_asked_for(
    tmp_path: Path, fault: int
) -> None:
    seen: dict[str, list[float]] = {}

    def flaky(body: dict[str, Any]) -> tuple[int, dict[str, str], Any]:
        times = seen.setdefault(body["messages"][-1]["content"], [])
        times.append(time.monotonic())
        return by_length(body) if len(times) > 1 else (fault, {"retry-after": "0.2"}, "later")

    ended, tally, _ = ask(flaky, tmp_path, count=4)
    assert (ended, tally.done) == (EndReason.DONE, 4)
    assert [len(times) for times in seen.values()] == [2] * 4
    if fault:
        assert all(second - first >= 0.2 for first, second in seen.values())


def test_a_hang_is_cut_asked_again_and_reckoned_as_paid_for(tmp_path: Path) -> None:
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
        ended, tally, _ = ask(hangs_once, tmp_path, count=4, budget=budget, deadline_s=1.0)
    finally:
        release.set()
    assert (ended, tally.done) == (EndReason.DONE, 4)
    lost = [entry for entry in kept(tmp_path).all_entries if entry.lost]
    assert len(lost) == 1 and lost[0].estimated
    assert budget.spent == pytest.approx((4 * 321 + lost[0].input_tokens) / 1e6)


def test_a_teacher_that_is_down_ends_the_run_and_says_why(tmp_path: Path) -> None:
    down: Sent = (503, {}, {"error": {"message": "out for lunch"}})
    ended, tally, _ = ask(lambda body: down, tmp_path, count=40, deadline_s=1.0, concurrency=16)
    assert (ended, tally.done) == (EndReason.NO_RESPONSE, 0)
    assert "out for lunch" in tally.last_failure


def test_one_prompt_without_an_answer_is_left_and_the_others_are_done(tmp_path: Path) -> None:
    def some(body: dict[str, Any]) -> tuple[int, dict[str, str], Any]:
        bad = "Q3?" in body["messages"][-1]["content"]
        return (500, {}, "broken") if bad else by_length(body)

    ended, tally, _ = ask(some, tmp_path, deadline_s=0.5)
    assert (ended, tally.done) == (EndReason.INCOMPLETE, 11)


@pytest.mark.parametrize(
    ("status", "mend"),
    [
        (401, "--key-variable"),
        (402, "cannot pay"),
        (403, "use another key or model"),
        (404, "up to and with /v1"),
    ],
)
def test_a_refusal_of_everything_stops_at_once_with_the_mend(
    tmp_path: Path, status: int, mend: str
) -> None:
    refused: Sent = (status, {}, {"error": {"message": "go away"}})
    with pytest.raises(ConfigurationError, match="go away") as raised:
        ask(lambda body: refused, tmp_path, count=200)
    assert mend in str(raised.value)


def test_a_refusal_of_everything_asks_no_more_than_was_under_way(tmp_path: Path) -> None:
    seen: list[int] = []

    def refuse(body: dict[str, Any]) -> tuple[int, dict[str, str], Any]:
        seen.append(1)
        return 401, {}, "no"

    with pytest.raises(ConfigurationError):
        ask(refuse, tmp_path, count=200)
    assert len(seen) <= 8


def test_a_prompt_that_is_refused_for_good_is_kept_as_such_and_not_asked_again(
    tmp_path: Path,
) -> None:
    def some(body: dict[str, Any]) -> tuple[int, dict[str, str], Any]:
        bad = "Q3?" in body["messages"][-1]["content"]
        return (400, {}, "maximum context length is 10") if bad else by_length(body)

    assert ask(some, tmp_path)[0] is EndReason.DONE
    assert [e.refused for e in kept(tmp_path).answers.values() if e.refused] == ["prompt_too_long"]
    assert ask(some, tmp_path)[2].requests == []


def test_a_teacher_that_writes_no_scores_is_stopped_early_with_a_sample(tmp_path: Path) -> None:
    prose: Sent = (200, {}, completion("Both are lovely answers."))
    with pytest.raises(ConfigurationError, match="none of the teacher's first 10") as raised:
        ask(lambda body: prose, tmp_path, count=200)
    assert "Both are lovely answers." in str(raised.value) and "--template" in str(raised.value)
    assert len(kept(tmp_path).answers) <= 14
    with pytest.raises(ConfigurationError, match="none of the teacher's first 10"):
        ask(by_length, tmp_path, count=200)  # it is remembered: nothing is asked
    assert len(kept(tmp_path).answers) <= 14


def test_a_trusted_teachers_bad_answers_do_not_stop_the_next_run(tmp_path: Path) -> None:
    def some(body: dict[str, Any]) -> tuple[int, dict[str, str], Any]:
        good = "Q0?" in body["messages"][-1]["content"]
        return by_length(body) if good else (200, {}, completion("Hm."))

    assert ask(some, tmp_path, count=13, concurrency=1)[1].unread == 12
    ended, tally, server = ask(by_length, tmp_path, count=14)
    assert (ended, tally.unread, len(server.requests)) == (EndReason.DONE, 12, 1)


def test_some_garbage_among_good_answers_is_kept_and_counted(tmp_path: Path) -> None:
    def some(body: dict[str, Any]) -> tuple[int, dict[str, str], Any]:
        good = "Q3?" in body["messages"][-1]["content"]
        return by_length(body) if good else (200, {}, completion("\u0000\ufffd{{{"))

    ended, tally, _ = ask(some, tmp_path, count=9)
    assert (ended, tally.done, tally.unread) == (EndReason.DONE, 9, 8)


def test_another_kind_of_server_is_told_as_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="not as a chat completions endpoint"):
        ask(lambda body: (200, {}, "<html>hello</html>"), tmp_path, count=100)


@pytest.mark.parametrize("concurrency", [1, 4])
def test_a_budget_is_never_exceeded_and_a_raised_one_goes_on(
    tmp_path: Path, concurrency: int
) -> None:
    """A reply costs 321 + 4 * 10 = 361 of a millionth; 20 of them cost 0.00722."""
    limit = 0.005
    budget = Budget(price_in=1.0, price_out=10.0, limit=limit)
    ended, tally, server = ask(
        by_length, tmp_path, count=20, budget=budget, concurrency=concurrency
    )
    assert ended is EndReason.BUDGET
    assert 0 < tally.done < 14 and tally.done == len(server.requests)
    assert budget.spent == pytest.approx(tally.done * 361 / 1e6) and budget.spent <= limit
    more = Budget(price_in=1.0, price_out=10.0, limit=0.02, spent=budget.spent)
    ended, tally, server = ask(by_length, tmp_path, count=20, budget=more)
    assert (ended, tally.done) == (EndReason.DONE, 20)
    assert more.spent == pytest.approx(20 * 361 / 1e6)


def padded(number: int, most_tokens: int) -> Pair:
    """A pair whose prompt takes at most so many tokens: that many bytes, less those for the frame."""
    bare = CHAT.forms["pair"].render(f"Q{number}?", ["", "A longer one."], None)
    text = "x" * (most_tokens - FRAME_TOKENS - len(bare.encode()))
    answers = (Written(model="a", text=text), Written(model="b", text="A longer one."))
    question = Question(id=number, body=f"Q{number}?", reference=None, answers=answers)
    return Pair(question=question, answers=answers)


def test_the_end_of_a_budget_is_told_as_such_whatever_the_sums(tmp_path: Path) -> None:
    """0.1, 0.2 and 0.3 are set aside and given back one by one, which leaves a hair in binary; then there
    is too little for 0.9."""

    def in_turn(body: dict[str, Any]) -> tuple[int, dict[str, str], Any]:
        time.sleep(len(body["messages"][-1]["content"]) / 6000)
        return by_length(body)

    assert 0.1 + 0.2 + 0.3 - 0.1 - 0.2 - 0.3 > 0
    pairs = [padded(k, tokens) for k, tokens in enumerate((2000, 4000, 6000, 18_000))]
    budget = Budget(price_in=50.0, limit=0.65)
    ended, tally, _ = ask(in_turn, tmp_path, pairs=pairs, count=4, budget=budget, concurrency=3)
    assert (ended, tally.done) == (EndReason.BUDGET, 3)


def test_a_budget_holds_for_an_endpoint_that_counts_no_tokens(tmp_path: Path) -> None:
    def silent(body: dict[str, Any]) -> tuple[int, dict[str, str], Any]:
        status, headers, data = by_length(body)
        return status, headers, {"choices": data["choices"]}

    budget = Budget(price_in=1.0, limit=0.01)
    ended, tally, _ = ask(silent, tmp_path, count=20, budget=budget)
    assert ended is EndReason.BUDGET and 0 < budget.spent <= 0.01
    assert all(entry.estimated for entry in kept(tmp_path).answers.values())


def test_a_signal_stops_asking_and_keeps_what_is_under_way(tmp_path: Path) -> None:
    interrupt = Interrupt()
    seen: list[int] = []

    def slow(body: dict[str, Any]) -> tuple[int, dict[str, str], Any]:
        seen.append(1)
        if len(seen) == 6:
            interrupt(15)
        time.sleep(0.1)
        return by_length(body)

    ended, tally, server = ask(slow, tmp_path, count=40, interrupt=interrupt)
    assert ended is EndReason.INTERRUPTED
    assert tally.done == len(server.requests) == len(kept(tmp_path).answers) < 15
