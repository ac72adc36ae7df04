"""Any response of an endpoint is parsed as a person would read it, or is unreadable."""

import json
from math import log
from typing import Any

import pytest

from judgestream.backends.chat.message import NotChat, count, parsed
from judgestream.backends.chat.openai import message_of
from judgestream.backends.chat.replies import reply_of, steps_of, visible_text
from judgestream.core import limits
from judgestream.core.parsing import read
from judgestream.core.prompt import Prompt
from judgestream.core.templates import CHAT, CHAT_CHOICE
from judgestream.core.templates.base import Form, Grammar
from judgestream.core.types import Reading, Reply, Unread, Unreadable
from tests.paths import SHARED

PAIR = CHAT.forms["pair"].grammar
PROMPT = Prompt(text="which?", grammar=PAIR)


def body(content: Any, **choice: Any) -> dict[str, Any]:
    message = {"role": "assistant", "content": content, **choice.pop("message", {})}
    return {"choices": [{"index": 0, "message": message, "finish_reason": "stop", **choice}]}


def entry(token: str, *others: tuple[str, float], p: float = 0.9) -> dict[str, Any]:
    top = [{"token": t, "logprob": log(q)} for t, q in ((token, p), *others)]
    return {"token": token, "logprob": log(p), "top_logprobs": top}


def scores(found: Reply) -> tuple[float, ...] | None:
    reading = read(found, PAIR)
    return reading.greedy if isinstance(reading, Reading) else None


def reply(found: dict[str, Any], max_tokens: int = 0) -> Reply:
    prompt = Prompt(text="which?", grammar=PAIR, max_tokens=max_tokens)
    return reply_of(message_of(found), prompt, asked=20, latency_s=0.1)


READ: list[Any] = [
    "8 7",
    "\n8 7",
    "\n\n  8 7  \n\nBecause.",
    "8, 7",
    "8 7.",
    "**8 7**",
    "**8** **7**",
    "```\n8 7\n```",
    "```text\n8 7\n```\nBecause.",
    "<think>\nThe first one is right: 3 4.\n</think>\n8 7",
    "<think>\n\n</think>\n\n8 7",
    "The template opened this thought.\n</think>\n\n8 7",
    "<THINKING>hm</THINKING> 8 7",
    "[THINK]hm[/THINK]8 7",
    "<|channel|>analysis<|message|>hm<|end|><|start|>assistant<|channel|>final<|message|>8 7<|return|>",
    "\ufeff8 7",
    "Assistant 1: 8, Assistant 2: 7.",
    [{"type": "text", "text": "8 7"}],
    [
        {"type": "thinking", "thinking": [{"type": "text", "text": "1 1"}]},
        {"type": "text", "text": "8 7"},
    ],
    [{"type": "output_text", "text": {"value": "8 7"}}],
    ["8 ", "7"],
]


@pytest.mark.parametrize("content", READ, ids=lambda content: str(content)[:40])
def test_readable_replies_are_read(content: Any) -> None:
    assert scores(reply(body(content))) == (8, 7)


UNREAD: list[Any] = [
    None,
    "",
    "   \n ",
    "I'm sorry, I cannot grade these.",
    "N/A N/A",
    "<think>\nthe first is 8 7 and",
    "8",
    "8 7 6",
    "11 12",
    42,
    {"text": "8 7"},
    [None, 3, {"type": "image"}],
    "\ud800",
]


@pytest.mark.parametrize("content", UNREAD, ids=lambda content: ascii(content)[:40])
def test_other_replies_are_unreadable_and_raise_nothing(content: Any) -> None:
    found = reply(body(content))
    assert scores(found) is None
    found.text.encode()


@pytest.mark.parametrize(
    "message",
    [
        {"content": None, "reasoning_content": "long thoughts"},
        {"content": None, "tool_calls": [{"id": "1"}]},
        {"content": None, "refusal": "I will not."},
        {"refusal": 7},
    ],
    ids=str,
)
def test_messages_without_an_answer_are_unreadable(message: dict[str, Any]) -> None:
    cut = read(reply(body(None, message=message, finish_reason="length")), PAIR)
    assert isinstance(cut, Unreadable) and cut.reason is Unread.TRUNCATED
    assert scores(reply(body(None, message=message))) is None


