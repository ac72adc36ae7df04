"""Requests whose later prompts show earlier replies, with in-memory ports."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from judgestream.apps.judging import calls, kept_texts
from judgestream.apps.judging.kept_texts import KeptTexts
from judgestream.apps.worker import metrics
from judgestream.apps.worker.offset_tracker import Abandoned, OffsetTracker
from judgestream.core.errors import JudgeOverloaded, JudgestreamError, PromptTooLong
from judgestream.core.passes import Pass
from judgestream.core.templates.base import TEXT
from judgestream.core.transforms import Transform
from judgestream.core.types import Release, Reply
from judgestream.v1.judging_pb2 import Candidate, JudgeOptions, JudgeRequest, Verdict
from tests.apps.judging.test_request import Bench

RELEASE = Release(
    name="chat-0", checkpoint_digest="00", template_id="chat-v1", max_input_tokens=2048
)


@dataclass
class Analyst:
    """Writes numbered notes. It answers yes for a document by the share that its text states."""

    failures: dict[int, JudgestreamError] = field(default_factory=dict)  # by number of the call
    asked: list[list[Pass]] = field(default_factory=list)
    release: Release = RELEASE

    async def ask(self, passes: Sequence[Pass]) -> list[Reply]:
        self.asked.append(list(passes))
        await asyncio.sleep(0)
        if failure := self.failures.pop(len(self.asked), None):
            raise failure
        return [self._reply(one) for one in passes]

    def _reply(self, one: Pass) -> Reply:
        if one.is_text:
            return Reply(text=f"notes on {one.transform.name}", input_tokens=10, output_tokens=4)
        document = one.prompt.partition("===== document =====\n")[2].splitlines()[0]
        share = float(document.split()[0])
        return Reply(text="yes", score_probs=(share, 1 - share), input_tokens=10, output_tokens=1)

    @property
    def names(self) -> list[list[str]]:
        return [[one.transform.name for one in call] for call in self.asked]


class Ranking(Bench):
    def __init__(
        self, failures: dict[int, JudgestreamError] | None = None, **settings: float
    ) -> None:
        super().__init__(**settings)
        self.judge = Analyst(failures or {})  # type: ignore[assignment]
        self.restart()

    @property
    def analyst(self) -> Analyst:
        assert isinstance(self.judge, Analyst)
        return self.judge


def ranking(
    request_id: str = "r1", documents: int = 2, *, explain: bool = True, query: str = "Why?"
) -> bytes:
    return JudgeRequest(
        request_id=request_id,
        mode="rerank",
        question=query,
        candidates=[Candidate(text=f"0.{k + 1:03} document") for k in range(documents)],
        options=JudgeOptions(explain=explain),
    ).SerializeToString()


def reused() -> float:
    return float(metrics.query_analyses.labels("reused")._value.get())


def test_stages_are_asked_in_turn_and_end_in_one_verdict() -> None:
    bench = Ranking()
    bench.handle(ranking())
    assert bench.analyst.names == [
        ["none/analysis"],
        ["order-0/analysis", "order-1/analysis"],
        ["order-0", "order-1"],
    ]
    last = bench.analyst.asked[-1][1].prompt
    assert "notes on none/analysis" in last and "notes on order-1/analysis" in last
    (verdict,) = bench.topics.verdicts()
    assert verdict.status == Verdict.STATUS_SCORED
    assert [(s.score, s.rank) for s in verdict.scores] == [(0.001, 2), (0.002, 1)]
    assert (verdict.winner, verdict.explanation) == ("2", "notes on none/analysis")
    assert (verdict.input_tokens, verdict.output_tokens) == (50, 14)
    assert [one.name for one in verdict.passes] == sum(bench.analyst.names, [])


def test_a_large_stage_is_asked_in_several_calls() -> None:
    bench = Ranking()
    bench.handle(ranking(documents=100))
    sizes = [len(call) for call in bench.analyst.names]
    assert sizes == [1, *[calls.TEXTS_PER_CALL] * 12, 4, *[calls.SCORES_PER_CALL] * 6, 4]
    (verdict,) = bench.topics.verdicts()
    assert [score.rank for score in verdict.scores] == list(range(100, 0, -1))


def test_a_failed_call_alone_is_asked_again() -> None:
    bench = Ranking({3: JudgeOverloaded("full"), 5: JudgeOverloaded("full")})
    bench.handle(ranking(documents=9))
    texts = [f"order-{k}/analysis" for k in range(9)]
    judged = [f"order-{k}" for k in range(9)]
    assert bench.analyst.names == [
        ["none/analysis"], texts[:8], texts[8:], texts[8:], judged, judged,
    ]  # fmt: skip
    (verdict,) = bench.topics.verdicts()
    assert verdict.status == Verdict.STATUS_SCORED and verdict.attempts == 3


def test_a_request_of_many_calls_shows_progress_and_ends_where_it_is_revoked() -> None:
    bench = Ranking()
    bench.handle(ranking(documents=100))
    assert bench.pauses == [calls.PAUSE_S] * (len(bench.analyst.asked) - 1)
    half_way = Ranking()

    async def handle(event: Any, tracker: OffsetTracker) -> None:
        async def pause(seconds: float) -> None:
            if len(half_way.analyst.asked) == 3:
                tracker.on_revoke()
            await tracker.pause(seconds)

        await half_way.requests.handle(half_way.record(ranking(documents=100)), pause)

    async def revoked_after_three_calls() -> None:
        tracker = OffsetTracker(
            inflight=1,
            outstanding=1,
            handle=handle,
            crash=handle_crash,
            forget=lambda message: None,
        )
        await handle(None, tracker)

    with pytest.raises(Abandoned):
        asyncio.run(revoked_after_three_calls())
    assert len(half_way.analyst.asked) == 3 and not half_way.topics.records


async def handle_crash(error: BaseException) -> None:
    raise error


def test_an_error_of_a_later_stage_ends_as_the_record_s_dead_letter() -> None:
    bench = Ranking({3: PromptTooLong("3000 tokens")})
    bench.handle(ranking())
    (letter,), (verdict,) = bench.topics.letters(), bench.topics.verdicts()
    assert letter.error_class == verdict.error_class == "prompt_too_long"


def test_answers_are_cut_for_all_stages_and_the_query_s_analysis_is_reused() -> None:
    bench = Ranking({3: PromptTooLong("3000 tokens")}, too_long="cut")  # type: ignore[arg-type]
    value = JudgeRequest.FromString(ranking())
    value.candidates[0].text += "x" * 2000
    bench.handle(value.SerializeToString())
    assert [len(call) for call in bench.analyst.names] == [1, 2, 2, 2, 2]
    (verdict,) = bench.topics.verdicts()
    # 30 % below the longest document, whatever the number of documents: one prompt shows one
    assert verdict.answers_cut_to == int((len("0.001 document") + 2000) * 0.7)


def test_a_query_is_analysed_once_for_many_requests_and_the_verdict_is_the_same() -> None:
    bench, before = Ranking(), reused()
    bench.handle(ranking("r1"))
    bench.handle(ranking("r2"))
    bench.handle(ranking("r3", query="How?"))
    assert [call[0] for call in bench.analyst.names].count("none/analysis") == 2
    assert reused() == before + 1
    first, second, _ = bench.topics.verdicts()
    assert list(first.scores) == list(second.scores)
    assert first.explanation == second.explanation
    assert [one.text for one in first.passes] == [one.text for one in second.passes]
    assert second.input_tokens == first.input_tokens - 10, "a reused analysis costs no tokens"


def handle_at_once(bench: Ranking, *values: bytes) -> None:
    async def all_of_them() -> None:
        records = [bench.record(value, offset=k) for k, value in enumerate(values)]
        await asyncio.gather(*(bench.requests.handle(record, bench.pause) for record in records))

    asyncio.run(all_of_them())


def test_requests_of_one_query_at_once_wait_for_its_analysis() -> None:
    bench = Ranking()
    handle_at_once(bench, *(ranking(f"r{k}") for k in range(5)), ranking("other", query="How?"))
    asked = [call[0] for call in bench.analyst.names]
    assert asked.count("none/analysis") == 2 and len(bench.topics.verdicts()) == 6


def test_a_failed_analysis_keeps_no_other_request_waiting() -> None:
    bench = Ranking({1: PromptTooLong("3000 tokens")})
    handle_at_once(bench, *(ranking(f"r{k}") for k in range(3)))
    found = {verdict.request_id: verdict.status for verdict in bench.topics.verdicts()}
    assert sorted(found) == ["r0", "r1", "r2"]
    assert [found[name] for name in ("r1", "r2")] == [Verdict.STATUS_SCORED] * 2
    assert found["r0"] == Verdict.STATUS_FAILED


def test_a_new_worker_asks_again_and_gives_the_same_verdict() -> None:
    bench = Ranking()
    bench.handle(ranking())
    bench.published.ids.clear()
    bench.restart()
    bench.handle(ranking())
    first, second = bench.topics.verdicts()
    assert first.verdict_id == second.verdict_id and list(first.scores) == list(second.scores)


def test_without_explain_there_is_one_call() -> None:
    bench = Ranking()
    bench.handle(ranking(explain=False))
    assert bench.analyst.names == [["order-0", "order-1"]]


def text_pass(prompt: str, *, max_tokens: int = 9, reusable: bool = True) -> Pass:
    transform = Transform(order=(), partial=True)
    return Pass(
        transform=transform, prompt=prompt, grammar=TEXT, max_tokens=max_tokens, reusable=reusable
    )


def test_texts_are_kept_by_prompt_and_length_and_the_oldest_are_dropped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(kept_texts, "MAX_KEPT", 2)
    texts = KeptTexts(RELEASE)
    for prompt in ("a", "b"):
        texts.keep(text_pass(prompt), Reply(text=prompt.upper(), input_tokens=5))
    assert texts.get(text_pass("a")) == Reply(text="A")
    assert texts.get(text_pass("a", max_tokens=10)) is None
    texts.keep(text_pass("c"), Reply(text="C"))
    assert texts.get(text_pass("b")) is None, "the one that was not used for longest"
    assert texts.get(text_pass("a")) is not None and texts.get(text_pass("c")) is not None
    texts.keep(text_pass("d", reusable=False), Reply(text="D"))
    assert texts.get(text_pass("d")) is None
