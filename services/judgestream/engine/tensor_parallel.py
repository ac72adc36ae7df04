"""One judge over several GPUs: every layer is split by heads and by MLP columns (tensor parallel).

As in Megatron-LM (Shoeybi et al. 2019, section 3), q, k, v, gate and up are split by their outputs, o and
down by their inputs. Each device computes its heads and its part of the MLP alone, and only two sums per
layer cross devices. One process and one thread drive all devices: launches on GPUs return at once, so the
devices run concurrently, and peer copies wait for their inputs in stream order. There is no process group
and no NCCL.

The pieces between attentions are plain functions, which can be compiled: torch then fuses norms, rotary
positions, activation and residuals. With a single device, compiling is the reason to use this decoder.

Symbols of shapes as in `decoder`; H, H_kv and F are those of one device.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import rms_norm
from transformers import PreTrainedModel

from judgestream.core.errors import ConfigurationError
from judgestream.engine.decoder import (
    AttentionFn,
    Decoder,
    Layer,
    OuterWeights,
    Sizes,
    head_of,
    quantised,
)
from judgestream.engine.linear import Quantisation, free_weights, gated, linear

ROWS_PER_OWNER = 256
"""A sum of fewer rows than this is computed on one device: a copy costs more than it saves."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """One device's share of every layer, and its number of heads."""

    device: torch.device
    layers: tuple[Layer, ...]
    heads: int
    kv_heads: int


