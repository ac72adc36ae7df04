"""Attention steps in padded batches without a mask: for GPUs whose torch has neither varlen nor flex.

Spans of similar length are stacked and padded on the right. That needs no mask: a causal query never sees
what comes behind it, and where queries see all keys, only spans with equally many keys are stacked. So any
flash kernel can be used; torch has none for dense masks.
"""

from collections.abc import Iterator
from itertools import groupby

import torch
from torch import Tensor
from torch.nn.functional import pad

from judgestream.engine.attention import AttentionStep
from judgestream.engine.packing import Span

MIN_LENGTH_SHARE = 0.8
"""Smallest ratio of the shortest to the longest span of a stack: at most a fifth is padding."""


def sorted_padding(
    query: Tensor, key: Tensor, value: Tensor, step: AttentionStep, scale: float
) -> tuple[Tensor, Tensor]:
    """One launch per stack."""
    starts = _starts(step.queries)
    count = starts[-1]
    output = query.new_empty((count, *query.shape[1:]))
    lse = query.new_empty((count, query.shape[1]), dtype=torch.float32)
    for stack in _stacks(step):
        stack_output, stack_lse = _flash(
            _stacked(query, [step.queries[k] for k in stack]),
            _stacked(key, [step.keys[k] for k in stack]),
            _stacked(value, [step.keys[k] for k in stack]),
            step.causal,
            scale,
        )
        for number, k in enumerate(stack):
            length = starts[k + 1] - starts[k]
            output[starts[k] : starts[k + 1]] = stack_output[number, :, :length].transpose(0, 1)
            lse[starts[k] : starts[k + 1]] = stack_lse[number, :, :length].T
    return output, lse


def _starts(spans: tuple[Span, ...]) -> list[int]:
    starts = [0]
    for start, stop in spans:
        starts.append(starts[-1] + stop - start)
    return starts


def _stacks(step: AttentionStep) -> Iterator[list[int]]:
    """Spans that run together: similar lengths and, except in causal steps, the same number of keys."""

    def keys(k: int) -> int:
        return 0 if step.causal else step.keys[k][1] - step.keys[k][0]

    def length(k: int) -> int:
        return step.queries[k][1] - step.queries[k][0]

    order = sorted(range(len(step.queries)), key=lambda k: (keys(k), -length(k)))
    for _, group in groupby(order, key=keys):
        stack: list[int] = []
        for k in group:
            if stack and length(k) < MIN_LENGTH_SHARE * length(stack[0]):
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
    if groups > 1:  # the operators below are documented only for as many key heads as query heads
        key, value = key.repeat_interleave(groups, 1), value.repeat_interleave(groups, 1)
    if query.dtype == torch.float32:  # the flash operator takes 16-bit numbers only
        outputs = ops._scaled_dot_product_efficient_attention(
            query, key, value, None, True, 0.0, causal, scale=scale
        )
    else:
        outputs = ops._scaled_dot_product_flash_attention(
            query, key, value, 0.0, causal, False, scale=scale
        )
    # some versions pad the log-sum-exp to a multiple of 32
    return outputs[0], outputs[1][:, :, : query.shape[2]]
