"""Attention in packed rows: a list of steps says which columns see which, and a kernel runs each step.

A step pairs spans of queries with spans of keys. Step 0 is causal: each node with itself. Every later step
is full: nodes with one of their ancestors. A query's steps are merged by the log-sum-exp of their scores,
which is exact (Milakov and Gimelshein 2018; FlashAttention does the same inside). No mask over a whole row is
ever built. transformers' own packing detection is not used: it is silently off when a cache or a mask is
passed, and then prompts see each other.

This module has the definition and the kernels of torch that run a step as it is; `kernels` lists all of
them, best first, and chooses.

Symbols of shapes: N queries, K keys, n queries of a step, H query heads, H_kv key-value heads, D head size.
"""

import inspect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from judgestream.engine.packing import Span


@dataclass(frozen=True, kw_only=True, slots=True)
class AttentionStep:
    """Query span k sees key span k: causally (both of one length), or all of it. No query is in two spans."""

    queries: tuple[Span, ...]
    keys: tuple[Span, ...]
    causal: bool = False


Kernel = Callable[[Tensor, Tensor, Tensor, AttentionStep, float], tuple[Tensor, Tensor]]
"""query [N, H, D], key and value [K, H_kv, D], step, scale -> for the step's queries one after the other:
output [n, H, D], log-sum-exp [n, H] in fp32."""


def attend(
    kernel: Kernel,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    steps: Sequence[AttentionStep],
    scale: float,
) -> tuple[Tensor, Tensor]:
    """All steps merged: output [N, H, D], log-sum-exp [N, H]. Queries of no step get zeros and -inf."""
    first, *others = steps
    if covers(first.queries, query.shape[0]):
        output, lse = kernel(query, key, value, first, scale)
    else:
        output = query.new_zeros(query.shape)
        lse = query.new_full(query.shape[:2], -torch.inf, dtype=torch.float32)
        if first.queries:
            step_output, step_lse = kernel(query, key, value, first, scale)
            for columns, part in _parts(first.queries):
                output[columns], lse[columns] = step_output[part], step_lse[part]
    for step in others:
        if not step.queries:
            continue
        step_output, step_lse = kernel(query, key, value, step, scale)
        for columns, part in _parts(step.queries):
            merge_(output[columns], lse[columns], step_output[part], step_lse[part])
    return output, lse


def _parts(spans: Sequence[Span]) -> Iterator[tuple[slice, slice]]:
    """Per run of columns: the columns, and which of a step's results belong there."""
    first = 0
    for start, stop in joined(spans):
        yield slice(start, stop), slice(first, first + stop - start)
        first += stop - start


def merge_(output: Tensor, lse: Tensor, other: Tensor, other_lse: Tensor) -> None:
    """Merge a second partial result into the first, in place: outputs [..., H, D], log-sum-exps [..., H]."""
    total = torch.logaddexp(lse, other_lse)
    mine = (lse - total).exp_().unsqueeze(-1)
    theirs = (other_lse - total).exp_().unsqueeze(-1)
    output.copy_(output * mine.to(output.dtype) + other * theirs.to(output.dtype))
    lse.copy_(total)


def plain(
    query: Tensor, key: Tensor, value: Tensor, step: AttentionStep, scale: float
) -> tuple[Tensor, Tensor]:
    """The definition, in fp32: slow, runs anywhere; the reference for all other kernels."""
    outputs, weights = [], []
    groups = query.shape[1] // key.shape[1]
    for (q0, q1), (k0, k1) in zip(step.queries, step.keys, strict=True):
        keys = key[k0:k1].float().repeat_interleave(groups, 1)
        values = value[k0:k1].float().repeat_interleave(groups, 1)
        scores = torch.einsum("qhd,khd->hqk", query[q0:q1].float(), keys) * scale
        if step.causal:
            unseen = torch.ones(q1 - q0, k1 - k0, dtype=torch.bool, device=query.device).triu(1)
            scores.masked_fill_(unseen, -torch.inf)
        weights.append(scores.logsumexp(-1).T)
        outputs.append(torch.einsum("hqk,khd->qhd", scores.softmax(-1), values).to(query.dtype))
    return torch.cat(outputs), torch.cat(weights)


def segments(
    query: Tensor, key: Tensor, value: Tensor, step: AttentionStep, scale: float
) -> tuple[Tensor, Tensor]:
    """torch's flash kernel for CPUs, span by span: copies no key, and builds nothing of size n x n."""
    flash = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
    outputs, weights = [], []
    for (q0, q1), (k0, k1) in zip(step.queries, step.keys, strict=True):
        output, lse = flash(
            query[q0:q1].transpose(0, 1)[None],
            key[k0:k1].transpose(0, 1)[None],
            value[k0:k1].transpose(0, 1)[None],
            0.0,
            step.causal,
            scale=scale,
        )
        outputs.append(output[0].transpose(0, 1))
        weights.append(lse[0].T)
    if len(outputs) == 1:
        return outputs[0], weights[0].contiguous()
    return torch.cat(outputs), torch.cat(weights)


def varlen(
    query: Tensor, key: Tensor, value: Tensor, step: AttentionStep, scale: float
) -> tuple[Tensor, Tensor]:
    """torch's FlashAttention for CUDA: one launch per step. Its signature differs between versions."""
    from torch.nn.attention import varlen as module

    options: dict[str, Any] = {"return_aux": module.AuxRequest(lse=True), "scale": scale}
    known = inspect.signature(module.varlen_attn).parameters
    if "window_size" in known:
        options["window_size"] = (-1, 0) if step.causal else (-1, -1)
    else:
        options["is_causal"] = step.causal
    if "enable_gqa" in known:
        options["enable_gqa"] = query.shape[1] != key.shape[1]
    if "num_splits" in known:
        options["num_splits"] = 1  # a judgement must not depend on its neighbours
    output, lse = module.varlen_attn(
        gather(query, step.queries),
        gather(key, step.keys),
        gather(value, step.keys),
        _ends(step.queries, query.device),
        _ends(step.keys, query.device),
        max(stop - start for start, stop in step.queries),
        max(stop - start for start, stop in step.keys),
        **options,
    )
    return output, lse.transpose(0, 1).contiguous() if lse.shape[0] == query.shape[1] else lse


def covers(spans: Sequence[Span], length: int) -> bool:
    """Whether the spans, one after the other, are all `length` columns."""
    end = 0
    for start, stop in spans:
        if start != end:
            return False
        end = stop
    return end == length


def joined(spans: Sequence[Span]) -> list[Span]:
    """The same columns in as few spans: a span that starts where the previous one stops is joined to it."""
    runs: list[Span] = []
    for start, stop in spans:
        if runs and runs[-1][1] == start:
            start = runs.pop()[0]
        runs.append((start, stop))
    return runs


def gather(tensor: Tensor, spans: Sequence[Span]) -> Tensor:
    """The spans' columns one after the other; a view where they are contiguous."""
    runs = joined(spans)
    parts = [tensor[start:stop] for start, stop in runs]
    return parts[0] if len(parts) == 1 else torch.cat(parts)


@lru_cache(maxsize=64)
def _ends(spans: tuple[Span, ...], device: torch.device) -> Tensor:
    """[1 + spans] int32: where each span begins in the result of `gather`.

    The same in every layer, so sent to the device once.
    """
    ends = [0]
    for start, stop in spans:
        ends.append(ends[-1] + stop - start)
    # training could not use a cached tensor that was made in inference mode
    with torch.inference_mode(False):
        return torch.tensor(ends, dtype=torch.int32, device=device)
