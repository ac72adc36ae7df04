"""A chat model that reasons before its scores, asked over HTTP."""

from typing import Any

import pytest

from judgestream.backends.chat.replies import visible_text
from judgestream.core.parsing import explanation_of, read
from judgestream.core.prompt import Prompt
from judgestream.core.templates.base import Reasoning
from judgestream.core.templates.reason import CHAT_REASON, MARKER
from judgestream.core.types import Reading, Reply, Unread, Unreadable
from tests.backends.chat.endpoint import completion
from tests.backends.chat.test_completions import ask

FORM = CHAT_REASON.forms["pair"]
SAMPLED = Reasoning(max_tokens=300, samples=3, temperature=0.7, seed=11)

Sent = tuple[int, dict[str, str], Any]


def prompt(reasoning: Reasoning | None = None) -> Prompt:
    text = FORM.render("What is 2 + 2?", ("4", "5"), None)
    return Prompt(text=text, grammar=FORM.grammar, reasoning=reasoning or FORM.reasoning)


def plainly(text: str, finish: str = "stop") -> Any:
    return lambda body: (200, {}, completion(text, finish=finish))


def asked(text: str, finish: str = "stop") -> Reading | Unreadable:
    (reply,), _, _ = ask(plainly(text, finish), [prompt()], top_logprobs=0)
    assert isinstance(reply, Reply)
    return read(reply, FORM.grammar)


# the model's text -> its scores
TEXTS: list[tuple[str, tuple[float, float]]] = [
    ("2 + 2 is 4.\nFinal scores: 9 2", (9, 2)),
    ("<think>Final scores: 1 1</think>2 + 2 is 4.\n\n**Final scores:** 9 2", (9, 2)),
    ("Final scores: 1 1? No.</think>\nSo.\nFinal scores: 9 2", (9, 2)),
    ("Final scores: 2 9\nWait.\nFinal scores: 9 2", (9, 2)),
    ("```\nSo.\nFinal scores: 9 2\n```", (9, 2)),
]


@pytest.mark.parametrize(("text", "scores"), TEXTS)
def test_the_scores_behind_the_last_marker_are_read(text: str, scores: tuple[float, float]) -> None:
    reading = asked(text)
    assert isinstance(reading, Reading) and reading.means == scores


@pytest.mark.parametrize(
    ("text", "finish", "reason"),
    [
        ("<think>Final scores: 1 1", "length", Unread.TRUNCATED),
        ("So.\n<think>Final scores: 1 1", "stop", Unread.UNPARSABLE),
        ("2 + 2 is 4, so the first one is", "length", Unread.TRUNCATED),
        ("The first one is better.", "stop", Unread.UNPARSABLE),
        ("9 2", "stop", Unread.UNPARSABLE),
    ],
)
def test_a_reply_without_scores_is_unreadable_and_says_why(
    text: str, finish: str, reason: Unread
) -> None:
    reading = asked(text, finish)
    assert isinstance(reading, Unreadable) and reading.reason is reason


def test_thoughts_are_never_part_of_the_reasoning() -> None:
    text = visible_text("<think>secret</think>It is 4.\nFinal scores: 9 2")
    assert explanation_of(text, FORM.grammar) == "It is 4."


def test_the_alternatives_at_the_marker_are_read() -> None:
    def certain(token: str) -> tuple[str, dict[str, float]]:
        return token, {token: 1.0}

    def answer(body: dict[str, Any]) -> Sent:
        tokens = [*map(certain, ("The ", "8", " is odd.\n", "Final", " scores", ":", " "))]
        line = [("9", {"9": 0.8, "8": 0.2}), certain(" "), ("2", {"2": 0.7, "3": 0.3})]
        return 200, {}, completion([*tokens, *line])

    (reply,), usage, endpoint = ask(answer, [prompt()])
    assert isinstance(reply, Reply) and reply.reasonings == 1
    reading = read(reply, FORM.grammar)
    assert isinstance(reading, Reading) and reading.means == pytest.approx((8.8, 2.3))
    (body,) = endpoint.requests
    assert body["temperature"] == 0 and "seed" not in body
    assert body["max_tokens"] == 16 + 600
    assert MARKER in body["messages"][1]["content"] and usage.prompts == 1


def test_several_reasonings_are_sampled_with_seeds_and_averaged() -> None:
    def answer(body: dict[str, Any]) -> Sent:
        first = {11: 9, 12: 5, 13: 1}[body["seed"]]
        return 200, {}, completion(f"Number {body['seed']}.\nFinal scores: {first} 5")

    (reply,), usage, endpoint = ask(answer, [prompt(SAMPLED)], top_logprobs=0)
    assert isinstance(reply, Reply) and reply.reasonings == 3
    assert reply.text.startswith("Number 11.")
    reading = read(reply, FORM.grammar)
    assert isinstance(reading, Reading)
    assert (reading.win, reading.tie, reading.lose) == pytest.approx((1 / 3, 1 / 3, 1 / 3))
    assert reading.means == pytest.approx((5, 5))
    assert reply.output_tokens == 12 and usage.prompts == 3
    assert {body["temperature"] for body in endpoint.requests} == {0.7}


def test_an_endpoint_without_seeds_is_asked_without_them() -> None:
    def answer(body: dict[str, Any]) -> Sent:
        if "seed" in body:
            error = {"message": "Unsupported parameter: seed", "param": "seed"}
            return 400, {}, {"error": error}
        return 200, {}, completion("So.\nFinal scores: 9 2")

    (reply,), _, _ = ask(answer, [prompt(SAMPLED)], top_logprobs=0)
    assert isinstance(reply, Reply) and reply.reasonings == 3
    assert isinstance(read(reply, FORM.grammar), Reading)