LOGPROBS: list[tuple[str, Any]] = [
    ("no alternatives", [{"token": t, "logprob": -0.2} for t in ("8", " ", "7")]),
    ("null numbers", [{"token": t, "logprob": None, "top_logprobs": []} for t in ("8", " ", "7")]),
    ("only themselves", [entry("8"), entry(" "), entry("7", p=0.8)]),
    ("strings for numbers", [{"token": t, "logprob": "-0.1"} for t in ("8", " ", "7")]),
    ("not a number", [{"token": t, "logprob": float("nan")} for t in ("8", " ", "7")]),
    ("beyond one", [{"token": t, "logprob": 700.0} for t in ("8", " ", "7")]),
    ("minus infinity", [{"token": t, "logprob": float("-inf")} for t in ("8", " ", "7")]),
    ("another tokenisation", [entry("\u2581eight"), entry("\u2581seven")]),
    ("sentencepiece", [entry("\u25818"), entry("\u25817")]),
    ("byte level", [entry("8"), entry("\u01207")]),
    ("missing tokens", [entry("8")]),
    ("of another text", [entry("1"), entry(" "), entry("1")]),
    ("too many shares", [entry("8", ("7", 0.9), ("6", 0.9)), entry(" "), entry("7")]),
    ("no list", {"8": 1}),
    ("list of nonsense", [1, None, "8", []]),
    ("tokens of other types", [{"token": 8, "logprob": -0.1}]),
    ("alternatives of other types", [{"token": "8", "logprob": -0.1, "top_logprobs": "x"}]),
    ("empty", []),
    ("none", None),
]


@pytest.mark.parametrize(
    "content", [one for _, one in LOGPROBS], ids=[name for name, _ in LOGPROBS]
)
def test_log_probabilities_of_any_shape_leave_the_text_readable(content: Any) -> None:
    for logprobs in ({"content": content}, {"content": None}, content, "x", 3):
        found = reply(body("8 7", logprobs=logprobs))
        assert scores(found) == (8, 7)
        assert sum(found.score_probs) == pytest.approx(1.0)


def test_alternatives_are_read_around_commas_and_behind_thoughts() -> None:
    eight, seven = entry("8", ("7", 0.1)), entry("7", ("8", 0.1))
    for content, tokens in (
        ("8, 7", [eight, entry(","), entry(" "), seven]),
        ("\n8 7", [entry("\n"), eight, entry(" "), seven]),
        (
            "<think>8 7</think>8 7",
            [*map(entry, ["<think>", "8", " ", "7", "</think>"]), eight, entry(" "), seven],
        ),
        ("**8** **7**", [entry("**"), eight, entry("**"), entry(" **"), seven, entry("**")]),
    ):
        found = reply(body(content, logprobs={"content": tokens}))
        reading = read(found, PAIR)
        assert isinstance(reading, Reading), content
        # P(8 then 7) = .81, (8, 8) = .09, (7, 7) = .09, (7, 8) = .01
        assert (reading.win, reading.tie) == pytest.approx((0.81, 0.18)), content


def test_what_lies_outside_the_grammar_stays_outside_where_all_alternatives_are_shown() -> None:
    shown = [("cat", 0.3), *((f"w{k}", 1e-9) for k in range(19))]
    steps = [entry("8", *shown, p=0.6), entry(" "), entry("7", *shown, p=0.6)]
    assert scores(reply(body("8 7", logprobs={"content": steps}))) is None


def test_choices_are_read_in_any_formatting() -> None:
    form = CHAT_CHOICE.forms["pair"].grammar
    for text in ("A", "[[A]]", "**A**", "<think>B?</think>\nA.", "```\nA\n```"):
        found = reply_of(
            message_of(body(text)), Prompt(text="?", grammar=form), asked=0, latency_s=0
        )
        reading = read(found, form)
        assert isinstance(reading, Reading) and reading.win == 1.0, text


