"""Validation of config.json, and the weights that its model must have.

The four families are those that the engine computes; names and shapes are transformers'. No torch.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from judgestream.checkpoints.shown import shown

FAMILIES = ("llama", "mistral", "qwen2", "qwen3")
"""transformers' `model_type`s whose layers are computed here."""

REWARD_CLASS = "ForSequenceClassification"
"""End of transformers' class name for a model with values instead of next-token probabilities."""

ROPE = ("default", "linear", "dynamic", "yarn", "longrope", "llama3")
DTYPES = ("float32", "float16", "bfloat16", "float64")
MAX_POSITIONS = 1 << 24

LIMITS: Mapping[str, tuple[int, int]] = {
    "vocab_size": (2, 1 << 22),
    "hidden_size": (1, 1 << 17),
    "intermediate_size": (1, 1 << 20),
    "num_hidden_layers": (1, 1000),
    "num_attention_heads": (1, 4096),
    "num_key_value_heads": (1, 4096),
    "head_dim": (1, 4096),
    "max_position_embeddings": (2, MAX_POSITIONS),
}

Shape = tuple[int, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Architecture:
    """The sizes of a model. `heads` x `width` may differ from `hidden`.

    reward   its head gives one value instead of next-token logits
    """

    family: str
    vocabulary: int
    hidden: int
    intermediate: int
    layers: int
    heads: int
    kv_heads: int
    width: int
    tied: bool
    attention_bias: bool
    mlp_bias: bool
    reward: bool = False

    @property
    def head(self) -> str:
        """Name of the head's weight."""
        return "score.weight" if self.reward else "lm_head.weight"

    def weights(self) -> Iterator[tuple[str, Shape]]:
        """Name and shape of every required weight. A tied head has no weight."""
        yield "model.embed_tokens.weight", (self.vocabulary, self.hidden)
        yield "model.norm.weight", (self.hidden,)
        if self.reward:
            yield self.head, (1, self.hidden)
        elif not self.tied:
            yield self.head, (self.vocabulary, self.hidden)
        for n in range(self.layers):
            for name, shape in self._layer():
                yield f"model.layers.{n}.{name}", shape

    def _layer(self) -> Iterator[tuple[str, Shape]]:
        queries, keys = self.heads * self.width, self.kv_heads * self.width
        qkv_bias = self.family == "qwen2" or self.attention_bias
        out_bias = self.family != "qwen2" and self.attention_bias
        yield "input_layernorm.weight", (self.hidden,)
        yield "post_attention_layernorm.weight", (self.hidden,)
        if self.family == "qwen3":
            yield "self_attn.q_norm.weight", (self.width,)
            yield "self_attn.k_norm.weight", (self.width,)
        for name, rows, columns, bias in (
            ("self_attn.q_proj", queries, self.hidden, qkv_bias),
            ("self_attn.k_proj", keys, self.hidden, qkv_bias),
            ("self_attn.v_proj", keys, self.hidden, qkv_bias),
            ("self_attn.o_proj", self.hidden, queries, out_bias),
            ("mlp.gate_proj", self.intermediate, self.hidden, self.mlp_bias),
            ("mlp.up_proj", self.intermediate, self.hidden, self.mlp_bias),
            ("mlp.down_proj", self.hidden, self.intermediate, self.mlp_bias),
        ):
            yield f"{name}.weight", (rows, columns)
            if bias:
                yield f"{name}.bias", (rows,)


def number_problems(config: Mapping[str, Any]) -> list[str]:
    """Invalid numbers of a config.json, for any model."""
    problems = []
    for name, (low, high) in LIMITS.items():
        value = config.get(name)
        if value is None and name in ("head_dim", "num_key_value_heads"):
            continue
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            problems.append(
                f"config.json: {name} is {shown(value)}, not a number from {low} to {high}"
            )
    if not problems:
        heads, kv_heads = config["num_attention_heads"], config.get("num_key_value_heads")
        if kv_heads and heads % kv_heads:
            problems.append(
                f"config.json: {heads} heads are not a multiple of {kv_heads} key-value heads"
            )
        if not config.get("head_dim") and config["hidden_size"] % heads:
            problems.append(
                f"config.json: hidden_size {config['hidden_size']} is not a multiple of {heads} heads"
            )
    return problems


def is_reward_model(config: Mapping[str, Any]) -> bool:
    """Whether a config.json is that of a model with values: `...ForSequenceClassification`."""
    names = config.get("architectures")
    return isinstance(names, list) and any(str(name).endswith(REWARD_CLASS) for name in names)


def reward_problems(config: Mapping[str, Any]) -> list[str]:
    """Why a reward model's config.json does not give one value per answer."""
    labels = config.get("id2label")
    # transformers' own default is two labels
    count = len(labels) if isinstance(labels, dict) else config.get("num_labels", 2)
    if count == 1 and not isinstance(count, bool):
        return []
    return [
        f"config.json: num_labels is {shown(count)}; a reward model has one value per answer: use a"
        " checkpoint with num_labels 1"
    ]


def engine_problems(config: Mapping[str, Any]) -> list[str]:
    """Features of a config.json that the engine does not support."""
    problems = []
    family = config.get("model_type")
    if family not in FAMILIES:
        problems.append(
            f"config.json: model type {shown(family)}; the engine supports {', '.join(FAMILIES)}"
        )
    rope = config.get("rope_parameters") or config.get("rope_scaling") or {}
    kind = (
        (rope.get("rope_type") or rope.get("type") or "default") if isinstance(rope, dict) else rope
    )
    if kind not in ROPE:
        problems.append(
            f"config.json: rope type {shown(kind)}; the engine supports {', '.join(ROPE)}"
        )
    activation = config.get("hidden_act", "silu")
    if activation not in ("silu", "swish"):
        problems.append(f"config.json: activation {shown(activation)}; the engine computes silu")
    if config.get("quantization_config") or config.get("compression_config"):
        problems.append(
            "config.json: the weights are quantised; the engine supports float32, float16 and bfloat16"
            " weights only: use the checkpoint from which this one was made"
        )
    dtype = str(config.get("dtype") or config.get("torch_dtype") or "float32").removeprefix(
        "torch."
    )
    if dtype not in DTYPES:
        problems.append(
            f"config.json: dtype {shown(dtype)}; the engine supports {', '.join(DTYPES)}"
        )
    return problems


def architecture(config: Mapping[str, Any]) -> Architecture:
    """The sizes in a config.json without `number_problems` and of a supported family."""
    heads, family = config["num_attention_heads"], str(config["model_type"])
    kv_default = {"mistral": 8, "qwen2": 32, "qwen3": 32}.get(family, heads)
    width = config.get("head_dim") or (
        128 if family == "qwen3" and "head_dim" not in config else config["hidden_size"] // heads
    )
    return Architecture(
        family=family,
        vocabulary=config["vocab_size"],
        hidden=config["hidden_size"],
        intermediate=config["intermediate_size"],
        layers=config["num_hidden_layers"],
        heads=heads,
        kv_heads=config.get("num_key_value_heads")
        or (heads if "num_key_value_heads" in config else kv_default),
        width=width,
        tied=config.get("tie_word_embeddings", False) is True,
        attention_bias=family in ("llama", "qwen3") and config.get("attention_bias", False) is True,
        mlp_bias=family == "llama" and config.get("mlp_bias", False) is True,
        reward=is_reward_model(config),
    )
