"""Attention rounds by torch's flex_attention: a mask per block of columns, compiled for CUDA.

Which blocks see each other is worked out from the spans' ends, so nothing of size n x n is built. torch's
`create_block_mask` would build it: 268 million entries for a row of 16,384 tokens.
"""

from functools import cache, lru_cache
from typing import Any

import torch
from torch import Tensor
from torch.nn.attention.flex_attention import AuxRequest, BlockMask, flex_attention
from torch.nn.functional import pad

from judgestream.engine.attention import AttentionStep, gather
from judgestream.engine.packing import Span

BLOCK = 128
"""Columns per block of the mask: flex_attention's own default."""

PADDED_TO = 512
"""Rows are filled up to a multiple of this many columns, so that few shapes are ever seen."""


def flex(
    query: Tensor, key: Tensor, value: Tensor, one: AttentionStep, scale: float
) -> tuple[Tensor, Tensor]:
    """One launch per round. On a CPU it runs without a compiler, and is there for tests only."""
    count = sum(stop - start for start, stop in one.queries)
    run = _compiled() if query.device.type == "cuda" else flex_attention
    output, aux = run(
        _laid_out(query, one.queries),
        _laid_out(key, one.keys),
        _laid_out(value, one.keys),
        block_mask=_mask(one, query.device),
        scale=scale,
        enable_gqa=query.shape[1] != key.shape[1],
        return_aux=AuxRequest(lse=True),
    )
    return output[0, :, :count].transpose(0, 1), aux.lse[0, :, :count].T.contiguous()


@cache
def _compiled() -> Any:
    return torch.compile(flex_attention)


def _laid_out(states: Tensor, spans: tuple[Span, ...]) -> Tensor:
    """[T, H, D] -> the spans' columns as [1, H, n, D], zeros behind."""
    columns = gather(states, spans).transpose(0, 1)[None]
    return pad(columns, (0, 0, 0, -columns.shape[2] % PADDED_TO))


@lru_cache(maxsize=16)
def _mask(one: AttentionStep, device: torch.device) -> BlockMask:
    """Span k of the queries sees span k of the keys. The same in every layer, so kept.

    A block of queries and one of keys have something to do with each other if the numbers of their spans
    overlap, and, in a causal round, unless the keys all come later. They see each other whole if all
    of both is one span, and, in a causal round, the keys all come before.
    """
    with torch.inference_mode(False):  # else training could not use what serving has kept
        asked, seen = _numbers(one.queries, device), _numbers(one.keys, device)
        low_q, high_q = asked.view(-1, BLOCK).aminmax(dim=1)
        low_k, high_k = seen.view(-1, BLOCK).aminmax(dim=1)
        some = (low_q[:, None] <= high_k) & (low_k <= high_q[:, None])
        whole = (low_q == high_q)[:, None] & (low_k == high_k) & (low_q[:, None] == low_k)
        whole &= (low_k < len(one.keys)) & (low_q < len(one.queries))[:, None]
        if one.causal:
            rows = torch.arange(len(low_q), device=device)[:, None]
            columns = torch.arange(len(low_k), device=device)
            some &= columns <= rows
            whole &= columns < rows
        partly = some & ~whole
        causal = one.causal

        def sees(batch: Tensor, head: Tensor, q: Tensor, k: Tensor) -> Tensor:
            same = asked[q] == seen[k]
            return same & (q >= k) if causal else same

        return BlockMask.from_kv_blocks(
            *_listed(partly),
            *_listed(whole),
            BLOCK_SIZE=BLOCK,
            mask_mod=sees,
            seq_lengths=(len(asked), len(seen)),
        )


def _numbers(spans: tuple[Span, ...], device: torch.device) -> Tensor:
    """Which span each column belongs to; the fill has a number that no span has."""
    lengths = torch.tensor([stop - start for start, stop in spans])
    numbers = torch.arange(len(spans)).repeat_interleave(lengths)
    return pad(numbers, (0, -len(numbers) % PADDED_TO), value=len(spans)).int().to(device)


def _listed(blocks: Tensor) -> tuple[Tensor, Tensor]:
    """[Q, K] bool -> how many blocks each row has, and which, those first: [1, 1, Q] and [1, 1, Q, K]."""
    order = blocks.int().argsort(dim=1, descending=True, stable=True).int()
    return blocks.sum(dim=1).int()[None, None], order[None, None]
