"""Sequential scores are exact with all branches, and close with the most likely three."""

import pytest
import torch
from torch import Tensor

from judgestream.core.errors import RejectedByJudge
from judgestream.core.parsing import read
from judgestream.core.prompt import Prompt
from judgestream.core.templates.base import Grammar
from judgestream.core.types import Reading, Reply
from judgestream.engine.checkpoint import Checkpoint
from judgestream.engine.grammar import ScoreTree
from judgestream.engine.judge import Judge
from judgestream.engine.packing import pack
from judgestream.engine.readout import prefill
from judgestream.engine.sequential_scores import ChainLines, marginals
from tests.engine import tiny

THREE = Grammar(labels=("1", "3", "10"), count=3)
TENS = tuple(str(n) for n in range(1, 11))


def chained(checkpoint: Checkpoint, texts: list[str], grammar: Grammar, branches: int) -> Tensor:
    """[prompts, count, labels]"""
    first = ScoreTree.build(Grammar(labels=grammar.labels, count=1), checkpoint.tokens, texts[0])
    lines = ChainLines(grammar, checkpoint.tokens, texts[0])
    ids = [checkpoint.tokens.prompt(text) for text in texts]
    found: dict[int, Tensor] = {}
    for row in pack(ids, budget=4096, extra=len(first.tokens)):
        filled = prefill(checkpoint.decoder, row, first, checkpoint.tokens.ends)
        for at, prompt in enumerate(row.prompts):
            found[prompt] = marginals(checkpoint.decoder, filled, at, lines, branches=branches)
    return torch.stack([found[at] for at in range(len(texts))])


def brute(checkpoint: Checkpoint, text: str, grammar: Grammar) -> Tensor:
    """[count, labels] by full forwards of transformers' model, one per beginning of a line."""
    ids, lines = checkpoint.tokens.prompt(text), ChainLines(grammar, checkpoint.tokens, text)
    labels = range(len(grammar.labels))

    def mass(chosen: tuple[int, ...]) -> Tensor:
        line = list(lines.of(chosen))
        (steps,) = tiny.steps_behind(checkpoint.model, ids, [line]).values()
        total = torch.stack([steps[at, token] for at, token in enumerate(line)]).sum()
        ending = sorted(lines.following(chosen) if len(chosen) < grammar.count else lines.ends)
        others = [lines.of((*chosen[:-1], label)) for label in labels if label != chosen[-1]]
        if len(chosen) < grammar.count or any(o[: len(line)] == tuple(line) for o in others):
            total = total + steps[len(line), ending].logsumexp(-1)
        return total.exp()

    found: list[Tensor] = []
    inside = torch.ones(()).double()
    one = torch.ones(()).double()
    reached: dict[tuple[int, ...], tuple[Tensor, Tensor]] = {(): (one, one)}  # weight, mass
    for _ in range(grammar.count):
        level = {c: torch.stack([mass((*c, label)) for label in labels]) for c in reached}
        inside = inside * sum(w * level[c].sum() / m for c, (w, m) in reached.items())
        shares = {c: w * level[c] / level[c].sum() for c, (w, _) in reached.items()}
        found.append(torch.stack(list(shares.values())).sum(0))
        reached = {
            (*c, label): (shares[c][label], level[c][label]) for c in reached for label in labels
        }
    return torch.stack(found) * inside


def test_with_all_branches_sequential_scores_equal_separate_forwards(
    checkpoint: Checkpoint,
) -> None:
    texts = [tiny.PROMPTS[0], tiny.PROMPTS[2]]
    found = chained(checkpoint, texts, THREE, branches=9)
    for at, text in enumerate(texts):
        expected = brute(checkpoint, text, THREE)
        torch.testing.assert_close(found[at], expected, atol=1e-6, rtol=0)
        torch.testing.assert_close(
            found[at] / found[at].sum(), expected / expected.sum(), atol=1e-4, rtol=0
        )


def test_three_branches_come_close_to_all(taught: Checkpoint) -> None:
    grammar = Grammar(labels=TENS, count=3)
    few, everything = (
        chained(taught, [tiny.PROMPTS[0]], grammar, branches=branches)[0] for branches in (3, 100)
    )
    values = torch.tensor(grammar.values).double()
    means = [rows @ values / rows.sum(1) for rows in (few, everything)]
    torch.testing.assert_close(means[0], means[1], atol=0.05, rtol=0)
    torch.testing.assert_close(few[0] / few[0].sum(), everything[0] / everything[0].sum())


def test_a_judge_reads_six_scores_and_every_row_has_one_sum(checkpoint: Checkpoint) -> None:
    grammar = Grammar(labels=TENS, count=6)
    prompts = [Prompt(text=text, grammar=grammar) for text in tiny.PROMPTS[:2]]
    judge = Judge(checkpoint)
    together = judge.read([*prompts, Prompt(text=tiny.PROMPTS[3], grammar=tiny.PAIR)])
    for prompt, reply in zip(prompts, together, strict=False):
        assert isinstance(reply, Reply)
        rows = torch.tensor(reply.score_probs).view(6, 10)
        torch.testing.assert_close(rows.sum(1), rows.sum(1)[0].expand(6))
        (alone,) = judge.read([prompt])
        assert isinstance(alone, Reply)
        assert reply.score_probs == pytest.approx(alone.score_probs, rel=1e-3, abs=1e-6)
    scaled = Reply(
        text="", score_probs=tuple((rows / rows.sum(1, keepdim=True)).flatten().tolist())
    )
    reading = read(scaled, grammar)
    assert isinstance(reading, Reading) and len(reading.means) == 6


def test_sequential_scores_that_the_tokenizer_cannot_write_are_refused(
    checkpoint: Checkpoint,
) -> None:
    for grammar in (
        Grammar(labels=("1", "1"), count=3),
        Grammar(labels=("1", "2"), count=4, separator=""),
        Grammar(labels=("1", "2"), count=3, separator="\n"),
    ):
        (reply,) = Judge(checkpoint).read([Prompt(text=tiny.PROMPTS[0], grammar=grammar)])
        assert isinstance(reply, RejectedByJudge)
