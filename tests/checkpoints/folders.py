"""The smallest checkpoint that can be installed, written without torch: one layer, four numbers wide."""

import json
import struct
from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any

CONFIG: dict[str, Any] = {
    "model_type": "llama",
    "architectures": ["LlamaForCausalLM"],
    "vocab_size": 8,
    "hidden_size": 4,
    "intermediate_size": 6,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "max_position_embeddings": 2048,
    "tie_word_embeddings": True,
    "eos_token_id": 2,
    "dtype": "float32",
}
SHAPES: dict[str, list[int]] = {
    "model.embed_tokens.weight": [8, 4],
    "model.norm.weight": [4],
    "model.layers.0.input_layernorm.weight": [4],
    "model.layers.0.post_attention_layernorm.weight": [4],
    "model.layers.0.self_attn.q_proj.weight": [4, 4],
    "model.layers.0.self_attn.k_proj.weight": [2, 4],
    "model.layers.0.self_attn.v_proj.weight": [2, 4],
    "model.layers.0.self_attn.o_proj.weight": [4, 4],
    "model.layers.0.mlp.gate_proj.weight": [6, 4],
    "model.layers.0.mlp.up_proj.weight": [6, 4],
    "model.layers.0.mlp.down_proj.weight": [4, 6],
}
TOKENIZER: dict[str, Any] = {
    "model": {"type": "BPE", "vocab": {"a": 0, "b": 1}, "merges": []},
    "added_tokens": [{"id": 2, "content": "</s>", "special": True}],
}


def write_checkpoint(
    folder: Path,
    *,
    config: Mapping[str, Any] | None = None,
    shapes: Mapping[str, list[int]] | None = None,
    tokenizer: Mapping[str, Any] | None = None,
    fill: bytes = b"\0",
) -> Path:
    """A complete folder without a manifest; `config` and `tokenizer` are changes, `shapes` stands for all."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps({**CONFIG, **(config or {})}))
    (folder / "tokenizer.json").write_text(json.dumps({**TOKENIZER, **(tokenizer or {})}))
    write_tensors(folder / "model.safetensors", SHAPES if shapes is None else shapes, fill=fill)
    (folder / "card.md").write_text("good")
    return folder


def write_tensors(
    path: Path, shapes: Mapping[str, list[int]], *, dtype: str = "F32", fill: bytes = b"\0"
) -> None:
    size = {"F32": 4, "BF16": 2, "I8": 1}[dtype]
    header, at = {}, 0
    for name, shape in shapes.items():
        end = at + prod(shape) * size
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [at, end]}
        at = end
    write_raw(path, header, fill * at)


def write_raw(path: Path, header: object, data: bytes) -> None:
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)
