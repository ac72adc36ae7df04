"""The LLaMA architecture in plain torch, with the parameter names of transformers' `LlamaForCausalLM`.

For training small judges on one core, where a plain module is quicker than the general one; the test
holds its logits against transformers'. Batches are padded on the right and need no attention mask: causal
attention never looks at what comes later.
"""

from dataclasses import asdict, dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional


@dataclass(frozen=True, kw_only=True, slots=True)
class Shape:
    """A LLaMA's sizes. `vocab` counts tokens, `context` the longest input in tokens."""

    vocab: int
    hidden: int
    layers: int
    heads: int
    intermediate: int
    context: int
    rope_theta: float = 10000.0
    norm_eps: float = 1e-6

    def config(self, *, bos: int, eos: int, pad: int) -> dict[str, object]:
        """The `config.json` that transformers and the engine read."""
        return {
            "architectures": ["LlamaForCausalLM"],
            "model_type": "llama",
            "vocab_size": self.vocab,
            "hidden_size": self.hidden,
            "intermediate_size": self.intermediate,
            "num_hidden_layers": self.layers,
            "num_attention_heads": self.heads,
            "num_key_value_heads": self.heads,
            "head_dim": self.hidden // self.heads,
            "hidden_act": "silu",
            "max_position_embeddings": self.context,
            "rms_norm_eps": self.norm_eps,
            "rope_theta": self.rope_theta,
            "rope_scaling": None,
            "attention_bias": False,
            "mlp_bias": False,
            "tie_word_embeddings": True,
            "bos_token_id": bos,
            "eos_token_id": eos,
            "pad_token_id": pad,
            "torch_dtype": "float32",
        }


class RMSNorm(nn.Module):
    def __init__(self, size: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        return functional.rms_norm(x, (x.shape[-1],), self.weight, self.eps)


class Attention(nn.Module):
    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.heads = shape.heads
        self.q_proj, self.k_proj, self.v_proj, self.o_proj = (
            nn.Linear(shape.hidden, shape.hidden, bias=False) for _ in range(4)
        )

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        batch, length, width = x.shape
        q, k, v = (
            project(x).view(batch, length, self.heads, -1).transpose(1, 2)
            for project in (self.q_proj, self.k_proj, self.v_proj)
        )
        mixed = functional.scaled_dot_product_attention(
            _rotate(q, cos, sin), _rotate(k, cos, sin), v, is_causal=True
        )
        out: Tensor = self.o_proj(mixed.transpose(1, 2).reshape(batch, length, width))
        return out


class MLP(nn.Module):
    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(shape.hidden, shape.intermediate, bias=False)
        self.up_proj = nn.Linear(shape.hidden, shape.intermediate, bias=False)
        self.down_proj = nn.Linear(shape.intermediate, shape.hidden, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.down_proj(functional.silu(self.gate_proj(x)) * self.up_proj(x))
        return out


class Layer(nn.Module):
    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.self_attn = Attention(shape)
        self.mlp = MLP(shape)
        self.input_layernorm = RMSNorm(shape.hidden, shape.norm_eps)
        self.post_attention_layernorm = RMSNorm(shape.hidden, shape.norm_eps)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        x = x + self.self_attn(self.input_layernorm(x), cos, sin)
        out: Tensor = x + self.mlp(self.post_attention_layernorm(x))
        return out


class Backbone(nn.Module):
    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.embed_tokens = nn.Embedding(shape.vocab, shape.hidden)
        self.layers = nn.ModuleList(Layer(shape) for _ in range(shape.layers))
        self.norm = RMSNorm(shape.hidden, shape.norm_eps)


class Llama(nn.Module):
    """Embedding and output head share one matrix."""

    def __init__(self, shape: Shape, *, seed: int) -> None:
        super().__init__()
        self.shape = shape
        self.model = Backbone(shape)
        self._initialise(torch.Generator().manual_seed(seed))
        angles = torch.outer(
            torch.arange(shape.context).float(),
            shape.rope_theta
            ** (
                -torch.arange(0, shape.hidden // shape.heads, 2).float()
                * shape.heads
                / shape.hidden
            ),
        )
        self.register_buffer("cos", torch.cat((angles, angles), -1).cos(), persistent=False)
        self.register_buffer("sin", torch.cat((angles, angles), -1).sin(), persistent=False)
        self.cos: Tensor
        self.sin: Tensor

    def _initialise(self, generator: torch.Generator) -> None:
        for parameter in self.parameters():
            if parameter.dim() == 2:
                nn.init.normal_(parameter, std=0.02, generator=generator)

    def hidden_states(self, ids: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """States of right-padded token ids (batch, length): the last layer's, normalised, and those of
        the embedding and of every layer as they are; each (batch, length, hidden)."""
        length = ids.shape[1]
        cos, sin = self.cos[:length], self.sin[:length]
        states: list[Tensor] = [self.model.embed_tokens(ids)]
        for layer in self.model.layers:
            states.append(layer(states[-1], cos, sin))
        return self.model.norm(states[-1]), tuple(states)

    def logits(self, states: Tensor) -> Tensor:
        """Next-token logits of the given rows, (..., vocab)."""
        return functional.linear(states, self.model.embed_tokens.weight)


def parameter_count(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def shape_dict(shape: Shape) -> dict[str, object]:
    return asdict(shape)


def _rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    half = x.shape[-1] // 2
    turned = torch.cat((-x[..., half:], x[..., :half]), -1)
    return x * cos + turned * sin
