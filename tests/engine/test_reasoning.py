"""Reasonings before the scores: what is read at the marker is what a separate forward over prompt, reasoning
and marker gives."""

import math
from collections.abc import Callable
from dataclasses import replace

import pytest

from judgestream.core.errors import PromptTooLong, RejectedByJudge
from judgestream.core.parsing import read, score_line_of
from judgestream.core.prompt import Prompt
from judgestream.core.templates.base import Grammar, Reasoning
from judgestream.core.types import Reply, Unread, Unreadable
from judgestream.engine.checkpoint import Checkpoint
from judgestream.engine.judge import Judge
from tests.engine import tiny

Loaded = Callable[[str], Checkpoint]

MARKER = "Scores:"
LEAD = replace(tiny.PAIR, lead=" ")
GRAMMAR = replace(LEAD, marker=MARKER)
SHORT = Reasoning(max_tokens=12)
SAMPLED = Reasoning(max_tokens=12, samples=3, temperature=1.0, seed=5)


def prompts(reasoning: Reasoning) -> list[Prompt]:
    return [Prompt(text=text, grammar=GRAMMAR, reasoning=reasoning) for text in tiny.PROMPTS]


def reply_to(judge: Judge, prompt: Prompt) -> Reply:
    (reply,) = judge.read([prompt])
    assert isinstance(reply, Reply)
    return reply


def by_full_forwards(checkpoint: Checkpoint, text: str, grammar: Grammar) -> list[float]:
    """P(score line) behind a text by transformers, one sequence of the whole text per line."""
    tokens = checkpoint.tokens
    lines = [tokens.continuation(text, line) for line in tiny.brute_lines(grammar)]
    behind = tiny.steps_behind(checkpoint.model, tokens.prompt(text), lines)
    probs = []
    for line in lines:
        logs = behind[tuple(line)]
        total = sum(float(logs[k, token]) for k, token in enumerate(line))
        if any(other != line and other[: len(line)] == line for other in lines):
            total += float(logs[len(line), sorted(tokens.ends)].logsumexp(0))
        probs.append(math.exp(total))
    return probs


@pytest.mark.parametrize(
    "reasoning", [SHORT, replace(SAMPLED, samples=1)], ids=["greedy", "sampled"]
)
def test_the_scores_at_the_marker_are_those_of_a_separate_full_forward(
    checkpoint: Checkpoint, reasoning: Reasoning
) -> None:
    judge = Judge(checkpoint)
    for prompt, found in zip(
        prompts(reasoning)[:2], judge.read(prompts(reasoning)[:2]), strict=True
    ):
        assert isinstance(found, Reply) and found.reasonings == 1
        written = found.text[: found.text.rindex(MARKER) + len(MARKER)]
        expected = by_full_forwards(checkpoint, prompt.text + written, LEAD)
        assert found.score_probs == pytest.approx(expected, abs=2e-6)


def test_several_reasonings_are_averaged(checkpoint_of: Loaded) -> None:
    judge = Judge(checkpoint_of("merged"))
    prompt = prompts(SAMPLED)[0]
    alone = [
        reply_to(judge, replace(prompt, reasoning=replace(SAMPLED, samples=1, seed=5 + k)))
        for k in range(3)
    ]
    assert len({reply.text for reply in alone}) == 3
    together = reply_to(judge, prompt)
    means = [sum(cells) / 3 for cells in zip(*(r.score_probs for r in alone), strict=True)]
    assert together.score_probs == pytest.approx(means, abs=1e-6)
    assert together.text == alone[0].text and together.reasonings == 3
    assert together.output_tokens == sum(reply.output_tokens for reply in alone)
    assert together.input_tokens == len(judge.checkpoint.tokens.prompt(prompt.text))


def test_a_reply_does_not_depend_on_its_neighbours(checkpoint_of: Loaded) -> None:
    judge = Judge(checkpoint_of("split"))
    mixed = [*prompts(SAMPLED), *prompts(SHORT), Prompt(text=tiny.PROMPTS[0], grammar=tiny.PAIR)]
    for prompt, found in zip(mixed, judge.read(mixed), strict=True):
        alone = reply_to(judge, prompt)
        assert isinstance(found, Reply) and found.text == alone.text
        assert found.score_probs == pytest.approx(alone.score_probs, abs=1e-5)
        assert found.reasonings == (prompt.reasoning.samples if prompt.reasoning else 0)
    assert judge.work.prompts == 2 * len(mixed)


def test_a_judge_that_never_writes_the_marker_gets_it_at_the_limit(checkpoint_of: Loaded) -> None:
    """Random weights do not write it: it begins its own line, and the reply says that it was cut."""
    reply = reply_to(Judge(checkpoint_of("merged")), prompts(SHORT)[1])
    assert reply.finish_reason == "length" and f"\n{MARKER}" in reply.text
    unread = read(replace(reply, score_probs=()), GRAMMAR)
    assert isinstance(unread, Unreadable) and unread.reason is Unread.UNPARSABLE


def test_a_judge_that_writes_the_marker_stops_there(taught: Checkpoint) -> None:
    """Taught replies are `8 7`, a line break, and a word: the word serves as the marker."""
    grammar = replace(tiny.PAIR, marker="no one", lead=" ")
    prompt = Prompt(text=tiny.PROMPTS[1], grammar=grammar, reasoning=Reasoning(max_tokens=40))
    reply = reply_to(Judge(taught), prompt)
    assert reply.text.startswith("8 7\nno one") and reply.finish_reason == "stop"
    assert score_line_of(reply.text, grammar) is not None


def test_a_marker_inside_a_line_reads_labels_up_to_the_closing_text(checkpoint_of: Loaded) -> None:
    """The closing text distinguishes `[[10]]` from `[[1]]`, as no line break follows the score."""
    grammar = Grammar(labels=tiny.PAIR.labels, count=1, marker="[[", closing="]]")
    checkpoint = checkpoint_of("split")
    prompt = Prompt(text=tiny.PROMPTS[0], grammar=grammar, reasoning=SHORT)
    reply = reply_to(Judge(checkpoint), prompt)
    text = prompt.text + reply.text[: reply.text.rindex("[[") + 2]
    closed = Grammar(labels=tuple(f"{label}]]" for label in grammar.labels), count=1)
    assert reply.score_probs == pytest.approx(by_full_forwards(checkpoint, text, closed), abs=2e-6)


def test_a_reasoning_needs_its_room(checkpoint_of: Loaded) -> None:
    judge = Judge(checkpoint_of("split"))
    (found,) = judge.read([prompts(Reasoning(max_tokens=2000))[0]])
    assert isinstance(found, PromptTooLong) and "its reasoning may have 2000" in str(found)
    bad = Prompt(text="a", grammar=replace(GRAMMAR, labels=("1", "1")), reasoning=SHORT)
    (refused,) = judge.read([bad])
    assert isinstance(refused, RejectedByJudge)


def test_a_prompt_that_nobody_waits_for_is_not_answered(checkpoint_of: Loaded) -> None:
    judge = Judge(checkpoint_of("split"))
    found = dict(judge.stream(prompts(SHORT), lambda index: index != 1))
    assert sorted(found) == [0, 2, 3, 4]
