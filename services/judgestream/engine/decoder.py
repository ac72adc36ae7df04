"""The LLaMA family's forward over packed rows, with the weights that transformers loaded.

transformers' own forward does more than a judge needs. A judge reads few columns, so the last layer computes
keys and values of every token, but queries, attention and MLP of the read columns only (a fifth of all work
at four layers). Separate projections are small matrices, which run faster as one. Weights are not held
twice: the modules' parameters become views of the fused ones, so the transformers model stays usable.

Symbols of shapes: T tokens of a row, N columns that are read, E hidden size, H query heads, H_kv key-value
heads, D head size, F MLP size.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn.functional import rms_norm
from transformers import PreTrainedModel

from judgestream.checkpoints.architecture import FAMILIES
from judgestream.engine import blocks, kernels, prepacked
from judgestream.engine.linear import Quantisation, Weight, added, gated, linear
from judgestream.engine.linear import quantised as quantised_weight
from judgestream.engine.prepacked import Prepacked

AttentionFn = Callable[[int, Tensor, Tensor, Tensor], Tensor]
"""One attention: its number (the layer's; a tensor-parallel layer has several), query [N, H, D], key and
value [T, H_kv, D] -> [N, H, D]."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Layer:
    """The weights of one decoder layer. In a tensor-parallel model H, H_kv and F are those of one device.

    input_norm, post_attention_norm   [E]
    qkv           [(H + 2 H_kv) D, E]: query, key and value projection stacked; bias [(H + 2 H_kv) D]
    query_norm, key_norm              [D], applied per head; Qwen3 only
    o_proj        [E, H D]; bias [E]
    gate_up       [2 F, E]: gate and up projection stacked; bias [2 F]
    down_proj     [E, F]; bias [E]
    """

    input_norm: Tensor
    qkv: Weight
    qkv_bias: Tensor | None
    query_norm: Tensor | None
    key_norm: Tensor | None
    o_proj: Weight
    o_proj_bias: Tensor | None
    post_attention_norm: Tensor
    gate_up: Weight
    gate_up_bias: Tensor | None
    down_proj: Weight
    down_proj_bias: Tensor | None

    @property
    def weights(self) -> int:
        """Number of elements of its matrices."""
        return sum(w.numel() for w in (self.qkv, self.o_proj, self.gate_up, self.down_proj))

    @property
    def flops_per_token(self) -> int:
        return 2 * self.weights


@dataclass(frozen=True, kw_only=True, slots=True)
class OuterWeights:
    """What stands around the layers.

    embedding   [vocabulary, E]
    norm        [E], applied to the last states
    head        [vocabulary, E]; of a reward model [1, E]
    rotary      transformers' module: knows the scaling of rotary positions
    """

    embedding: Tensor
    norm: Tensor
    head: Tensor
    rotary: nn.Module

    @classmethod
    def of(cls, model: PreTrainedModel) -> Self:
        modules: Any = model  # transformers does not type its parts
        return cls(
            embedding=modules.model.embed_tokens.weight,
            norm=modules.model.norm.weight,
            head=head_of(model).weight,
            rotary=modules.model.rotary_emb,
        )


def head_of(model: PreTrainedModel) -> nn.Linear:
    """The layer that turns states into logits, or into a reward model's values."""
    modules: Any = model
    head: nn.Linear = modules.score if hasattr(modules, "score") else modules.lm_head
    return head


@dataclass(frozen=True, kw_only=True, slots=True)
class Sizes:
    """Sizes of the whole model's attention; `eps` is that of its norms."""

    heads: int
    kv_heads: int
    width: int
    eps: float

    @classmethod
    def of(cls, model: PreTrainedModel) -> Self:
        """
        Raises:
            ValueError: unsupported model type.
        """
        config: Any = model.config
        if config.model_type not in FAMILIES:
            raise ValueError(
                f"unsupported model type {config.model_type!r}; supported: {', '.join(FAMILIES)}"
            )
        heads = int(config.num_attention_heads)
        return cls(
            heads=heads,
            kv_heads=int(config.num_key_value_heads),
            width=int(getattr(config, "head_dim", None) or config.hidden_size // heads),
            eps=float(config.rms_norm_eps),
        )


class Decoder:
    """A loaded model, ready for packed rows. Immutable but for `quantise`; as thread-safe as its kernel.

    shards  devices that each layer is split over
    """

    def __init__(
        self, layers: Sequence[Layer], outer: OuterWeights, sizes: Sizes, *, shards: int = 1
    ) -> None:
        self.layers = tuple(layers)
        self.heads, self.kv_heads, self.width = sizes.heads, sizes.kv_heads, sizes.width
        self.eps = sizes.eps
        self.shards = shards
        self._outer = outer
        self._rotations: tuple[Tensor, Tensor] | None = None
        shape = (self.heads, self.kv_heads, self.width)
        self.kernel_name = kernels.choose(self.device, self.dtype, *shape)
        self.kernel = kernels.KERNELS[self.kernel_name]
        tolerance = kernels.TOLERANCE[self.dtype]
        self.blocks = self.device.type == "cpu" and blocks.agrees(self.dtype, *shape, tolerance)
        if self.blocks:
            self.kernel_name = blocks.NAME

    @classmethod
    def from_model(cls, model: PreTrainedModel) -> "Decoder":
        """Fuse the model's weights, in place; on a CPU lay them out for its matrix products as well.

        Raises:
            ValueError: unsupported model type.
        """
        sizes = Sizes.of(model)
        modules: Any = model
        layers = [_fused(layer) for layer in modules.model.layers]
        return Decoder(_laid_out_for_cpu(layers), OuterWeights.of(model), sizes)

    @property
    def device(self) -> torch.device:
        return self._outer.embedding.device

    @property
    def dtype(self) -> torch.dtype:
        return self._outer.embedding.dtype

    @property
    def scale(self) -> float:
        return float(self.width**-0.5)

    @property
    def flops_per_token(self) -> int:
        """FLOPs of the linear layers, two per weight, as model FLOPs are usually counted."""
        return sum(layer.flops_per_token for layer in self.layers)

    @property
    def first_of_last_layer(self) -> int:
        """The number of the first attention whose queries are those of the read columns only."""
        return (len(self.layers) - 1) * self.shards

    def quantise(self, quantisation: Quantisation) -> None:
        """Quantise the linear layers. The transformers model keeps the original weights.

        Raises:
            ConfigurationError: the device or a shape does not support it.
        """
        self.layers = tuple(quantised(layer, quantisation) for layer in self.layers)

    def forward(
        self, ids: Tensor, positions: Tensor, attention: AttentionFn, *, read: Tensor | None = None
    ) -> Tensor:
        """Normalised last states of the columns `read` [N] (default: of all T): [N, E].

        ids, positions  [T] int64
        attention       gets, in the last layer, the queries of the read columns only
        """
        x = self._outer.embedding[ids]  # [T, E]
        cos, sin = self._angles(positions)
        last = len(self.layers) - 1
        for n, layer in enumerate(self.layers):
            x = self._layer(n, layer, x, cos, sin, attention, read if n == last else None)
        return rms_norm(x, (x.shape[-1],), self._outer.norm, self.eps)

    def logits(self, states: Tensor) -> Tensor:
        """Next-token logits in fp32: [..., E] -> [..., vocabulary]."""
        return linear(states, self._outer.head).float()

    def values(self, states: Tensor) -> Tensor:
        """A reward model's values in fp32, without rounding to the model's dtype: [..., E] -> [...]."""
        return states.float() @ self._outer.head[0].float()

    def _layer(
        self,
        n: int,
        layer: Layer,
        x: Tensor,
        cos: Tensor,
        sin: Tensor,
        attention: AttentionFn,
        read: Tensor | None,
    ) -> Tensor:
        """x [T, E] -> [T, E], or [N, E] where only the columns `read` [N] are wanted."""
        hidden = (x.shape[-1],)
        h = rms_norm(x, hidden, layer.input_norm, self.eps)
        queries = self.heads * self.width
        if read is None:
            qkv = linear(h, layer.qkv, layer.qkv_bias).view(len(x), -1, self.width)
            qk = qkv[:, : self.heads + self.kv_heads]
            self._norm_heads(qk[:, : self.heads], layer.query_norm)
            self._norm_heads(qk[:, self.heads :], layer.key_norm)
            qk = rotate(qk, cos, sin)
            q, k = qk[:, : self.heads], qk[:, self.heads :]
            v = qkv[:, self.heads + self.kv_heads :]
        else:
            bias = layer.qkv_bias
            kv = linear(h, layer.qkv[queries:], None if bias is None else bias[queries:])
            kv = kv.view(len(x), -1, self.width)
            k, v = kv[:, : self.kv_heads], kv[:, self.kv_heads :]
            self._norm_heads(k, layer.key_norm)
            k = rotate(k, cos, sin)
            q = linear(h[read], layer.qkv[:queries], None if bias is None else bias[:queries])
            q = q.view(len(read), self.heads, self.width)
            self._norm_heads(q, layer.query_norm)
            q = rotate(q, cos[read], sin[read])
            x = x[read]
        mixed = attention(n, q, k, v).reshape(len(x), queries)
        x = added(x, mixed, layer.o_proj, layer.o_proj_bias)
        h = rms_norm(x, hidden, layer.post_attention_norm, self.eps)
        inner = gated(h, layer.gate_up, layer.gate_up_bias)  # [N, F]
        return added(x, inner, layer.down_proj, layer.down_proj_bias)

    def _norm_heads(self, states: Tensor, weight: Tensor | None) -> None:
        """Normalise each head of [T, heads, D], in place."""
        if weight is not None:
            states.copy_(rms_norm(states, (self.width,), weight, self.eps))

    def _angles(self, positions: Tensor) -> tuple[Tensor, Tensor]:
        """cos and sin [T, 1, D / 2] at positions [T], from a table that grows on demand."""
        size = int(positions.max()) + 1
        if self._rotations is None or self._rotations[0].shape[0] < size:
            size = 1 << (size - 1).bit_length()
            every = torch.arange(size, device=self.device)[None]
            # transformers' module knows how each family scales its positions
            cos, sin = self._outer.rotary(self._outer.embedding[:1, None], every)
            half = self.width // 2
            self._rotations = (
                cos[0, :, None, :half].contiguous(),
                sin[0, :, None, :half].contiguous(),
            )
        cos, sin = self._rotations
        return cos[positions], sin[positions]


def rotate(states: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotary positions on heads [T, heads, D]: pairs are (i, i + D / 2), as in Hugging Face checkpoints."""
    out = torch.empty(states.shape, dtype=states.dtype, device=states.device)
    a, b = states.chunk(2, dim=-1)
    left, right = out.chunk(2, dim=-1)
    torch.mul(a, cos, out=left).addcmul_(b, sin, value=-1)
    torch.mul(b, cos, out=right).addcmul_(a, sin)
    return out


def quantised(layer: Layer, quantisation: Quantisation) -> Layer:
    """The layer with quantised weights; norms and biases are unchanged."""
    return _with_weights(layer, lambda weight: quantised_weight(weight, quantisation))


def prepacked_layer(layer: Layer) -> Layer:
    """The layer with its weights in the layout of oneDNN's matrix products."""
    return _with_weights(layer, lambda w: Prepacked.of(w) if isinstance(w, Tensor) else w)


def _laid_out_for_cpu(layers: Sequence[Layer]) -> Sequence[Layer]:
    """The layers prepacked where that works here and they are small enough; else as they are."""
    norm = layers[0].input_norm
    size = sum(layer.weights for layer in layers) * norm.dtype.itemsize
    if norm.device.type != "cpu" or size > prepacked.MOST_BYTES:
        return layers
    return [prepacked_layer(layer) for layer in layers] if prepacked.works(norm.dtype) else layers


def _with_weights(layer: Layer, change: Callable[[Weight], Weight]) -> Layer:
    return replace(
        layer,
        qkv=change(layer.qkv),
        o_proj=change(layer.o_proj),
        gate_up=change(layer.gate_up),
        down_proj=change(layer.down_proj),
    )


def _fused(layer: Any) -> Layer:
    """transformers' layer with its projections fused; its own parameters become views."""
    attn, mlp = layer.self_attn, layer.mlp
    qkv, qkv_bias = _fuse((attn.q_proj, attn.k_proj, attn.v_proj))
    gate_up, gate_up_bias = _fuse((mlp.gate_proj, mlp.up_proj))
    return Layer(
        input_norm=layer.input_layernorm.weight,
        qkv=qkv,
        qkv_bias=qkv_bias,
        query_norm=getattr(getattr(attn, "q_norm", None), "weight", None),
        key_norm=getattr(getattr(attn, "k_norm", None), "weight", None),
        o_proj=attn.o_proj.weight,
        o_proj_bias=attn.o_proj.bias,
        post_attention_norm=layer.post_attention_layernorm.weight,
        gate_up=gate_up,
        gate_up_bias=gate_up_bias,
        down_proj=mlp.down_proj.weight,
        down_proj_bias=mlp.down_proj.bias,
    )


def _fuse(parts: Sequence[nn.Linear]) -> tuple[Tensor, Tensor | None]:
    """One stacked weight [sum of outputs, E] (and bias) of these layers; theirs become views of it."""
    weight = torch.cat([part.weight.data for part in parts])
    bias = None
    if parts[0].bias is not None:
        bias = torch.cat([part.bias.data for part in parts])
    start = 0
    for part in parts:
        stop = start + part.weight.shape[0]
        part.weight.data = weight[start:stop]
        if bias is not None:
            part.bias.data = bias[start:stop]
        start = stop
    return weight, bias
