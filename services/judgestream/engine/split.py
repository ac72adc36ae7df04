"""One judge over several GPUs: every layer is split by heads and by MLP columns (tensor parallel).

As in Megatron-LM (Shoeybi et al. 2019, section 3): q, k, v, gate and up are split by their outputs, out and
down by their inputs, so each device computes its heads and its part of the MLP alone, and only two sums per
layer cross devices. One process and one thread do it all: launches on GPUs return at once, so the devices
work side by side while the thread goes on, and peer copies wait for what they need in stream order. No
process group, no NCCL, nothing that can lose a member.

The pieces between attentions are plain functions, which can be compiled: torch then fuses norms, rotary
positions, activation and residuals. With one device that is what this decoder is for.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import rms_norm
from transformers import PreTrainedModel

from judgestream.core.errors import ConfigurationError
from judgestream.engine.decoder import Decoder, Layer, Mix, quantised
from judgestream.engine.float8 import release
from judgestream.engine.linear import gated, linear

ROWS_PER_OWNER = 256
"""A sum of fewer rows than this is made on one device: a copy costs more than it saves."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """What one device holds of every layer, and how many heads that is."""

    device: torch.device
    layers: tuple[Layer, ...]
    heads: int
    kv_heads: int


class SplitDecoder(Decoder):
    """A decoder over `devices`. Attention of layer n on device s has number `n * shards + s`.

    Embedding, last norm and head stand on the first device: they are small, and few rows are read.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        devices: Sequence[torch.device | str],
        *,
        compiled: bool = False,
    ) -> None:
        """Take the model's weights, layer by layer, from wherever they are (a CPU, as a rule: the whole model
        need fit no device). The transformers model cannot compute any more.

        Raises:
            ConfigurationError: heads or MLP cannot be split over so many devices.
            ValueError: a model type that is not computed here.
        """
        self._devices = [torch.device(device) for device in devices]
        self._compiled = compiled
        self._parts: list[Part] = []
        super().__init__(model)
        self.shards = len(self._parts)
        made = _compile if compiled else _as_it_is
        self._project: Callable[..., tuple[Tensor, Tensor, Tensor, Tensor]] = made(project)
        self._feed: Callable[..., tuple[Tensor, Tensor]] = made(feed)

    @property
    def flops_per_token(self) -> int:
        return sum(layer.flops_per_token for part in self._parts for layer in part.layers)

    def quantise(self) -> None:
        """Layer by layer, so that a device never holds two forms of more than one."""
        self.layers = ()
        for s, part in enumerate(self._parts):
            layers = list(part.layers)
            self._parts[s] = replace(part, layers=())
            del part
            for n, layer in enumerate(layers):
                layers[n] = quantised(layer)
            self._parts[s] = replace(self._parts[s], layers=tuple(layers))
        self.layers = self._parts[0].layers

    def forward(
        self, ids: Tensor, positions: Tensor, mix: Mix, *, read: Tensor | None = None
    ) -> Tensor:
        first = self._embedding[ids]
        angles = self._angles(positions)
        xs = [first.to(part.device) for part in self._parts]
        turns = [[angle.to(part.device) for angle in angles] for part in self._parts]
        added = [torch.zeros_like(x) for x in xs]
        if self._compiled:
            for rows in (*xs, *added, *(angle for both in turns for angle in both)):
                torch._dynamo.mark_dynamic(rows, 0)  # else each new number of rows is compiled anew
        for n in range(len(self.layers)):
            asked = read if n == len(self.layers) - 1 else None
            xs, added = self._across(n, xs, added, turns, mix, asked)
        last = xs[0] + added[0]
        return rms_norm(last, (last.shape[-1],), self._norm, self.eps)

    def _across(
        self,
        n: int,
        xs: list[Tensor],
        added: Sequence[Tensor],
        turns: Sequence[Sequence[Tensor]],
        mix: Mix,
        read: Tensor | None,
    ) -> tuple[list[Tensor], list[Tensor]]:
        """One layer on all devices: the states before its MLP, and what that adds to them."""
        states, sums = [], []
        for s, part in enumerate(self._parts):
            layer = part.layers[n]
            x, q, k, v = self._project(
                xs[s], added[s], layer, *turns[s], part.heads, part.kv_heads, self.eps
            )
            if read is not None:
                rows = read.to(part.device)
                x, q = x[rows], q[rows]
            mixed = mix(n * self.shards + s, q, k, v).reshape(len(x), -1)
            states.append(x)
            sums.append(linear(mixed, layer.out, layer.out_bias))
        sums = total(sums)
        fed = [
            self._feed(states[s], sums[s], part.layers[n], self.eps)
            for s, part in enumerate(self._parts)
        ]
        return [x for x, _ in fed], total([more for _, more in fed])

    def _take(self, body: Any) -> tuple[Layer, ...]:
        shares = [
            _Share(body.config, s, len(self._devices), self.width)
            for s in range(len(self._devices))
        ]
        taken: list[list[Layer]] = [[] for _ in shares]
        for layer in body.layers:
            for share, device, layers in zip(shares, self._devices, taken, strict=True):
                layers.append(share.of(layer, device))
            release(layer)
        for share, device, layers in zip(shares, self._devices, taken, strict=True):
            self._parts.append(
                Part(
                    device=device,
                    layers=tuple(layers),
                    heads=share.heads,
                    kv_heads=share.kv_heads,
                )
            )
        return self._parts[0].layers

    def _settle(self, modules: Any) -> None:
        for module in (
            modules.model.embed_tokens,
            modules.model.norm,
            modules.model.rotary_emb,
            modules.lm_head,
        ):
            nn.Module.to(module, self._devices[0])


