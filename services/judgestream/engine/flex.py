"""Attention steps with torch's flex_attention: a mask per block of columns, compiled for CUDA.

Which blocks see each other follows from the spans' ends, so nothing of size n x n is built. torch's
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
"""Rows are padded to a multiple of this many columns, so that few shapes are compiled."""


def flex(
    query: Tensor, key: Tensor, value: Tensor, step: AttentionStep, scale: float
) -> tuple[Tensor, Tensor]:
    """One launch per step. On a CPU it runs uncompiled, for tests only."""
    count = sum(stop - start for start, stop in step.queries)
    run = _compiled() if query.device.type == "cuda" else flex_attention
    output, aux = run(
        _padded(query, step.queries),
        _padded(key, step.keys),
        _padded(value, step.keys),
        block_mask=_mask(step, query.device),
        scale=scale,
        enable_gqa=query.shape[1] != key.shape[1],
        return_aux=AuxRequest(lse=True),
    )
    return output[0, :, :count].transpose(0, 1), aux.lse[0, :, :count].T.contiguous()


@cache
def _compiled() -> Any:
    return torch.compile(flex_attention)


def _padded(states: Tensor, spans: tuple[Span, ...]) -> Tensor:
    """[T, H, D] -> the spans' columns as [1, H, n, D], padded with zeros."""
    columns = gather(states, spans).transpose(0, 1)[None]
    return pad(columns, (0, 0, 0, -columns.shape[2] % PADDED_TO))


@lru_cache(maxsize=16)
def _mask(step: AttentionStep, device: torch.device) -> BlockMask:
    """Span k of the queries sees span k of the keys. The same in every layer, so cached.

    A block of queries and a block of keys are combined if the numbers of their spans overlap, and, in a
    causal step, unless the keys all come later. They see each other in full if both belong to one span,
    and, in a causal step, the keys all come before.
    """
    # training could not use a cached tensor that was made in inference mode
    with torch.inference_mode(False):
        query_span, key_span = _numbers(step.queries, device), _numbers(step.keys, device)
        low_q, high_q = query_span.view(-1, BLOCK).aminmax(dim=1)
        low_k, high_k = key_span.view(-1, BLOCK).aminmax(dim=1)
        some = (low_q[:, None] <= high_k) & (low_k <= high_q[:, None])
        whole = (low_q == high_q)[:, None] & (low_k == high_k) & (low_q[:, None] == low_k)
        whole &= (low_k < len(step.keys)) & (low_q < len(step.queries))[:, None]
        if step.causal:
            rows = torch.arange(len(low_q), device=device)[:, None]
            columns = torch.arange(len(low_k), device=device)
            some &= columns <= rows
            whole &= columns < rows
        partly = some & ~whole
        causal = step.causal

        def sees(batch: Tensor, head: Tensor, q: Tensor, k: Tensor) -> Tensor:
            same = query_span[q] == key_span[k]
            return same & (q >= k) if causal else same

        return BlockMask.from_kv_blocks(
            *_listed(partly),
            *_listed(whole),
            BLOCK_SIZE=BLOCK,
            mask_mod=sees,
            seq_lengths=(len(query_span), len(key_span)),
        )


def _numbers(spans: tuple[Span, ...], device: torch.device) -> Tensor:
    """[n, padded] int32: the number of each column's span; the padding has a number that no span has."""
    lengths = torch.tensor([stop - start for start, stop in spans])
    numbers = torch.arange(len(spans)).repeat_interleave(lengths)
    return pad(numbers, (0, -len(numbers) % PADDED_TO), value=len(spans)).int().to(device)


def _listed(blocks: Tensor) -> tuple[Tensor, Tensor]:
    """[Q, K] bool -> per row the number of its blocks, and their indices first: [1, 1, Q], [1, 1, Q, K]."""
    order = blocks.int().argsort(dim=1, descending=True, stable=True).int()
    return blocks.sum(dim=1).int()[None, None], order[None, None]
