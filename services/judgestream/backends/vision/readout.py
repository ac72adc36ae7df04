"""The joint distribution of all scores behind prompts with images, by one forward of transformers.

The score tree stands behind each prompt as in our own engine (`engine.readout`): a tree token sees its prompt
and its own ancestors. Here a mask says so, so a batch costs attention over all of its columns.

Symbols of shapes: B prompts, S columns, T tokens of the score tree, V vocabulary size.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from judgestream.backends.vision.checkpoint import VisionCheckpoint
from judgestream.engine.grammar import LEAF, ROOT, ScoreTree
from judgestream.engine.readout import ancestor_mask, joint


@dataclass(frozen=True, kw_only=True, slots=True)
class Read:
    """One prompt's scores.

    joint   probability of each score line, row-major over labels
    greedy  tokens of the most probable line, token by token; None if it is not of the grammar
    """

    joint: Tensor
    greedy: tuple[int, ...] | None


@torch.inference_mode()
def read(
    checkpoint: VisionCheckpoint,
    prompts: Sequence[Sequence[int]],
    pixels: Tensor | None,
    tree: ScoreTree,
) -> list[Read]:
    """The scores behind each prompt.

    prompts  token ids, with `image_tokens` image tokens for each image
    pixels   [images, 3, height, width] of all prompts' images in order; None without images
    """
    device = checkpoint.device
    ids, positions, mask = _columns(prompts, tree)
    outputs = checkpoint.model(
        input_ids=ids.to(device),
        position_ids=positions.to(device),
        attention_mask=mask.to(device),
        pixel_values=pixels,
        use_cache=False,
        logits_to_keep=1 + len(tree.tokens),
    )
    logits = outputs.logits.float()  # [B, 1 + T, V]
    lines = joint(logits, tree, checkpoint.tokens.ends).cpu()
    best = logits.argmax(dim=-1).tolist()
    return [
        Read(joint=lines[k], greedy=_greedy(best[k], tree, checkpoint.tokens.ends))
        for k in range(len(prompts))
    ]


def _columns(prompts: Sequence[Sequence[int]], tree: ScoreTree) -> tuple[Tensor, Tensor, Tensor]:
    """Ids and positions [B, S], and which column sees which [B, 1, S, S]: padding, prompt, tree tokens.

    Padding sees itself, because a column that sees nothing would become NaN.
    """
    fed, longest = len(tree.tokens), max(map(len, prompts))
    columns = longest + fed
    ids = torch.zeros((len(prompts), columns), dtype=torch.long)
    positions = torch.zeros_like(ids)
    mask = torch.eye(columns, dtype=torch.bool).repeat(len(prompts), 1, 1, 1)
    depths = torch.tensor(tree.depths, dtype=torch.long)
    for row, prompt in enumerate(prompts):
        start, length = longest - len(prompt), len(prompt)
        ids[row, start:] = torch.tensor([*prompt, *tree.tokens])
        positions[row, start:longest] = torch.arange(length)
        positions[row, longest:] = length - 1 + depths
        causal = torch.ones((length, length), dtype=torch.bool).tril()
        mask[row, 0, start:longest, start:longest] = causal
        mask[row, 0, longest:, start:longest] = True
        mask[row, 0, longest:, longest:] = ancestor_mask(tree)
    return ids, positions, mask


def _greedy(best: Sequence[int], tree: ScoreTree, ends: frozenset[int]) -> tuple[int, ...] | None:
    """The tokens that greedy decoding writes up to the end of the line, where that is a line of the tree."""
    row, line = ROOT, list[int]()
    complete = dict(zip(_lines(tree), tree.closing, strict=True))
    while True:
        token = best[row]
        if token in ends and complete.get(tuple(line), LEAF) == row:
            return tuple(line)
        child = tree.children[row].get(token)
        if child is None:
            return None
        line.append(token)
        if child == LEAF:
            return tuple(line)
        row = child


def _lines(tree: ScoreTree) -> list[tuple[int, ...]]:
    """The tokens of every score line."""
    return [tuple(tree.edges[edge][1] for edge in path) for path in tree.paths]