@pytest.mark.parametrize(
    ("form", "text", "expected"),
    [
        (CHAT_CHOICE.forms["pair"], "[[B]]", (0.0, 1.0, 0.0)),
        (CHAT_CHOICE.forms["single"], "Yes.", (1.0, 0.0)),
        (CHAT_CHOICE.forms["relevance"], "no", (0.0, 1.0)),
        (CHAT_CHOICE.forms["relevance"], "7", (0.0, 0.0)),
        (CHAT_CHOICE.forms["query_analysis"], "7 things matter.", (0.0,)),
        (CHAT_CHOICE.forms["query_analysis"], "7", (0.0,)),
    ],
)
def test_words_are_read_by_their_labels_alone(
    form: Form, text: str, expected: tuple[float, ...]
) -> None:
    """Triton passes the labels on, without what they mean."""
    sent = Grammar(labels=form.grammar.labels, count=form.grammar.count)
    prompt = Prompt(text="?", grammar=sent, max_tokens=20)
    found = reply_of(message_of(body(text)), prompt, asked=0, latency_s=0)
    assert found.score_probs == expected and found.text == text
    if any(expected):
        assert isinstance(read(found, form.grammar), Reading)


def test_scores_only_keep_their_line_and_an_explanation_follows_where_it_was_asked_for() -> None:
    assert reply(body("8 7\n\nBoth are fine.")).text == "8 7"
    assert reply(body("8 7\nBoth are fine."), max_tokens=50).text == "8 7\nBoth are fine."


def test_a_reply_of_megabytes_is_cut_and_the_cut_is_marked() -> None:
    found = reply(body("8 7\n" + "because " * 200_000), max_tokens=50)
    assert len(found.text.encode()) <= limits.REPLY and "[cut:" in found.text
    assert scores(found) == (8, 7)


@pytest.mark.parametrize(
    ("spent", "tokens"),
    [
        (7, 7),
        ("7", 7),
        (7.9, 7),
        (-1, 0),
        (None, 0),
        ("x", 0),
        (float("nan"), 0),
        ([], 0),
        (1e300, 2**32 - 1),
    ],
    ids=str,
)
def test_usage_of_any_shape_is_a_number_of_tokens(spent: Any, tokens: int) -> None:
    assert count(spent) == tokens
    usage = {"prompt_tokens": spent, "completion_tokens": spent}
    assert reply({**body("8 7"), "usage": usage}).input_tokens == tokens
    assert scores(reply({**body("8 7"), "usage": spent})) == (8, 7)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"<html>log in</html>",
        b"null",
        b"[]",
        b'"8 7"',
        b"{",
        b'{"choices": [{"mess',
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"n": ' + b"9" * 5000 + b"}",
    ],
    ids=lambda raw: repr(raw[:20]),
)
def test_bodies_that_are_not_json_objects_are_named(raw: bytes) -> None:
    with pytest.raises(NotChat) as told:
        reply(dict(parsed(raw)))
    assert len(str(told.value)) < 300


@pytest.mark.parametrize(
    "found",
    [
        {},
        {"choices": None},
        {"choices": []},
        {"choices": [None]},
        {"choices": {}},
        {"choices": [{"text": "8 7"}]},
        {"choices": [{"message": "8 7"}]},
    ],
    ids=str,
)
def test_objects_without_a_message_are_named(found: dict[str, Any]) -> None:
    with pytest.raises(NotChat):
        reply(found)


def test_finish_reasons_are_ours_whatever_theirs_are() -> None:
    for theirs in ("stop", "content_filter", "eos", None, 3, {"a": 1}):
        assert reply(body("8 7", finish_reason=theirs)).finish_reason == "stop"
    assert reply(body("8 7", finish_reason="length")).finish_reason == "stop"
    assert reply(body("", finish_reason="length")).finish_reason == "length"
    assert reply(body("8 7\nBec", finish_reason="length"), max_tokens=1).finish_reason == "length"


def test_an_unclosed_thought_is_not_a_reply() -> None:
    assert visible_text("<think>8 7") == ""
    assert steps_of({"content": [entry("8")]}, 20)[0].alternatives == {"8": pytest.approx(1.0)}


CASES = SHARED / "review" / "cases" / "b_replies.jsonl"
READABLE = {
    "plain",
    "sentence_stop",
    "comma",
    "newline_first",
    "thinking",
    "content_as_parts",
    "logprobs_without_alternatives",
    "logprobs_null_number",
    "logprobs_with_comma",
}


@pytest.mark.skipif(not CASES.is_file(), reason="the review's cases are not beside this checkout")
def test_the_review_s_replies_are_read() -> None:
    for line in CASES.read_text().splitlines():
        case = json.loads(line)
        if "status" in case:
            continue
        choice = {k: case[k] for k in ("logprobs", "finish_reason") if k in case}
        found = reply(body(case["content"], **choice))
        assert (scores(found) == (8, 7)) == (case["name"] in READABLE), case["name"]
