"""Greedy writing equals Hugging Face's own generate, token by token."""

import torch

from judgestream.core.types import Reply
from judgestream.engine.checkpoint import Checkpoint
from judgestream.engine.grammar import ScoreTree
from judgestream.engine.judge import Judge
from judgestream.engine.packing import pack
from judgestream.engine.prompt import Prompt
from judgestream.engine.readout import prefill
from judgestream.engine.writing import MAX_LINE_TOKENS, Written, write
from tests.engine import tiny


def written(
    checkpoint: Checkpoint, prompts: list[str], budgets: list[int], row_tokens: int = 900
) -> list[Written]:
    tokens = checkpoint.tokens
    tree = ScoreTree.build(tiny.PAIR, tokens, prompts[0])
    rows = pack([tokens.prompt(p) for p in prompts], budget=row_tokens)
    groups = write(
        checkpoint.decoder,
        [prefill(checkpoint.decoder, row, tree, tokens.ends) for row in rows],
        [[budgets[at] for at in row.prompts] for row in rows],
        line_ends=tokens.ends,
        eos=tokens.eos,
        context_tokens=checkpoint.context_tokens,
    )
    found = {
        at: one
        for row, group in zip(rows, groups, strict=True)
        for at, one in zip(row.prompts, group, strict=True)
    }
    return [found[at] for at in range(len(prompts))]


def generated(checkpoint: Checkpoint, prompt: str, count: int) -> list[int]:
    ids = torch.tensor([checkpoint.tokens.prompt(prompt)])
    output = checkpoint.model.generate(
        ids,
        attention_mask=torch.ones_like(ids),
        do_sample=False,
        max_new_tokens=count,
        pad_token_id=0,
    )
    new: list[int] = output[0, ids.shape[1] :].tolist()
    return new


def until_line_ends(checkpoint: Checkpoint, ids: list[int]) -> list[int]:
    for at, token in enumerate(ids):
        if token in checkpoint.tokens.ends:
            return ids[: at + 1]
    return ids


def test_score_line_equals_generate(any_checkpoint: Checkpoint) -> None:
    judge = any_checkpoint
    prompts = list(tiny.PROMPTS)
    for prompt, got in zip(prompts, written(judge, prompts, [0] * len(prompts)), strict=True):
        expected = until_line_ends(judge, generated(judge, prompt, MAX_LINE_TOKENS))
        assert list(got.ids) == expected
        assert got.finished == (expected[-1] in judge.tokens.ends)


def test_explanation_equals_generate(any_checkpoint: Checkpoint) -> None:
    judge = any_checkpoint
    prompts, budgets = list(tiny.PROMPTS), [24, 0, 3, 24, 1]  # rows end at different steps
    for prompt, budget, got in zip(prompts, budgets, written(judge, prompts, budgets), strict=True):
        expected = generated(judge, prompt, MAX_LINE_TOKENS + 24)
        line = until_line_ends(judge, expected[:MAX_LINE_TOKENS])
        most = len(line) + budget if line[-1] in judge.tokens.ends else MAX_LINE_TOKENS + budget
        if line[-1] in judge.tokens.eos:
            most = len(line)
        assert list(got.ids) == expected[: len(got.ids)]
        assert len(got.ids) == min(most, len(expected)) or got.ids[-1] in judge.tokens.ends


def test_a_taught_judge_writes_its_reply(taught: Checkpoint) -> None:
    replies = Judge(taught).read(
        [Prompt(text=p, grammar=tiny.PAIR, max_tokens=40) for p in tiny.PROMPTS]
    )
    for reply, expected in zip(replies, tiny.REPLIES, strict=True):
        assert isinstance(reply, Reply)
        assert reply.text == expected
        assert reply.finish_reason == "stop"


def test_a_cut_explanation_says_length(taught: Checkpoint) -> None:
    (reply,) = Judge(taught).read([Prompt(text=tiny.PROMPTS[1], grammar=tiny.PAIR, max_tokens=2)])
    assert isinstance(reply, Reply)
    assert reply.finish_reason == "length"
    assert tiny.REPLIES[1].startswith(reply.text)
    line = len(taught.tokens.continuation(tiny.PROMPTS[1], "8 7\n"))
    assert reply.output_tokens == line + 2


def test_nothing_is_written_beyond_the_context(taught: Checkpoint) -> None:
    tokens = taught.tokens
    ids = tokens.prompt(tiny.PROMPTS[0])
    tree = ScoreTree.build(tiny.PAIR, tokens, tiny.PROMPTS[0])
    (row,) = pack([ids], budget=1)
    ((got,),) = write(
        taught.decoder,
        [prefill(taught.decoder, row, tree, tokens.ends)],
        [[50]],
        line_ends=tokens.ends,
        eos=tokens.eos,
        context_tokens=len(ids) + 2,
    )
    assert len(got.ids) == 2 and not got.finished
