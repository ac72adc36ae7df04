"""Replies that reason before their scores: which line counts, and what is averaged."""

import json
from pathlib import Path
from typing import Any

import pytest

from judgestream.core.parsing import explanation_of, read, score_line_of, up_to_marker
from judgestream.core.prompt import Prompt
from judgestream.core.reasonings import averaged, averaged_readable
from judgestream.core.templates.base import Form, Grammar, Layout, Reasoning
from judgestream.core.templates.reason import CHAT_REASON, MARKER
from judgestream.core.types import Reading, Reply, Unread, Unreadable
from tests.paths import SHARED

PAIR = CHAT_REASON.forms["pair"].grammar
VERDICT = Grammar(labels=("A", "B", "C"), count=1, outcomes=(1, -1, 0), marker="[[", closing="]]")
RATING = Grammar(labels=tuple(str(n) for n in range(1, 11)), count=1, marker="[[", closing="]]")

# reply -> its two scores
READ: list[tuple[str, tuple[float, float]]] = [
    ("The first is right.\nFinal scores: 9 2", (9, 2)),
    ("Final scores: 9 2", (9, 2)),
    ("**Final scores:** 9 2", (9, 2)),
    ("**Final scores**: 9, 2", (9, 2)),
    ("final   SCORES:\n\n8 7\n", (8, 7)),
    ("At first I thought Final scores: 1 1 but no.\nFinal scores: 3 10", (3, 10)),
    ("5 5\nFinal scores: Assistant 1: 8, Assistant 2: 7", (8, 7)),
]


@pytest.mark.parametrize(("text", "scores"), READ)
def test_the_line_behind_the_last_marker_counts(text: str, scores: tuple[float, float]) -> None:
    reading = read(Reply(text=text), PAIR)
    assert isinstance(reading, Reading) and reading.greedy == scores


# reply, finish reason -> why it has no reading
UNREAD: list[tuple[str, str, Unread]] = [
    ("9 2", "stop", Unread.UNPARSABLE),
    ("I would say 9 2, but", "length", Unread.TRUNCATED),
    ("Final scores:", "length", Unread.TRUNCATED),
    ("Final scores: both are fine", "stop", Unread.UNPARSABLE),
    ("Final scores: 9 2\nFinal scores: none", "stop", Unread.UNPARSABLE),
    ("", "stop", Unread.UNPARSABLE),
]


@pytest.mark.parametrize(("text", "finish", "reason"), UNREAD)
def test_a_reply_without_scores_behind_its_marker_is_unreadable(
    text: str, finish: str, reason: Unread
) -> None:
    for probs in ((), (0.0,) * 100):
        reading = read(Reply(text=text, finish_reason=finish, score_probs=probs), PAIR)
        assert isinstance(reading, Unreadable)
        if not probs:
            assert reading.reason is reason


def test_a_distribution_without_a_marker_is_unparsable_and_not_outside_the_grammar() -> None:
    for finish, reason in (("stop", Unread.UNPARSABLE), ("length", Unread.TRUNCATED)):
        reply = Reply(text="Both are fine.", finish_reason=finish, score_probs=(0.0,) * 100)
        reading = read(reply, PAIR)
        assert isinstance(reading, Unreadable) and reading.reason is reason


def test_the_explanation_is_the_reasoning() -> None:
    text = "It is 4.\nSo the first is right.\n**Final scores:** 9 2\nbye"
    assert explanation_of(text, PAIR) == "It is 4.\nSo the first is right."
    assert (
        explanation_of("9 2\nbecause\nof this", Grammar(labels=("1",), count=2))
        == "because\nof this"
    )


def test_a_closing_text_ends_the_scores_on_their_line() -> None:
    assert score_line_of("verdict: [[C]] for a tie, [sic]", VERDICT) == "C"
    reading = read(Reply(text="My verdict: [[B]], as said."), VERDICT)
    assert isinstance(reading, Reading) and (reading.win, reading.tie, reading.lose) == (0, 0, 1)


def test_a_reasoning_ends_at_its_first_marker_or_gets_a_line_break() -> None:
    assert up_to_marker("so [[A]] or [[B]]", "[[") == "so "
    assert up_to_marker("no end\ufffd", "[[") == "no end\n"


