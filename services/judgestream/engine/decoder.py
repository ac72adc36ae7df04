"""The LLaMA family's forward over packed rows, with the weights that transformers loaded.

Why not transformers' own forward: a judge reads few rows, so the last layer needs keys and values of every
token but queries, attention and MLP of the read rows only (a fifth of all work at four layers); and its
separate projections are small matrices, which run faster as one. Weights are not copied twice: the
modules' parameters become views of the fused ones, so the transformers model stays usable.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import rms_norm
from transformers import PreTrainedModel

from judgestream.checkpoints.architecture import FAMILIES
from judgestream.engine import blocks, kernels, prepacked
from judgestream.engine.float8 import Float8
from judgestream.engine.linear import Weight, added, dense, gated, linear
from judgestream.engine.prepacked import Prepacked

Mix = Callable[[int, Tensor, Tensor, Tensor], Tensor]
"""One attention: its number (the layer's; in `split` a layer has several), query [N, H, D], key and value
[T, H_kv, D] -> [N, H, D]."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Layer:
    """One decoder layer. `qkv` and `gate_up` are stacked weights; biases and head norms may be missing."""

    before: Tensor
    qkv: Weight
    qkv_bias: Tensor | None
    query_norm: Tensor | None
    key_norm: Tensor | None
    out: Weight
    out_bias: Tensor | None
    between: Tensor
    gate_up: Weight
    gate_up_bias: Tensor | None
    down: Weight
    down_bias: Tensor | None

    @property
    def weights(self) -> int:
        """How many numbers its matrices have."""
        return sum(w.numel() for w in (self.qkv, self.out, self.gate_up, self.down))

    @property
    def flops_per_token(self) -> int:
        return 2 * self.weights


class Decoder:
    """A loaded model, ready for packed rows. Immutable; as safe for threads as its kernels are."""

    def __init__(self, model: PreTrainedModel) -> None:
        """Fuse the model's weights, in place.

        Raises:
            ValueError: a model type that is not computed here.
        """
        modules: Any = model  # transformers names its parts, and types none of them
        config = modules.config
        if config.model_type not in FAMILIES:
            raise ValueError(f"model type {config.model_type!r}; known: {', '.join(FAMILIES)}")
        body = modules.model
        self.heads = int(config.num_attention_heads)
        self.kv_heads = int(config.num_key_value_heads)
        self.width = int(getattr(config, "head_dim", None) or config.hidden_size // self.heads)
        self.eps = float(config.rms_norm_eps)
        self.shards = 1
        self.layers = self._take(body)
        self._settle(modules)
        self._embedding: Tensor = body.embed_tokens.weight
        self._norm: Tensor = body.norm.weight
        self._head: Tensor = modules.lm_head.weight
        self._rotary = body.rotary_emb
        self._turns: tuple[Tensor, Tensor] | None = None
        shape = (self.heads, self.kv_heads, self.width)
        self.kernel_name = kernels.choose(self.device, self.dtype, *shape)
        self.kernel = kernels.LADDER[self.kernel_name]
        tolerance = kernels.TOLERANCE[self.dtype]
        self.blocks = self.device.type == "cpu" and blocks.agrees(self.dtype, *shape, tolerance)
        if self.blocks:
            self.kernel_name = blocks.NAME

    @property
    def device(self) -> torch.device:
        return self._embedding.device

    @property
    def dtype(self) -> torch.dtype:
        return self._embedding.dtype

    @property
    def scale(self) -> float:
        return float(self.width**-0.5)

    @property
    def flops_per_token(self) -> int:
        """Of the linear layers, two per weight: what a model's FLOPs are usually counted as."""
        return sum(layer.flops_per_token for layer in self.layers)

    @property
    def first_of_last_layer(self) -> int:
        """The number of the first attention whose queries are those of the read columns only."""
        return (len(self.layers) - 1) * self.shards

    def quantise(self) -> None:
        """Linear layers in float8 from here on. The transformers model keeps the weights as they were."""
        self.layers = tuple(map(quantised, self.layers))

    def forward(
        self, ids: Tensor, positions: Tensor, mix: Mix, *, read: Tensor | None = None
    ) -> Tensor:
        """Normalised last states [N, hidden] of the `read` columns (default: of all T).

        `mix` gets, in the last layer, the queries of the read columns only.
        """
        x = self._embedding[ids]
        cos, sin = self._angles(positions)
        last = len(self.layers) - 1
        for n, layer in enumerate(self.layers):
            x = self._layer(n, layer, x, cos, sin, mix, read if n == last else None)
        return rms_norm(x, (x.shape[-1],), self._norm, self.eps)

    def logits(self, states: Tensor) -> Tensor:
        """Next-token logits in fp32, [..., vocabulary]."""
        return linear(states, self._head).float()

    def _take(self, body: Any) -> tuple[Layer, ...]:
        """The layers' weights, fused in place; on a CPU laid out for it as well."""
        layers = tuple(_layer(layer) for layer in body.layers)
        kind = layers[0].before
        size = sum(layer.weights for layer in layers) * kind.dtype.itemsize
        if kind.device.type != "cpu" or size > prepacked.MOST_BYTES:
            return layers
        return tuple(map(laid_out, layers)) if prepacked.works(kind.dtype) else layers

    def _settle(self, modules: Any) -> None:
        """What is no layer stays where it is."""

    def _layer(
        self,
        n: int,
        layer: Layer,
        x: Tensor,
        cos: Tensor,
        sin: Tensor,
        mix: Mix,
        read: Tensor | None,
    ) -> Tensor:
        hidden = (x.shape[-1],)
        h = rms_norm(x, hidden, layer.before, self.eps)
        queries = self.heads * self.width
        if read is None:
            both = linear(h, layer.qkv, layer.qkv_bias).view(len(x), -1, self.width)
            turned = both[:, : self.heads + self.kv_heads]
            self._norm_heads(turned[:, : self.heads], layer.query_norm)
            self._norm_heads(turned[:, self.heads :], layer.key_norm)
            turned = turn(turned, cos, sin)
            q, k = turned[:, : self.heads], turned[:, self.heads :]
            v = both[:, self.heads + self.kv_heads :]
        else:
            bias = layer.qkv_bias
            kv = linear(h, layer.qkv[queries:], None if bias is None else bias[queries:])
            kv = kv.view(len(x), -1, self.width)
            k, v = kv[:, : self.kv_heads], kv[:, self.kv_heads :]
            self._norm_heads(k, layer.key_norm)
            k = turn(k, cos, sin)
            q = linear(h[read], layer.qkv[:queries], None if bias is None else bias[:queries])
            q = q.view(len(read), self.heads, self.width)
            self._norm_heads(q, layer.query_norm)
            q = turn(q, cos[read], sin[read])
            x = x[read]
        mixed = mix(n, q, k, v).reshape(len(x), queries)
        x = added(x, mixed, layer.out, layer.out_bias)
        h = rms_norm(x, hidden, layer.between, self.eps)
        return added(x, gated(h, layer.gate_up, layer.gate_up_bias), layer.down, layer.down_bias)

    def _norm_heads(self, states: Tensor, weight: Tensor | None) -> None:
        if weight is not None:
            states.copy_(rms_norm(states, (self.width,), weight, self.eps))

    def _angles(self, positions: Tensor) -> tuple[Tensor, Tensor]:
        """cos and sin [T, 1, D / 2] at these positions, from a table that grows as it must."""
        most = int(positions.max()) + 1
        if self._turns is None or self._turns[0].shape[0] < most:
            size = 1 << (most - 1).bit_length()
            every = torch.arange(size, device=self.device)[None]
            cos, sin = self._rotary(
                self._embedding[:1, None], every
            )  # transformers knows the scalings
            half = self.width // 2
            self._turns = cos[0, :, None, :half].contiguous(), sin[0, :, None, :half].contiguous()
        cos, sin = self._turns
        return cos[positions], sin[positions]


def turn(states: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotary positions on heads [T, H, D]: pairs are (i, i + D / 2), as in Hugging Face checkpoints."""
    out = torch.empty(states.shape, dtype=states.dtype, device=states.device)
    a, b = states.chunk(2, dim=-1)
    left, right = out.chunk(2, dim=-1)
    torch.mul(a, cos, out=left).addcmul_(b, sin, value=-1)
    torch.mul(b, cos, out=right).addcmul_(a, sin)
    return out


def quantised(layer: Layer) -> Layer:
    """The layer with float8 weights; norms and biases stay as they are."""

    def eight(weight: Weight) -> Float8:
        plain = dense(weight)
        return plain if isinstance(plain, Float8) else Float8.of(plain)

    return _with_weights(layer, eight)


def laid_out(layer: Layer) -> Layer:
    """The layer with weights as a CPU's matrix products take them."""
    return _with_weights(layer, lambda w: Prepacked.of(w) if isinstance(w, Tensor) else w)


def _with_weights(layer: Layer, change: Callable[[Weight], Weight]) -> Layer:
    return replace(
        layer,
        qkv=change(layer.qkv),
        out=change(layer.out),
        gate_up=change(layer.gate_up),
        down=change(layer.down),
    )


def _layer(layer: Any) -> Layer:
    attn, mlp = layer.self_attn, layer.mlp
    qkv, qkv_bias = _fuse((attn.q_proj, attn.k_proj, attn.v_proj))
    gate_up, gate_up_bias = _fuse((mlp.gate_proj, mlp.up_proj))
    return Layer(
        before=layer.input_layernorm.weight,
        qkv=qkv,
        qkv_bias=qkv_bias,
        query_norm=getattr(getattr(attn, "q_norm", None), "weight", None),
        key_norm=getattr(getattr(attn, "k_norm", None), "weight", None),
        out=attn.o_proj.weight,
        out_bias=attn.o_proj.bias,
        between=layer.post_attention_layernorm.weight,
        gate_up=gate_up,
        gate_up_bias=gate_up_bias,
        down=mlp.down_proj.weight,
        down_bias=mlp.down_proj.bias,
    )


def _fuse(parts: Sequence[nn.Linear]) -> tuple[Tensor, Tensor | None]:
    """One weight (and bias) of these layers; theirs become views of it."""
    weight = torch.cat([part.weight.data for part in parts])
    bias = None
    if parts[0].bias is not None:
        bias = torch.cat([part.bias.data for part in parts])
    at = 0
    for part in parts:
        rows = part.weight.shape[0]
        part.weight.data = weight[at : at + rows]
        if bias is not None:
            part.bias.data = bias[at : at + rows]
        at += rows
    return weight, bias
