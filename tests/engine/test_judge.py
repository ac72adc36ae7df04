"""The judge's interface: replies in order, and errors in their prompts' places."""

from collections.abc import Callable

import pytest

from judgestream.core.errors import PromptTooLong, RejectedByJudge
from judgestream.core.parsing import read
from judgestream.core.prompt import Prompt
from judgestream.core.templates.base import Grammar
from judgestream.core.types import Reading, Reply
from judgestream.engine.checkpoint import Checkpoint
from judgestream.engine.judge import Judge
from tests.engine import tiny

Loaded = Callable[[str], Checkpoint]


def replies(judge: Judge, prompts: list[Prompt]) -> list[Reply]:
    found = judge.read(prompts)
    assert all(isinstance(reply, Reply) for reply in found)
    return [reply for reply in found if isinstance(reply, Reply)]


def test_no_prompts_no_replies(checkpoint_of: Loaded) -> None:
    assert Judge(checkpoint_of("split")).read([]) == []


def test_a_taught_judge_is_read_as_taught(taught: Checkpoint) -> None:
    found = replies(Judge(taught), [Prompt(text=p, grammar=tiny.PAIR) for p in tiny.PROMPTS])
    for reply, taught_reply in zip(found, tiny.REPLIES, strict=True):
        line = taught_reply.split("\n")[0]
        assert reply.text == line and reply.finish_reason == "stop"
        reading = read(reply, tiny.PAIR)
        assert isinstance(reading, Reading)
        assert reading.greedy == tuple(float(part) for part in line.split())
        assert reading.means == pytest.approx(reading.greedy, abs=0.5)


def test_tokens_are_counted(taught: Checkpoint) -> None:
    (reply,) = replies(Judge(taught), [Prompt(text=tiny.PROMPTS[1], grammar=tiny.PAIR)])
    assert reply.input_tokens == len(taught.tokens.prompt(tiny.PROMPTS[1]))
    line = taught.tokens.continuation(tiny.PROMPTS[1], "8 7\n")  # the newline that ended it counts
    assert reply.output_tokens == len(line)


def test_errors_stand_in_their_places(checkpoint_of: Loaded) -> None:
    good = Prompt(text=tiny.PROMPTS[0], grammar=tiny.PAIR)
    long = Prompt(text=tiny.pair_prompt("q", "word " * 3000, "b"), grammar=tiny.PAIR)
    bad = Prompt(text=tiny.PROMPTS[0], grammar=Grammar(labels=("1", "1"), count=2))
    judge = Judge(checkpoint_of("split"))
    (alone,) = replies(judge, [good])
    found = judge.read([long, good, bad, good])
    assert isinstance(found[0], PromptTooLong) and isinstance(found[2], RejectedByJudge)
    assert "2032" in str(found[0]) and "context" in str(found[0])
    for reply in (found[1], found[3]):
        assert isinstance(reply, Reply)
        assert reply.text == alone.text
        assert reply.score_probs == pytest.approx(alone.score_probs, abs=1e-5)


def test_the_longest_allowed_prompt_is_judged(checkpoint_of: Loaded) -> None:
    checkpoint = checkpoint_of("split")
    text = tiny.PROMPTS[0]
    while len(checkpoint.tokens.prompt("x " + text)) <= checkpoint.max_input_tokens:
        text = (
            "x " * max(1, (checkpoint.max_input_tokens - len(checkpoint.tokens.prompt(text))) // 2)
            + text
        )
    judge = Judge(checkpoint)
    assert isinstance(judge.read([Prompt(text=text, grammar=tiny.PAIR)])[0], Reply)
    longer = judge.read([Prompt(text="x x " + text, grammar=tiny.PAIR)])[0]
    assert isinstance(longer, PromptTooLong)


@pytest.mark.parametrize("budget", [1, 600, 100_000])
def test_batching_does_not_change_replies(checkpoint: Checkpoint, budget: int) -> None:
    prompts = [
        Prompt(text=text, grammar=tiny.PAIR, max_tokens=(0, 6)[at % 2])
        for at, text in enumerate(tiny.PROMPTS * 2)
    ]
    prompts.insert(3, Prompt(text=tiny.single_prompt("q", "a", "r"), grammar=tiny.SINGLE))
    together = replies(Judge(checkpoint, row_tokens=budget), prompts)
    judge = Judge(checkpoint)
    for prompt, reply in zip(prompts, together, strict=True):
        (alone,) = replies(judge, [prompt])
        assert (reply.text, reply.finish_reason) == (alone.text, alone.finish_reason)
        assert reply.score_probs == pytest.approx(alone.score_probs, abs=1e-5)
        assert len(reply.score_probs) == 10**prompt.grammar.count


def test_three_scores_have_a_distribution_each(checkpoint_of: Loaded) -> None:
    grammar = Grammar(labels=tiny.PAIR.labels, count=3)
    judge = Judge(checkpoint_of("merged"))
    (reply,) = replies(judge, [Prompt(text=tiny.PROMPTS[0], grammar=grammar)])
    assert len(reply.score_probs) == 30
    assert all(sum(reply.score_probs[at : at + 10]) <= 1 + 1e-6 for at in (0, 10, 20))


def test_an_empty_prompt_is_judged(checkpoint_of: Loaded) -> None:
    (reply,) = replies(Judge(checkpoint_of("merged")), [Prompt(text="", grammar=tiny.PAIR)])
    assert reply.input_tokens == 1


def test_an_empty_prompt_without_bos_is_refused_alone(checkpoint_of: Loaded) -> None:
    prompts = [Prompt(text="", grammar=tiny.PAIR), Prompt(text="Hi", grammar=tiny.PAIR)]
    refused, judged = Judge(checkpoint_of("split")).read(prompts)
    assert isinstance(refused, RejectedByJudge) and isinstance(judged, Reply)


def test_a_huge_token_limit_costs_no_more_than_the_context(taught: Checkpoint) -> None:
    prompt = Prompt(text=tiny.PROMPTS[0], grammar=tiny.PAIR, max_tokens=10**12)
    (reply,) = replies(Judge(taught), [prompt])
    assert (reply.text, reply.finish_reason) == (tiny.REPLIES[0], "stop")
