"""A trained model as a Hugging Face folder: weights, configuration and tokenizer, without a manifest."""

import json
from collections.abc import Iterator
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from judgestream_trainer.training.distributed import whole
from judgestream_trainer.training.lora import adapters, merged

SHARD_BYTES = 5 * 10**9
"""Largest size of a weight file, as Hugging Face splits them."""


def write_model(folder: Path, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
    """`model.safetensors` (or shards and their index), `config.json` and the tokenizer's files."""
    write_weights(folder, plain_weights(model), model, tokenizer)


def write_weights(
    folder: Path,
    tensors: dict[str, Tensor],
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    *,
    dtype: torch.dtype | None = None,
) -> None:
    """Write weights that were gathered before, stored as `dtype` (None: unchanged)."""
    folder.mkdir(parents=True, exist_ok=True)
    if dtype is not None:
        tensors = {name: tensor.to(dtype) for name, tensor in tensors.items()}
    config = model.config.to_dict()
    config["dtype"] = str(next(iter(tensors.values())).dtype).removeprefix("torch.")
    # the cache is off during training only
    config["use_cache"] = True
    _write_json(folder / "config.json", config)
    _write_shards(folder, tensors)
    tokenizer.save_pretrained(folder)


def plain_weights(model: PreTrainedModel) -> dict[str, Tensor]:
    """Every weight by its name in transformers, gathered on the CPU; see `each_weight`."""
    return {name: tensor.contiguous() for name, tensor in each_weight(model)}


def each_weight(model: PreTrainedModel) -> Iterator[tuple[str, Tensor]]:
    """Name and tensor of every weight, gathered on the CPU, one at a time.

    Adapters are merged into the weights that they adapt. A head tied to the embedding is left out. If the
    model is sharded, all processes must call this and consume every weight.
    """
    adapted = adapters(model)
    for name, tensor in model.state_dict().items():
        if name == "lm_head.weight" and model.config.tie_word_embeddings:
            continue
        owner = next((layer for layer in adapted if name.startswith(f"{layer}.")), None)
        if owner is None:
            yield name, whole(tensor).cpu()
        elif name == f"{owner}.base.weight":
            yield f"{owner}.weight", merged(adapted[owner])
        elif name == f"{owner}.base.bias":
            yield f"{owner}.bias", whole(tensor).cpu()


def fingerprint(model: PreTrainedModel, dtype: torch.dtype | None) -> dict[str, float]:
    """A number per weight, as stored in `dtype` (None: unchanged), that changes when the weight does.

    It combines the sum and the norm in fp64, which stay the same when a training moves no weight beyond
    rounding. Costs one pass over the weights. If the model is sharded, all processes must call this.
    """
    sums: dict[str, float] = {}
    for name, tensor in each_weight(model):
        stored = tensor if dtype is None else tensor.to(dtype)
        norm = torch.linalg.vector_norm(stored, dtype=torch.float64)
        sums[name] = float(stored.sum(dtype=torch.float64) + 1e3 * norm)
    return sums


def _write_shards(folder: Path, tensors: dict[str, Tensor]) -> None:
    shards: list[dict[str, Tensor]] = [{}]
    size = 0
    for name, tensor in tensors.items():
        if shards[-1] and size + tensor.nbytes > SHARD_BYTES:
            shards.append({})
            size = 0
        shards[-1][name] = tensor
        size += tensor.nbytes
    names = [f"model-{k:05d}-of-{len(shards):05d}.safetensors" for k in range(1, len(shards) + 1)]
    if len(shards) == 1:
        names = ["model.safetensors"]
    for name, shard in zip(names, shards, strict=True):
        save_file(shard, folder / name, metadata={"format": "pt"})
        # safetensors makes the file readable by its owner only; Triton may run as another user
        (folder / name).chmod(0o644)
    if len(shards) > 1:
        index = {
            "metadata": {"total_size": sum(tensor.nbytes for tensor in tensors.values())},
            "weight_map": {
                key: name for name, shard in zip(names, shards, strict=True) for key in shard
            },
        }
        _write_json(folder / "model.safetensors.index.json", index)


def _write_json(path: Path, data: object) -> None:
    path.write_text(json.dumps(data, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