class SplitDecoder(Decoder):
    """A decoder over the devices of `parts`. Attention of layer n on device s has number `n * shards + s`.

    Embedding, last norm and head are on the first device: they are small, and few columns are read.
    """

    def __init__(
        self, parts: Sequence[Part], outer: OuterWeights, sizes: Sizes, *, compiled: bool = False
    ) -> None:
        super().__init__(parts[0].layers, outer, sizes, shards=len(parts))
        self._parts = list(parts)
        self._compiled = compiled
        prepare = _compile if compiled else _uncompiled
        self._project: Callable[..., tuple[Tensor, Tensor, Tensor, Tensor]] = prepare(project)
        self._feed: Callable[..., tuple[Tensor, Tensor]] = prepare(feed)

    @classmethod
    def from_model(
        cls,
        model: PreTrainedModel,
        devices: Sequence[torch.device | str] = (),
        *,
        compiled: bool = False,
    ) -> "SplitDecoder":
        """Move the model's weights, layer by layer, to the devices (default: the model's own).

        The model is usually on a CPU: no single device needs room for all of it. Afterwards the
        transformers model cannot compute.

        Raises:
            ConfigurationError: heads or MLP cannot be split over this number of devices.
            ValueError: unsupported model type.
        """
        sizes = Sizes.of(model)
        targets = [torch.device(device) for device in devices or (model.device,)]
        shares = [_Share(model.config, s, len(targets), sizes.width) for s in range(len(targets))]
        layers: list[list[Layer]] = [[] for _ in targets]
        modules: Any = model
        for layer in modules.model.layers:
            for share, target, taken in zip(shares, targets, layers, strict=True):
                taken.append(share.of(layer, target))
            free_weights(layer)
        place_modules(model, targets[0])
        parts = [
            Part(device=target, layers=tuple(taken), heads=share.heads, kv_heads=share.kv_heads)
            for share, target, taken in zip(shares, targets, layers, strict=True)
        ]
        return cls(parts, OuterWeights.of(model), sizes, compiled=compiled)

    @property
    def flops_per_token(self) -> int:
        return sum(layer.flops_per_token for part in self._parts for layer in part.layers)

    def quantise(self, quantisation: Quantisation) -> None:
        """Layer by layer, so that a device never holds two forms of more than one layer."""
        self.layers = ()
        for s, part in enumerate(self._parts):
            layers = list(part.layers)
            self._parts[s] = replace(part, layers=())
            del part
            for n, layer in enumerate(layers):
                layers[n] = quantised(layer, quantisation)
            self._parts[s] = replace(self._parts[s], layers=tuple(layers))
        self.layers = self._parts[0].layers

    def forward(
        self, ids: Tensor, positions: Tensor, attention: AttentionFn, *, read: Tensor | None = None
    ) -> Tensor:
        """Normalised last states of the columns `read` [N] (default: of all T), on the first device: [N, E].

        ids, positions  [T] int64
        attention       is called per layer and device; in the last layer it gets the queries of the
                        read columns only
        """
        embedded = self._outer.embedding[ids]  # [T, E]
        angles = self._angles(positions)  # cos and sin, each [T, 1, D / 2]
        # per device: states [T, E], what the last MLP adds to them [T, E], cos and sin
        states = [embedded.to(part.device) for part in self._parts]
        residuals = [torch.zeros_like(x) for x in states]
        rotations = [[angle.to(part.device) for angle in angles] for part in self._parts]
        if self._compiled:
            # otherwise every new number of tokens is compiled anew
            for tensor in (*states, *residuals, *(angle for pair in rotations for angle in pair)):
                torch._dynamo.mark_dynamic(tensor, 0)
        for n in range(len(self.layers)):
            columns = read if n == len(self.layers) - 1 else None
            states, residuals = self._across(n, states, residuals, rotations, attention, columns)
        last = states[0] + residuals[0]
        return rms_norm(last, (last.shape[-1],), self._outer.norm, self.eps)

    def _across(
        self,
        n: int,
        states: list[Tensor],
        residuals: Sequence[Tensor],
        rotations: Sequence[Sequence[Tensor]],
        attention: AttentionFn,
        read: Tensor | None,
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Layer n on all devices: the states before its MLP, and what the MLP adds to them.

        states, residuals  per device [T, E]; all devices hold the same numbers
        rotations          per device cos and sin, each [T, 1, D / 2]
        Returns two lists, per device [T, E], or [N, E] where only the columns `read` [N] are wanted.
        """
        kept: list[Tensor] = []
        sums: list[Tensor] = []
        for s, part in enumerate(self._parts):
            layer = part.layers[n]
            x, q, k, v = self._project(
                *(states[s], residuals[s], layer, *rotations[s]),
                *(part.heads, part.kv_heads, self.eps),
            )
            if read is not None:
                columns = read.to(part.device)
                x, q = x[columns], q[columns]
            mixed = attention(n * self.shards + s, q, k, v).reshape(len(x), -1)  # [N, H D]
            kept.append(x)
            sums.append(linear(mixed, layer.o_proj, layer.o_proj_bias))
        sums = total(sums)
        fed = [
            self._feed(kept[s], sums[s], part.layers[n], self.eps)
            for s, part in enumerate(self._parts)
        ]
        return [x for x, _ in fed], total([residual for _, residual in fed])


def place_modules(model: PreTrainedModel, device: torch.device) -> None:
    """Move everything but the layers to the device, in place."""
    modules: Any = model
    body = modules.model
    for module in (body.embed_tokens, body.norm, body.rotary_emb, head_of(model)):
        nn.Module.to(module, device)


def project(
    x: Tensor,
    residual: Tensor,
    layer: Layer,
    cos: Tensor,
    sin: Tensor,
    heads: int,
    kv_heads: int,
    eps: float,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """x + residual [T, E], and its rotated queries [T, H, D], rotated keys and values [T, H_kv, D]."""
    x = x + residual
    h = rms_norm(x, (x.shape[-1],), layer.input_norm, eps)
    qkv = linear(h, layer.qkv, layer.qkv_bias).view(len(x), heads + 2 * kv_heads, -1)
    q, k, v = torch.split(qkv, [heads, kv_heads, kv_heads], dim=1)
    if layer.query_norm is not None:
        q = rms_norm(q, (q.shape[-1],), layer.query_norm, eps)
    if layer.key_norm is not None:
        k = rms_norm(k, (k.shape[-1],), layer.key_norm, eps)
    return x, _rotated(q, cos, sin), _rotated(k, cos, sin), v


def feed(x: Tensor, residual: Tensor, layer: Layer, eps: float) -> tuple[Tensor, Tensor]:
    """x + residual [T, E], and what the MLP adds to it [T, E]."""
    x = x + residual
    h = rms_norm(x, (x.shape[-1],), layer.post_attention_norm, eps)
    inner = gated(h, layer.gate_up, layer.gate_up_bias)  # [T, F]
    return x, linear(inner, layer.down_proj, layer.down_proj_bias)


def total(parts: Sequence[Tensor]) -> list[Tensor]:
    """The sum of all parts [T, E], on the device of each.

    Every row is summed on one device and sent to the others (reduce-scatter, then gather), so all devices
    get the very same bits, and 2 (N - 1) / N of a part crosses.
    """
    if len(parts) == 1:
        return [parts[0]]
    owners = min(len(parts), 1 + len(parts[0]) // ROWS_PER_OWNER)
    pieces = [part.tensor_split(owners) for part in parts]
    sums = []
    for k in range(owners):
        piece_sum = pieces[0][k].to(parts[k].device, non_blocking=True)
        for piece in pieces[1:]:
            piece_sum = piece_sum + piece[k].to(parts[k].device, non_blocking=True)
        sums.append(piece_sum)
    return [
        torch.cat([piece.to(part.device, non_blocking=True) for piece in sums]) for part in parts
    ]


class _Share:
    """The rows and columns of a layer's weights that belong to device `s` of `shards`."""

    def __init__(self, config: Any, s: int, shards: int, width: int) -> None:
        heads, kv_heads = int(config.num_attention_heads), int(config.num_key_value_heads)
        inner = int(config.intermediate_size)
        shared = kv_heads % shards == 0
        if heads % shards or inner % shards or not (shared or shards % kv_heads == 0):
            raise ConfigurationError(
                f"tensor parallelism over {shards} devices is not possible: this model has {heads} heads,"
                f" {kv_heads} key-value heads and {inner} MLP columns. Use a number of devices that divides"
                " heads and MLP columns, and that divides the key-value heads or is a multiple of them"
            )
        self.heads = heads // shards
        self.kv_heads = kv_heads // shards if shared else 1
        first_kv = s * self.kv_heads if shared else s * kv_heads // shards
        self._s = s
        self._queries = slice(s * self.heads * width, (s + 1) * self.heads * width)
        self._keys = slice(first_kv * width, (first_kv + self.kv_heads) * width)
        self._inner = slice(s * inner // shards, (s + 1) * inner // shards)

    def of(self, layer: Any, device: torch.device) -> Layer:
        """This device's share of transformers' layer, copied to it."""
        attn, mlp = layer.self_attn, layer.mlp
        qkv = ((attn.q_proj, self._queries), (attn.k_proj, self._keys), (attn.v_proj, self._keys))
        gate_up = ((mlp.gate_proj, self._inner), (mlp.up_proj, self._inner))

        def copied(tensor: Tensor | None) -> Tensor | None:
            return None if tensor is None else tensor.detach().to(device)

        def rows(parts: Sequence[tuple[Any, slice]], name: str) -> Any:
            tensors = [getattr(module, name) for module, _ in parts]
            if tensors[0] is None:
                return None
            return torch.cat(
                [t.detach()[kept] for t, (_, kept) in zip(tensors, parts, strict=True)]
            ).to(device)

        def columns(module: Any, kept: slice) -> Tensor:
            weight: Tensor = module.weight.detach()[:, kept]
            return weight.contiguous().to(device)

        def first_only(bias: Tensor | None) -> Tensor | None:
            """The bias of a sum over devices is added by the first device alone."""
            return copied(bias) if self._s == 0 else None

        return Layer(
            input_norm=layer.input_layernorm.weight.detach().to(device),
            qkv=rows(qkv, "weight"),
            qkv_bias=rows(qkv, "bias"),
            query_norm=copied(getattr(getattr(attn, "q_norm", None), "weight", None)),
            key_norm=copied(getattr(getattr(attn, "k_norm", None), "weight", None)),
            o_proj=columns(attn.o_proj, self._queries),
            o_proj_bias=first_only(attn.o_proj.bias),
            post_attention_norm=layer.post_attention_layernorm.weight.detach().to(device),
            gate_up=rows(gate_up, "weight"),
            gate_up_bias=rows(gate_up, "bias"),
            down_proj=columns(mlp.down_proj, self._inner),
            down_proj_bias=first_only(mlp.down_proj.bias),
        )


def _rotated(states: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """As `decoder.rotate`, without writing in place: a compiler fuses this form."""
    a, b = states.chunk(2, dim=-1)
    return torch.cat((a * cos - b * sin, b * cos + a * sin), dim=-1)


def _compile(function: Callable[..., Any]) -> Any:
    """Compile the function, with room for its forms.

    Each device and a single row need separate forms: with eight devices more than torch's default of 8.
    """
    torch._dynamo.config.recompile_limit = max(64, torch._dynamo.config.recompile_limit)
    return torch.compile(function)


def _uncompiled(function: Callable[..., Any]) -> Callable[..., Any]:
    return function