def project(
    x: Tensor,
    added: Tensor,
    layer: Layer,
    cos: Tensor,
    sin: Tensor,
    heads: int,
    kv_heads: int,
    eps: float,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """x with what the layer before adds, and its queries, keys and values [T, heads, D], turned."""
    x = x + added
    h = rms_norm(x, (x.shape[-1],), layer.before, eps)
    both = linear(h, layer.qkv, layer.qkv_bias).view(len(x), heads + 2 * kv_heads, -1)
    q, k, v = torch.split(both, [heads, kv_heads, kv_heads], dim=1)
    if layer.query_norm is not None:
        q = rms_norm(q, (q.shape[-1],), layer.query_norm, eps)
    if layer.key_norm is not None:
        k = rms_norm(k, (k.shape[-1],), layer.key_norm, eps)
    return x, _turn(q, cos, sin), _turn(k, cos, sin), v


def feed(x: Tensor, added: Tensor, layer: Layer, eps: float) -> tuple[Tensor, Tensor]:
    """x with what attention adds, and what the MLP adds to that."""
    x = x + added
    h = rms_norm(x, (x.shape[-1],), layer.between, eps)
    return x, linear(gated(h, layer.gate_up, layer.gate_up_bias), layer.down, layer.down_bias)


def total(parts: Sequence[Tensor]) -> list[Tensor]:
    """The sum of all parts, on the device of each: every row is summed on one device and sent to the others
    (reduce-scatter, then gather), so all get the very same bits, and 2 (N - 1) / N of a part crosses."""
    if len(parts) == 1:
        return [parts[0]]
    owners = min(len(parts), 1 + len(parts[0]) // ROWS_PER_OWNER)
    pieces = [part.tensor_split(owners) for part in parts]
    sums = []
    for k in range(owners):
        sum_ = pieces[0][k].to(parts[k].device, non_blocking=True)
        for piece in pieces[1:]:
            sum_ = sum_ + piece[k].to(parts[k].device, non_blocking=True)
        sums.append(sum_)
    return [torch.cat([one.to(part.device, non_blocking=True) for one in sums]) for part in parts]


class _Share:
    """Which rows and columns of a layer's weights belong to device s of N."""

    def __init__(self, config: Any, s: int, shards: int, width: int) -> None:
        heads, kv_heads = int(config.num_attention_heads), int(config.num_key_value_heads)
        inner = int(config.intermediate_size)
        shared = kv_heads % shards == 0
        if heads % shards or inner % shards or not (shared or shards % kv_heads == 0):
            raise ConfigurationError(
                f"tensor parallel over {shards} devices: this model has {heads} heads, {kv_heads} key"
                f" heads and {inner} MLP columns, which cannot be divided so; take a number that divides"
                " them all (key heads may be fewer, and then must divide it)"
            )
        self.heads = heads // shards
        self.kv_heads = kv_heads // shards if shared else 1
        first_kv = s * self.kv_heads if shared else s * kv_heads // shards
        self._s = s
        self._queries = slice(s * self.heads * width, (s + 1) * self.heads * width)
        self._keys = slice(first_kv * width, (first_kv + self.kv_heads) * width)
        self._inner = slice(s * inner // shards, (s + 1) * inner // shards)

    def of(self, layer: Any, device: torch.device) -> Layer:
        attn, mlp = layer.self_attn, layer.mlp
        qkv = ((attn.q_proj, self._queries), (attn.k_proj, self._keys), (attn.v_proj, self._keys))
        gate_up = ((mlp.gate_proj, self._inner), (mlp.up_proj, self._inner))

        def sent(tensor: Tensor | None) -> Tensor | None:
            return None if tensor is None else tensor.detach().to(device)

        def rows(parts: Sequence[tuple[Any, slice]], name: str) -> Any:
            tensors = [getattr(linear_, name) for linear_, _ in parts]
            if tensors[0] is None:
                return None
            return torch.cat(
                [t.detach()[kept] for t, (_, kept) in zip(tensors, parts, strict=True)]
            ).to(device)

        def columns(linear_: Any, kept: slice) -> Tensor:
            weight: Tensor = linear_.weight.detach()[:, kept]
            return weight.contiguous().to(device)

        def once(tensor: Tensor | None) -> Tensor | None:
            """A bias of what is summed over the devices is added by the first of them."""
            return sent(tensor) if self._s == 0 else None

        return Layer(
            before=layer.input_layernorm.weight.detach().to(device),
            qkv=rows(qkv, "weight"),
            qkv_bias=rows(qkv, "bias"),
            query_norm=sent(getattr(getattr(attn, "q_norm", None), "weight", None)),
            key_norm=sent(getattr(getattr(attn, "k_norm", None), "weight", None)),
            out=columns(attn.o_proj, self._queries),
            out_bias=once(attn.o_proj.bias),
            between=layer.post_attention_layernorm.weight.detach().to(device),
            gate_up=rows(gate_up, "weight"),
            gate_up_bias=rows(gate_up, "bias"),
            down=columns(mlp.down_proj, self._inner),
            down_bias=once(mlp.down_proj.bias),
        )


def _turn(states: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """As `decoder.turn`, without writing in place: a compiler fuses this form."""
    a, b = states.chunk(2, dim=-1)
    return torch.cat((a * cos - b * sin, b * cos + a * sin), dim=-1)


def _compile(function: Callable[..., Any]) -> Any:
    """Each device and a single row have forms of their own: over eight devices more than torch's usual 8."""
    torch._dynamo.config.recompile_limit = max(64, torch._dynamo.config.recompile_limit)
    return torch.compile(function)


def _as_it_is(function: Callable[..., Any]) -> Callable[..., Any]:
    return function