def reply(text: str, *probs: float, finish: str = "stop") -> Reply:
    return Reply(
        text=text,
        score_probs=probs,
        finish_reason=finish,
        input_tokens=10,
        output_tokens=5,
        cost=0.5,
    )


A, B = reply("x [[A]]", 0.8, 0.1, 0.1), reply("y [[B]]", 0.2, 0.6, 0.2)
NOTHING = reply("z", 0.0, 0.0, 0.0, finish="length")


def test_distributions_are_averaged_and_tokens_added_up() -> None:
    mean = averaged([A, B])
    assert mean.score_probs == pytest.approx((0.5, 0.35, 0.15))
    assert (mean.text, mean.reasonings, mean.finish_reason) == ("x [[A]]", 2, "stop")
    assert (mean.input_tokens, mean.output_tokens, mean.cost) == (20, 10, 1.0)


def test_reasonings_without_scores_are_left_out_while_at_least_half_have_some() -> None:
    mean = averaged_readable([NOTHING, A], VERDICT)
    assert (mean.score_probs, mean.text, mean.reasonings) == (A.score_probs, A.text, 1)
    assert (mean.output_tokens, mean.cost, mean.finish_reason) == (10, 1.0, "stop")
    lost = averaged_readable([NOTHING, A, NOTHING], VERDICT)
    assert (lost.score_probs, lost.finish_reason) == (NOTHING.score_probs, "length")
    assert isinstance(read(lost, VERDICT), Unreadable)


def test_a_form_reasons_first_exactly_if_its_scores_have_a_marker() -> None:
    def layout(question: str, answers: object, reference: object) -> Layout:
        return Layout(text=question, slots=())

    with pytest.raises(ValueError, match="needs a marker"):
        Form(layout=layout, grammar=Grammar(labels=("1",), count=1), reasoning=Reasoning())
    with pytest.raises(ValueError, match="needs a marker"):
        Form(layout=layout, grammar=PAIR)


def test_many_samples_need_a_temperature() -> None:
    with pytest.raises(ValueError, match="samples is 2 at temperature 0"):
        Reasoning(samples=2)
    with pytest.raises(ValueError, match="max_tokens is 0"):
        Reasoning(max_tokens=0)


def test_scores_are_read_behind_reasoning_and_marker() -> None:
    prompt = Prompt(text="Q: ", grammar=PAIR, reasoning=Reasoning())
    behind = prompt.behind("It is 4.\n")
    assert behind.text == f"Q: It is 4.\n{MARKER}"
    assert behind.grammar.marker == "" and behind.reasoning is None


JUDGMENTS = SHARED / "data" / "mt_bench" / "model_judgment"


def recorded(name: str) -> list[dict[str, Any]]:
    file = Path(JUDGMENTS) / name
    if not file.exists():
        pytest.skip("needs MT-Bench's recorded judgements in ../shared/data/mt_bench")
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def test_mt_benchs_recorded_pair_judgements_are_read_as_recorded() -> None:
    winners = {(1, 0, 0): "model_1", (0, 0, 1): "model_2", (0, 1, 0): "tie"}
    rows = recorded("gpt-4_pair.phi-3_vs_phi-3-dpo.jsonl")
    read_as, recorded_as = [], []
    for row in rows:
        for game, swapped in (("g1", False), ("g2", True)):
            reading = read(Reply(text=row[f"{game}_judgment"]), VERDICT)
            winner = "error"
            if isinstance(reading, Reading):
                winner = winners[
                    (int(reading.win or 0), int(reading.tie or 0), int(reading.lose or 0))
                ]
            if swapped:
                winner = {"model_1": "model_2", "model_2": "model_1"}.get(winner, winner)
            read_as.append(winner)
            recorded_as.append(row[f"{game}_winner"])
    assert len(rows) == 75 and read_as == recorded_as


@pytest.mark.parametrize(
    "name", ["gpt-4_single.phi-3-dpo.jsonl", "gpt-4_single.vicuna-7b-v1.3_and_medusa.jsonl"]
)
def test_mt_benchs_recorded_ratings_are_read_as_recorded(name: str) -> None:
    for row in recorded(name):
        reading = read(Reply(text=row["judgment"]), RATING)
        assert isinstance(reading, Reading) and reading.means == (row["score"],)
