"""Attention rounds in padded batches without a mask: for GPUs whose torch has neither varlen nor flex.

Spans of about one length are stacked, filled up on the right. That needs no mask: a causal query never sees
what comes behind it, and where queries see all keys only spans with equally many keys are stacked. Any
flash kernel will do, since none has to know of masks, and dense masks would drive torch off them.
"""

from collections.abc import Iterator
from itertools import groupby

import torch
from torch import Tensor
from torch.nn.functional import pad

from judgestream.engine.attention import AttentionStep
from judgestream.engine.packing import Span

FILLED = 0.8
"""The shortest span of a stack is at least this much of the longest: so at most a fifth is filling."""


def sorted_padding(
    query: Tensor, key: Tensor, value: Tensor, one: AttentionStep, scale: float
) -> tuple[Tensor, Tensor]:
    """As many launches as there are stacks."""
    starts = _starts(one.queries)
    count = starts[-1]
    output = query.new_empty((count, *query.shape[1:]))
    lse = query.new_empty((count, query.shape[1]), dtype=torch.float32)
    for stack in _stacks(one):
        found, weight = _flash(
            _stacked(query, [one.queries[k] for k in stack]),
            _stacked(key, [one.keys[k] for k in stack]),
            _stacked(value, [one.keys[k] for k in stack]),
            one.causal,
            scale,
        )
        for at, k in enumerate(stack):
            length = starts[k + 1] - starts[k]
            output[starts[k] : starts[k + 1]] = found[at, :, :length].transpose(0, 1)
            lse[starts[k] : starts[k + 1]] = weight[at, :, :length].T
    return output, lse


def _starts(spans: tuple[Span, ...]) -> list[int]:
    starts = [0]
    for start, stop in spans:
        starts.append(starts[-1] + stop - start)
    return starts


def _stacks(one: AttentionStep) -> Iterator[list[int]]:
    """Which spans run together: of one number of keys, except in causal rounds, and of like lengths."""

    def keys(k: int) -> int:
        return 0 if one.causal else one.keys[k][1] - one.keys[k][0]

    def length(k: int) -> int:
        return one.queries[k][1] - one.queries[k][0]

    order = sorted(range(len(one.queries)), key=lambda k: (keys(k), -length(k)))
    for _, alike in groupby(order, key=keys):
        stack: list[int] = []
        for k in alike:
            if stack and length(k) < FILLED * length(stack[0]):
                yield stack
                stack = []
            stack.append(k)
        yield stack


def _stacked(states: Tensor, spans: list[Span]) -> Tensor:
    """[T, H, D] -> [spans, H, longest, D]."""
    longest = max(stop - start for start, stop in spans)
    return torch.stack(
        [
            pad(states[start:stop].transpose(0, 1), (0, 0, 0, longest - stop + start))
            for start, stop in spans
        ]
    )


def _flash(
    query: Tensor, key: Tensor, value: Tensor, causal: bool, scale: float
) -> tuple[Tensor, Tensor]:
    """torch's flash operator of the device: [B, H, N, D] -> output alike, log-sum-exp [B, H, N]."""
    ops = torch.ops.aten
    if query.device.type == "cpu":
        output, lse = ops._scaled_dot_product_flash_attention_for_cpu(
            query, key, value, 0.0, causal, scale=scale
        )
        return output, lse
    groups = query.shape[1] // key.shape[1]
    if groups > 1:  # these two are only promised to work with as many key heads as query heads
        key, value = key.repeat_interleave(groups, 1), value.repeat_interleave(groups, 1)
    if query.dtype == torch.float32:  # the flash operator is for halves
        found = ops._scaled_dot_product_efficient_attention(
            query, key, value, None, True, 0.0, causal, scale=scale
        )
    else:
        found = ops._scaled_dot_product_flash_attention(
            query, key, value, 0.0, causal, False, scale=scale
        )
    return found[0], found[1][:, :, : query.shape[2]]  # some versions fill up to a multiple of 32
