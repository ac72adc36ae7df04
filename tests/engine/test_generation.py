"""Greedy generation equals Hugging Face's `generate`, token by token."""

import pytest
import torch

from judgestream.core.prompt import Prompt
from judgestream.core.templates.base import LINE_TOKENS
from judgestream.core.types import Reply
from judgestream.engine.checkpoint import Checkpoint
from judgestream.engine.generation import Generated, Generation
from judgestream.engine.grammar import ScoreTree
from judgestream.engine.judge import Judge
from judgestream.engine.packing import pack
from judgestream.engine.readout import prefill
from tests.engine import tiny


def generation(checkpoint: Checkpoint, context_tokens: int | None = None) -> Generation:
    tokens = checkpoint.tokens
    return Generation(
        checkpoint.decoder,
        line_ends=tokens.ends,
        eos=tokens.eos,
        text_of=tokens.text,
        context_tokens=context_tokens or checkpoint.context_tokens,
    )


def order(text: str, max_tokens: int) -> Prompt:
    return Prompt(text=text, grammar=tiny.PAIR, max_tokens=max_tokens)


def written(
    checkpoint: Checkpoint, prompts: list[str], budgets: list[int], row_tokens: int = 900
) -> list[Generated]:
    tokens = checkpoint.tokens
    tree = ScoreTree.build(tiny.PAIR, tokens, prompts[0])
    rows = pack([tokens.prompt(p) for p in prompts], budget=row_tokens)
    generating = generation(checkpoint)
    for row in rows:
        filled = prefill(checkpoint.decoder, row, tree, tokens.ends)
        generating.add(filled, [order(prompts[at], budgets[at]) for at in row.prompts])
    *_, groups = generating.run()
    found = {
        at: one
        for row, group in zip(rows, groups, strict=True)
        for at, one in zip(row.prompts, group, strict=True)
    }
    return [found[at] for at in range(len(prompts))]


def generated(checkpoint: Checkpoint, prompt: str, count: int) -> list[int]:
    ids = torch.tensor([checkpoint.tokens.prompt(prompt)])
    output = checkpoint.model.generate(  # type: ignore[operator]
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
        expected = until_line_ends(judge, generated(judge, prompt, LINE_TOKENS))
        assert list(got.ids) == expected
        assert got.finish == ("stop" if expected[-1] in judge.tokens.ends else "length")


def test_explanation_equals_generate(any_checkpoint: Checkpoint) -> None:
    judge = any_checkpoint
    prompts, budgets = list(tiny.PROMPTS), [24, 0, 3, 24, 1]  # rows end at different steps
    for prompt, budget, got in zip(prompts, budgets, written(judge, prompts, budgets), strict=True):
        expected = generated(judge, prompt, LINE_TOKENS + 24)
        line = until_line_ends(judge, expected[:LINE_TOKENS])
        most = len(line) + budget if line[-1] in judge.tokens.ends else LINE_TOKENS + budget
        if line[-1] in judge.tokens.eos:
            most = len(line)
        assert list(got.ids) == expected[: len(got.ids)]
        assert len(got.ids) == min(most, len(expected)) or got.ids[-1] in judge.tokens.ends


def test_a_taught_judge_generates_its_reply(taught: Checkpoint) -> None:
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


def test_nothing_is_generated_beyond_the_context(taught: Checkpoint) -> None:
    tokens = taught.tokens
    ids = tokens.prompt(tiny.PROMPTS[0])
    tree = ScoreTree.build(tiny.PAIR, tokens, tiny.PROMPTS[0])
    (row,) = pack([ids], budget=1)
    generating = generation(taught, context_tokens=len(ids) + 2)
    filled = prefill(taught.decoder, row, tree, tokens.ends)
    generating.add(filled, [order(tiny.PROMPTS[0], 50)])
    *_, ((got,),) = generating.run()
    assert len(got.ids) == 2 and got.finish == "length"


def test_a_stop_text_ends_the_explanation_and_is_not_part_of_it(taught: Checkpoint) -> None:
    line, explanation = tiny.REPLIES[1].split("\n", 1)
    word = explanation.split()[2]
    (reply,) = Judge(taught).read(
        [Prompt(text=tiny.PROMPTS[1], grammar=tiny.PAIR, max_tokens=40, stop=(word, "never"))]
    )
    assert isinstance(reply, Reply)
    assert reply.text == f"{line}\n{explanation[: explanation.index(word)]}"
    assert reply.finish_reason == "stop"


def test_scores_come_first_and_the_explanation_grows_after_them(taught: Checkpoint) -> None:
    prompts = [Prompt(text=p, grammar=tiny.PAIR, max_tokens=40) for p in tiny.PROMPTS]
    whole = Judge(taught).read(prompts)
    seen: dict[int, list[Reply]] = {}
    firsts = []
    for at, reply in Judge(taught).stream(prompts, partial=True):
        assert isinstance(reply, Reply)
        firsts.append(at not in seen)
        seen.setdefault(at, []).append(reply)
    assert all(firsts[: len(prompts)]), "everybody's scores before anybody's explanation"
    for at, growing in seen.items():
        assert [r.finish_reason for r in growing[:-1]] == [""] * (len(growing) - 1)
        assert len(growing) > 1 and growing[0].score_probs
        for before, after in zip(growing, growing[1:], strict=False):
            assert after.text.startswith(before.text)
        last = whole[at]
        assert isinstance(last, Reply)
        assert (growing[-1].text, growing[-1].finish_reason) == (last.text, last.finish_reason)
        assert growing[-1].score_probs == pytest.approx(last.score_probs, abs=1e-6)


def test_an_explanation_without_a_waiting_client_is_cancelled(taught: Checkpoint) -> None:
    prompts = [Prompt(text=p, grammar=tiny.PAIR, max_tokens=40) for p in tiny.PROMPTS[:2]]
    gone: set[int] = set()
    last: dict[int, Reply] = {}
    for at, reply in Judge(taught).stream(prompts, lambda at: at not in gone, partial=True):
        assert isinstance(reply, Reply)
        last[at] = reply
        if at == 0:
            gone.add(0)  # leaves as soon as it has its scores
    assert last[0].finish_reason == "" and last[1].finish_reason == "stop"
    assert last[1].text == tiny.REPLIES[1]


def test_sampled_text_depends_on_its_seed_and_not_on_its_neighbours(taught: Checkpoint) -> None:
    def texts(*seeds: int) -> list[str]:
        replies = Judge(taught).read(
            [
                Prompt(text=p, grammar=tiny.PAIR, max_tokens=12, temperature=3.0, seed=seed)
                for p, seed in zip(tiny.PROMPTS, seeds, strict=False)
            ]
        )
        return [reply.text for reply in replies if isinstance(reply, Reply)]

    alone, together = texts(7), texts(7, 8, 9)
    assert together[0] == alone[0] != texts(8)[0]
    assert together[0].split("\n")[0] == tiny.REPLIES[0].split("\n")[0], "scores are never drawn"
