"""Differentiable attention for packed rows: every sequence sees itself, causally, and no other.

It is registered with transformers' own attention interface under our own name, for which no mask function
exists: transformers then builds no mask and does not try to detect packing. The call itself says which
columns see each other, as a `Plan`. Whatever could make neighbours visible (a mask, a cache) is an error.

`KERNELS` lists the kernels, best first. `choose` takes the first whose output and gradients agree with plain
attention, sequence by sequence, on this machine.

Symbols of shapes: T tokens of a row, H query heads, H_kv key-value heads, D head size.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import pad, scaled_dot_product_attention
from transformers import AttentionInterface, PreTrainedModel

from judgestream.engine.attention import AttentionStep, varlen
from judgestream.engine.packing import Span

log = logging.getLogger(__name__)

NAME = "judgestream-packed"
"""The name of this attention in transformers."""

TOLERANCE = {torch.float32: 1e-4, torch.float16: 1e-2, torch.bfloat16: 5e-2}

PADDING = 1.25
"""Largest ratio of the longest to the shortest sequence of a bucket."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Bucket:
    """Sequences of similar length, padded on the right: causal attention never sees what comes later.

    take   [sequences * longest] int64: the column in each place; in the padding, its sequence's first column
    place  [tokens of the bucket] int64: the places that hold tokens, in the order of `take`
    shape  (sequences, longest)
    """

    take: Tensor
    place: Tensor
    shape: tuple[int, int]


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """The sequences of one packed row, which see themselves only.

    spans    columns of the sequences, one after the other
    buckets  for the kernel that runs sequences of similar length together
    order    [T] takes the buckets' outputs, one after the other, back to the row's columns
    cache    what a kernel derives from the plan, made once
    """

    kernel: "Kernel"
    spans: tuple[Span, ...]
    buckets: tuple[Bucket, ...]
    order: Tensor
    cache: dict[str, Any] = field(default_factory=dict)

    @property
    def tokens(self) -> int:
        return self.spans[-1][1]

    @property
    def longest(self) -> int:
        return max(stop - start for start, stop in self.spans)


Kernel = Callable[[Tensor, Tensor, Tensor, Plan, float], Tensor]
"""query [H, T, D], key and value [H_kv, T, D], plan, scale -> output [H, T, D], with gradients."""


def plan(kernel: Kernel, lengths: Sequence[int], device: torch.device) -> Plan:
    """The plan of a row with sequences of these lengths."""
    spans: list[Span] = []
    for length in lengths:
        start = spans[-1][1] if spans else 0
        spans.append((start, start + length))
    buckets = [_bucket(held, device) for held in _similar(spans)]
    columns = torch.cat([bucket.take[bucket.place] for bucket in buckets])
    return Plan(
        kernel=kernel, spans=tuple(spans), buckets=tuple(buckets), order=torch.argsort(columns)
    )


def sequences(query: Tensor, key: Tensor, value: Tensor, plan: Plan, scale: float) -> Tensor:
    """The definition: torch's attention, one sequence at a time. Runs on any device."""
    return torch.cat(
        [
            _causal(query[None, :, a:b], key[None, :, a:b], value[None, :, a:b], scale)[0]
            for a, b in plan.spans
        ],
        1,
    )


def buckets(query: Tensor, key: Tensor, value: Tensor, plan: Plan, scale: float) -> Tensor:
    """Sequences of similar length at once: fewer, larger calls."""
    outputs = []
    for bucket in plan.buckets:
        q, k, v = (
            part.index_select(1, bucket.take).view(len(part), *bucket.shape, -1).transpose(0, 1)
            for part in (query, key, value)
        )
        mixed = _causal(q, k, v, scale).transpose(0, 1).flatten(1, 2)
        outputs.append(mixed.index_select(1, bucket.place))
    return torch.cat(outputs, 1).index_select(1, plan.order)


def flash(query: Tensor, key: Tensor, value: Tensor, plan: Plan, scale: float) -> Tensor:
    """torch's FlashAttention for CUDA, the whole row in one launch."""
    step = AttentionStep(queries=plan.spans, keys=plan.spans, causal=True)
    output, _ = varlen(
        query.transpose(0, 1), key.transpose(0, 1), value.transpose(0, 1), step, scale
    )
    return output.transpose(0, 1)


