"""The joint read-out equals separate full forwards with another attention."""

from copy import deepcopy
from functools import cache

import pytest
import torch
from torch import Tensor
from transformers import LlamaForCausalLM

from judgestream.core.templates.base import Grammar
from judgestream.engine.checkpoint import Checkpoint
from judgestream.engine.grammar import ScoreTree, score_lines
from judgestream.engine.packing import pack
from judgestream.engine.readout import prefill
from judgestream.engine.tokens import Tokens
from tests.engine import tiny


def brute_joint(checkpoint: Checkpoint, prompt: str, grammar: Grammar) -> Tensor:
    """P(line) by one full sequence per line, plain eager attention, no tree: the rule in its own words."""
    tokens = checkpoint.tokens
    model = LlamaForCausalLM(deepcopy(checkpoint.model.config))
    model.load_state_dict(checkpoint.model.state_dict())
    model.set_attn_implementation("eager")
    model.eval()
    lines = score_lines(grammar, tokens, prompt)
    behind = tiny.steps_behind(model, tokens.prompt(prompt), lines)
    found = []
    for line in lines:
        steps = behind[tuple(line)]
        total = sum(steps[at, token] for at, token in enumerate(line))
        if any(other != line and other[: len(line)] == line for other in lines):
            total = total + steps[len(line), sorted(tokens.ends)].logsumexp(dim=-1)
        found.append(total)
    return torch.stack([torch.as_tensor(value) for value in found]).exp()


@cache
def tree_of(tokens: Tokens, grammar: Grammar, prompt: str) -> ScoreTree:
    return ScoreTree.build(grammar, tokens, prompt)


def read(
    checkpoint: Checkpoint,
    prompts: list[str],
    grammar: Grammar,
    *,
    budget: int = 100_000,
    min_shared: int = 32,
) -> Tensor:
    tree = tree_of(checkpoint.tokens, grammar, prompts[0])
    ids = [checkpoint.tokens.prompt(prompt) for prompt in prompts]
    found: dict[int, Tensor] = {}
    for row in pack(ids, budget=budget, min_shared=min_shared):
        filled = prefill(checkpoint.decoder, row, tree, checkpoint.tokens.ends)
        found |= dict(zip(row.prompts, filled.joint, strict=True))
    return torch.stack([found[at] for at in range(len(prompts))])


def assert_equal(found: Tensor, expected: Tensor) -> None:
    """Also in relative terms: a random judge gives its score lines next to no probability."""
    expected = expected.to(found.dtype)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(found.log(), expected.log(), atol=1e-4, rtol=0)
    torch.testing.assert_close(found / found.sum(), expected / expected.sum(), atol=2e-5, rtol=0)


HALVES = Grammar(labels=tuple(str(n / 2).removesuffix(".0") for n in range(2, 21)), count=1)


CHOICE = Grammar(labels=("A", "B", "C"), count=1, outcomes=(1, -1, 0))
APPROVALS = Grammar(labels=("yes", "no"), count=2, scores=(1.0, 0.0))
FREE = Grammar(labels=("good", "good enough", "bad"), count=2, separator=" / ", lead=" ")


@pytest.mark.parametrize(
    "grammar",
    [tiny.PAIR, tiny.SINGLE, HALVES, CHOICE, APPROVALS, FREE],
    ids=["pair", "single", "half", "choice", "yes-no pair", "free"],
)
@pytest.mark.parametrize("at", [0, 2])
def test_joint_equals_separate_forwards(checkpoint: Checkpoint, grammar: Grammar, at: int) -> None:
    prompt = tiny.PROMPTS[at]
    found = read(checkpoint, [prompt], grammar)[0]
    assert_equal(found, brute_joint(checkpoint, prompt, grammar))


def test_joint_of_a_taught_judge_equals_separate_forwards(taught: Checkpoint) -> None:
    found = read(taught, [tiny.PROMPTS[0]], tiny.PAIR)[0]
    expected = brute_joint(taught, tiny.PROMPTS[0], tiny.PAIR)
    torch.testing.assert_close(found, expected.float(), atol=1e-5, rtol=0)
    assert 0.9 < found.sum() <= 1 + 1e-6
    assert found.argmax() == 9 * 10 + 0  # "10 1"


def test_batch_composition_does_not_change_a_result(checkpoint: Checkpoint) -> None:
    together = read(checkpoint, list(tiny.PROMPTS), tiny.PAIR)
    backwards = read(checkpoint, list(tiny.PROMPTS[::-1]), tiny.PAIR).flip(0)
    for at, prompt in enumerate(tiny.PROMPTS):
        alone = read(checkpoint, [prompt], tiny.PAIR)[0]
        assert_equal(together[at], alone)
        assert_equal(backwards[at], alone)


def test_a_row_never_sees_its_neighbours(checkpoint: Checkpoint) -> None:
    first = read(checkpoint, [tiny.PROMPTS[0], tiny.PROMPTS[1]], tiny.PAIR)[0]
    second = read(checkpoint, [tiny.PROMPTS[0], tiny.PROMPTS[3]], tiny.PAIR)[0]
    assert_equal(first, second)


def test_mass_never_exceeds_one(checkpoint: Checkpoint) -> None:
    sums = read(checkpoint, list(tiny.PROMPTS), tiny.PAIR).sum(dim=1)
    assert bool((sums <= 1 + 1e-6).all())


def test_the_model_still_works_as_an_ordinary_transformers_model(
    checkpoint: Checkpoint,
) -> None:
    """Its weights are views of the fused ones; padding masks included."""
    prompts = [checkpoint.tokens.prompt(prompt) for prompt in tiny.PROMPTS[:2]]
    width = max(map(len, prompts))
    ids = torch.tensor([[0] * (width - len(p)) + p for p in prompts])
    mask = torch.tensor([[0] * (width - len(p)) + [1] * len(p) for p in prompts])
    with torch.inference_mode():
        padded = checkpoint.model(ids, attention_mask=mask).logits[:, -1]
        for at, prompt in enumerate(prompts):
            alone = checkpoint.model(torch.tensor([prompt])).logits[0, -1]
            torch.testing.assert_close(padded[at], alone, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("budget", [1, 700, 100_000])
def test_shared_prefixes_and_rows_change_nothing(checkpoint: Checkpoint, budget: int) -> None:
    """Both orders of some pairs, twice: read in trees, in rows of any size, and each alone."""
    texts = [tiny.PROMPTS[0]]
    for a, b in (("yes " * 30, "no " * 25), ("left", "right " * 40), ("", "x")):
        question = "Which one is longer, and which one is right? " * 3
        texts += [tiny.pair_prompt(question, a, b), tiny.pair_prompt(question, b, a)] * 2
    shared = read(checkpoint, texts, tiny.PAIR, budget=budget, min_shared=1)
    apart = read(checkpoint, texts, tiny.PAIR, budget=budget, min_shared=10**9)
    assert_equal(shared, apart)
    for at in (0, 1, 4):
        assert_equal(shared[at], read(checkpoint, [texts[at]], tiny.PAIR)[0])
