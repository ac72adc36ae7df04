"""A LLaMA model in a GGUF file, as a Hugging Face folder has it: config, tokenizer, weights. No torch.

transformers reads such files, too, but what it writes depends on its version. Here the same file gives the
same bytes everywhere, so the digest of what is built from it is known beforehand.

Format: the GGUF specification of ggml (github.com/ggml-org/ggml).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from judgestream.core.errors import ConfigurationError

Weights = NDArray[np.float32]

_LAYER: Mapping[str, str] = MappingProxyType(
    {
        "attn_q": "self_attn.q_proj",
        "attn_k": "self_attn.k_proj",
        "attn_v": "self_attn.v_proj",
        "attn_output": "self_attn.o_proj",
        "ffn_gate": "mlp.gate_proj",
        "ffn_up": "mlp.up_proj",
        "ffn_down": "mlp.down_proj",
        "attn_norm": "input_layernorm",
        "ffn_norm": "post_attention_layernorm",
    }
)
_WHOLE: Mapping[str, str] = MappingProxyType(
    dict(
        (
            ("token_embd.weight", "model.embed_tokens.weight"),
            ("output_norm.weight", "model.norm.weight"),
        )
    )
)
_CONTROL_NAMES = (("bos", "bos"), ("eos", "eos"), ("unk", "unknown"), ("pad", "padding"))
"""Control tokens by their names in Hugging Face's files and in GGUF."""
_ABSENT = ("dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix")
_CONTROL = 3
"""GGUF's type of control tokens."""


@dataclass(frozen=True, kw_only=True, slots=True)
class GgufLlama:
    """The parts of a folder. `config` and `tokenizer` are the content of their JSON files."""

    config: Mapping[str, Any]
    tokenizer: Mapping[str, Any]
    tokenizer_config: Mapping[str, Any]
    chat_template: str
    path: Path
    reader: Any = field(repr=False, compare=False)

    def weights(self) -> Iterator[tuple[str, Weights]]:
        """Name in transformers and fp32 values of every weight. A head tied to the embedding has none.

        Raises:
            ConfigurationError: an unknown weight.
        """
        from gguf.quants import dequantize

        heads = {
            "attn_q": int(self.config["num_attention_heads"]),
            "attn_k": int(self.config["num_key_value_heads"]),
        }
        for tensor in self.reader.tensors:
            values = np.asarray(dequantize(tensor.data, tensor.tensor_type), dtype=np.float32)
            values = values.reshape(tuple(int(size) for size in reversed(tensor.shape)))
            name, kind = _name(tensor.name, self.path)
            if kind in heads:
                values = _unpermuted(values, heads[kind])
            yield name, values


def read_gguf(path: Path) -> GgufLlama:
    """Read everything but the weights.

    Raises:
        ConfigurationError: not a GGUF file, or not of the LLaMA architecture with a byte-level tokenizer.
    """
    from gguf import GGUFReader

    try:
        reader = GGUFReader(path)
        fields = {name: entry.contents() for name, entry in reader.fields.items()}
    except (OSError, ValueError, IndexError) as error:
        raise ConfigurationError(f"{path} is not a readable GGUF file: {error}") from error
    if (
        fields.get("general.architecture") != "llama"
        or fields.get("tokenizer.ggml.model") != "gpt2"
    ):
        raise ConfigurationError(
            f"{path}: unsupported GGUF model: only LLaMA models with a byte-level BPE tokenizer can be read"
        )
    try:
        return GgufLlama(
            config=_config(fields),
            tokenizer=_tokenizer(fields),
            tokenizer_config=_tokenizer_config(fields),
            chat_template=str(fields["tokenizer.chat_template"]),
            path=path,
            reader=reader,
        )
    except KeyError as error:
        raise ConfigurationError(f"{path} lacks the GGUF field {error}") from error


def _config(fields: Mapping[str, Any]) -> dict[str, Any]:
    hidden, heads = fields["llama.embedding_length"], fields["llama.attention.head_count"]
    return {
        "model_type": "llama",
        "architectures": ["LlamaForCausalLM"],
        "vocab_size": fields["llama.vocab_size"],
        "hidden_size": hidden,
        "intermediate_size": fields["llama.feed_forward_length"],
        "num_hidden_layers": fields["llama.block_count"],
        "num_attention_heads": heads,
        "num_key_value_heads": fields["llama.attention.head_count_kv"],
        "head_dim": hidden // heads,
        "hidden_act": "silu",
        "max_position_embeddings": fields["llama.context_length"],
        # the file has single precision: the shortest decimal that gives the same float32
        "rms_norm_eps": float(str(np.float32(fields["llama.attention.layer_norm_rms_epsilon"]))),
        "rope_parameters": {"rope_type": "default", "rope_theta": fields["llama.rope.freq_base"]},
        "attention_bias": False,
        "mlp_bias": False,
        "tie_word_embeddings": True,
        "bos_token_id": fields["tokenizer.ggml.bos_token_id"],
        "eos_token_id": fields["tokenizer.ggml.eos_token_id"],
        "pad_token_id": fields["tokenizer.ggml.padding_token_id"],
        "dtype": "bfloat16",
    }


def _tokenizer(fields: Mapping[str, Any]) -> dict[str, Any]:
    tokens, kinds = fields["tokenizer.ggml.tokens"], fields["tokenizer.ggml.token_type"]
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {
                "id": number,
                "content": token,
                "single_word": False,
                "lstrip": False,
                "rstrip": False,
                "normalized": False,
                "special": True,
            }
            for number, (token, kind) in enumerate(zip(tokens, kinds, strict=True))
            if kind == _CONTROL
        ],
        "normalizer": None,
        "pre_tokenizer": {**byte_level, "use_regex": True},
        "post_processor": None,
        "decoder": {**byte_level, "use_regex": True},
        "model": {
            "type": "BPE",
            **dict.fromkeys(_ABSENT),
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": False,
            "vocab": {token: number for number, token in enumerate(tokens)},
            "merges": [merge.split(" ") for merge in fields.get("tokenizer.ggml.merges", ())],
        },
    }


def _tokenizer_config(fields: Mapping[str, Any]) -> dict[str, Any]:
    tokens = fields["tokenizer.ggml.tokens"]
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": fields["llama.context_length"],
        "clean_up_tokenization_spaces": False,
        **{
            f"{name}_token": tokens[fields[f"tokenizer.ggml.{kind}_token_id"]]
            for name, kind in _CONTROL_NAMES
        },
    }


def _name(name: str, path: Path) -> tuple[str, str]:
    """A weight's name in transformers, and its kind."""
    if name in _WHOLE:
        return _WHOLE[name], ""
    parts = name.split(".")
    if len(parts) == 4 and parts[0] == "blk" and parts[2] in _LAYER and parts[3] == "weight":
        return f"model.layers.{int(parts[1])}.{_LAYER[parts[2]]}.weight", parts[2]
    raise ConfigurationError(f"{path}: unsupported weight {name!r} in a LLaMA model")


def _unpermuted(values: Weights, heads: int) -> Weights:
    """GGUF interleaves the two halves of every head for its rotary embedding; transformers does not."""
    rows, width = values.shape
    halves = values.reshape(heads, rows // heads // 2, 2, width)
    return np.ascontiguousarray(halves.swapaxes(1, 2).reshape(rows, width))