def flex(query: Tensor, key: Tensor, value: Tensor, plan: Plan, scale: float) -> Tensor:
    """torch's compiled flex_attention, with the sequences as documents of a block mask."""
    from torch.nn.attention.flex_attention import create_block_mask, flex_attention

    length = -(-plan.tokens // 128) * 128
    if "flex" not in plan.cache:
        lengths = torch.tensor([b - a for a, b in plan.spans] + [length - plan.tokens])
        document = torch.repeat_interleave(torch.arange(len(lengths)), lengths).to(query.device)

        def visible(batch: Tensor, head: Tensor, row: Tensor, column: Tensor) -> Tensor:
            return (document[row] == document[column]) & (row >= column)

        plan.cache["flex"] = create_block_mask(
            visible, None, None, length, length, device=str(query.device)
        )
    kernel: Any = torch.compile(flex_attention) if query.is_cuda else flex_attention
    q, k, v = (pad(part, (0, 0, 0, length - plan.tokens))[None] for part in (query, key, value))
    output: Tensor = kernel(
        q, k, v, block_mask=plan.cache["flex"], scale=scale, enable_gqa=len(query) != len(key)
    )
    return output[0, :, : plan.tokens]


KERNELS: dict[str, Kernel] = {
    "cuda-varlen": flash,
    "cuda-flex": flex,
    "buckets": buckets,
    "sequences": sequences,
}


def choose(device: torch.device, dtype: torch.dtype, heads: int, kv_heads: int, width: int) -> str:
    """The name of the first kernel whose output and gradients agree with `sequences` in fp32 here."""
    generator = torch.Generator().manual_seed(1)
    lengths = (40, 1, 55, 7, 52)
    shapes = ((heads, 155, width), (kv_heads, 155, width), (kv_heads, 155, width))
    parts = [torch.randn(shape, generator=generator).to(device, dtype) for shape in shapes]
    expected = _outcome(sequences, [part.float() for part in parts], lengths)
    for name, kernel in KERNELS.items():
        if name.startswith("cuda") and device.type != "cuda":
            continue
        try:
            actual = _outcome(kernel, parts, lengths)
            torch.testing.assert_close(
                actual, expected, atol=TOLERANCE[dtype], rtol=TOLERANCE[dtype]
            )
        except Exception as error:
            log.warning("training attention %s is not usable here: %s", name, error)
            continue
        return name
    raise RuntimeError(f"no training attention works on {device} with {dtype}")


def prepare(model: PreTrainedModel) -> None:
    """Make a transformers model use this attention, and raise an error for a cache or a mask.

    transformers makes a cache by default; then the sequences of two calls would see each other.
    """
    AttentionInterface.register(NAME, packed)
    model.set_attn_implementation(NAME)
    model.config.use_cache = False
    model.base_model.register_forward_pre_hook(_refuse, with_kwargs=True)


def packed(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float,
    *,
    plan: Plan | None = None,
    sliding_window: int | None = None,
    **others: object,
) -> tuple[Tensor, None]:
    """transformers' attention function: query [1, H, T, D], key, value [1, H_kv, T, D] -> [1, T, H, D].

    Raises:
        ValueError: no plan, or something that lets sequences see each other.
    """
    if plan is None or attention_mask is not None:
        raise ValueError(
            "packed attention needs a plan and no mask: sequences would see each other"
        )
    if query.shape[0] != 1 or not query.shape[2] == key.shape[2] == plan.tokens:
        raise ValueError(
            f"packed attention got {tuple(query.shape)} queries and {key.shape[2]} keys for one row of"
            f" {plan.tokens} tokens: do not pass a cache, or another row's plan"
        )
    if sliding_window is not None and plan.longest > sliding_window:
        raise ValueError(
            f"a sequence of {plan.longest} tokens exceeds the model's sliding window of {sliding_window}"
        )
    output = plan.kernel(query[0], key[0], value[0], plan, scaling)
    return output.transpose(0, 1)[None], None


def _refuse(module: nn.Module, args: tuple[object, ...], kwargs: dict[str, Any]) -> None:
    named = [name for name in ("past_key_values", "attention_mask") if kwargs.get(name) is not None]
    if kwargs.get("use_cache", module.config.use_cache):  # type: ignore[union-attr]
        named.append("use_cache")
    if named or kwargs.get("plan") is None:
        raise ValueError(
            f"a packed row needs a plan, no cache and no mask; given: {named or 'no plan'}"
        )


def _outcome(kernel: Kernel, parts: Sequence[Tensor], lengths: Sequence[int]) -> list[Tensor]:
    """Output and gradients, in fp32, of a fixed loss."""
    inputs = [part.detach().clone().requires_grad_() for part in parts]
    row_plan = plan(kernel, lengths, parts[0].device)
    output = kernel(inputs[0], inputs[1], inputs[2], row_plan, parts[0].shape[-1] ** -0.5)
    weights = torch.linspace(-1, 1, output.numel(), device=output.device).view(output.shape)
    gradients = torch.autograd.grad((output.float() * weights).sum(), inputs)
    return [tensor.detach().float() for tensor in (output, *gradients)]


def _causal(query: Tensor, key: Tensor, value: Tensor, scale: float) -> Tensor:
    grouped = query.shape[1] != key.shape[1]
    dtype = query.dtype
    if query.device.type == "cpu":  # torch's backward for CPUs is 10 times slower in bf16
        query, key, value = query.float(), key.float(), value.float()
    return scaled_dot_product_attention(
        query, key, value, is_causal=True, scale=scale, enable_gqa=grouped
    ).to(dtype)


def _similar(spans: Sequence[Span]) -> list[list[Span]]:
    """Groups of spans of similar length: none is longer than `PADDING` times the shortest of its group."""
    groups: list[list[Span]] = []
    for span in sorted(spans, key=lambda span: span[1] - span[0]):
        length = span[1] - span[0]
        if groups and length <= PADDING * (groups[-1][0][1] - groups[-1][0][0]):
            groups[-1].append(span)
        else:
            groups.append([span])
    return groups


def _bucket(spans: Sequence[Span], device: torch.device) -> Bucket:
    longest = max(stop - start for start, stop in spans)
    starts = torch.tensor([start for start, _ in spans])[:, None]
    lengths = torch.tensor([stop - start for start, stop in spans])[:, None]
    offsets = torch.arange(longest)[None]
    inside = offsets < lengths
    take = torch.where(inside, starts + offsets, starts)
    return Bucket(
        take=take.flatten().to(device),
        place=inside.flatten().nonzero()[:, 0].to(device),
        shape=(len(spans), longest),
    )
