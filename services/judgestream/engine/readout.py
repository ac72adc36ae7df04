"""The joint distribution of all scores, read in one forward per batch instead of sampled.

The prompt ends where the judge's score line starts, so P(first token) stands at its last row. Every inner
token of the score tree is appended as a branch that sees the prompt and its own ancestors only, at the
position that it would have; the rows of these tokens give all other probabilities. Design and exactness
as measured in the project's performance notes, section 2.1: equal to separate forwards to 3e-7 in fp32.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import LlamaForCausalLM

from judgestream.engine import attention
from judgestream.engine.attention import Memory, PrefillPlan
from judgestream.engine.grammar import LEAF, ROOT, ScoreTree


@dataclass(frozen=True, kw_only=True, slots=True)
class Prefill:
    """One batch after its forward. B prompts, T tree tokens, L score lines.

    joint    [B, L] fp32: probability of each score line, row-major over labels
    best     [B, 1 + T] int64: the most probable next token after the prompt and after each tree token
    lengths  prompt lengths in tokens
    width    columns that the padded prompts take in `memory`; the tree stands behind them
    """

    joint: Tensor
    best: Tensor
    lengths: tuple[int, ...]
    width: int
    tree: ScoreTree
    memory: Memory


@torch.inference_mode()
def prefill(
    model: LlamaForCausalLM,
    prompts: Sequence[Sequence[int]],
    tree: ScoreTree,
    line_ends: Collection[int],
) -> Prefill:
    """Run a batch of prompts (token ids, BOS first) with their common score tree behind them.

    `line_ends` are the ids that end a score line (`Tokens.ends`). Prompts are padded on the right, which
    no real token sees: a prompt's result does not depend on the others in the batch, beyond rounding.
    """
    attention.require(model)
    device = model.device
    lengths = tuple(len(prompt) for prompt in prompts)
    width, fed = max(lengths), len(tree.tokens)
    ids = torch.zeros((len(prompts), width + fed), dtype=torch.long)
    for row, prompt in enumerate(prompts):
        ids[row, : lengths[row]] = torch.tensor(prompt, dtype=torch.long)
    ids[:, width:] = torch.tensor(tree.tokens, dtype=torch.long)
    ends = torch.tensor(lengths)
    positions = torch.arange(width).repeat(len(prompts), 1)
    behind = ends[:, None] - 1 + torch.tensor(tree.depths, dtype=torch.long)
    memory = Memory()
    plan = PrefillPlan(width=width, mask=tree_mask(ends, width, tree).to(device), memory=memory)
    hidden = model.model(
        input_ids=ids.to(device),
        position_ids=torch.cat((positions, behind), dim=1).to(device),
        attention_mask=plan.mask,  # 4-D: passed on untouched, see `attention`
        use_cache=False,
        plan=plan,
    ).last_hidden_state
    last = hidden[torch.arange(len(prompts), device=device), (ends - 1).to(device)]
    logits = model.lm_head(torch.cat((last[:, None], hidden[:, width:]), dim=1)).float()
    return Prefill(
        joint=joint(logits, tree, line_ends),
        best=logits.argmax(dim=-1),
        lengths=lengths,
        width=width,
        tree=tree,
        memory=memory,
    )


def tree_mask(ends: Tensor, width: int, tree: ScoreTree) -> Tensor:
    """[B, 1, T, width + T] bool: a tree token sees its prompt's `ends` columns, its ancestors, itself."""
    prompt = torch.arange(width)[None, :] < ends[:, None]
    fed = len(tree.tokens)
    family = torch.zeros((fed, fed), dtype=torch.bool)
    for k, parent in enumerate(tree.parents):
        if parent != ROOT:
            family[k] = family[parent - 1]
        family[k, k] = True
    batch = len(ends)
    return torch.cat(
        (prompt[:, None, :].expand(batch, fed, width), family.expand(batch, fed, fed)), dim=2
    )[:, None]


def joint(logits: Tensor, tree: ScoreTree, line_ends: Collection[int]) -> Tensor:
    """P(line) for every score line: [B, 1 + T, V] logits -> [B, L]. The rule is `grammar`'s.

    Per line the log-probabilities of its edges are added up; index E stands for "nothing more" (log 1)
    and E + 1 + row for "the line ends after this row".
    """
    log_all = torch.logsumexp(logits, dim=-1)
    rows, tokens = torch.tensor(tree.edges, device=logits.device).unbind(1)
    on_edges = logits[:, rows, tokens] - log_all[:, rows]
    ends = torch.tensor(sorted(line_ends), device=logits.device)
    on_ends = torch.logsumexp(logits[:, :, ends], dim=-1) - log_all
    nothing = logits.new_zeros((logits.shape[0], 1))
    parts = torch.cat((on_edges, nothing, on_ends), dim=1)
    pad = len(tree.edges)
    longest = max(len(path) for path in tree.paths)
    index = torch.tensor(
        [
            [*path, *[pad] * (longest - len(path)), pad if end == LEAF else pad + 1 + end]
            for path, end in zip(tree.paths, tree.closing, strict=True)
        ],
        device=logits.device,
    )
    return parts[:, index].sum(dim=-1).exp()
