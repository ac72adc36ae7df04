"""LLaVA checkpoints: validation of config.json and of the image processor's configuration. No torch.

A LLaVA model is a vision tower (CLIP or SigLIP), a projector, and one of the language models of
`architecture.FAMILIES`.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from judgestream.checkpoints.architecture import FAMILIES, number_problems
from judgestream.checkpoints.files import read_json
from judgestream.checkpoints.shown import shown

MODEL_TYPE = "llava"

TOWERS: Mapping[str, str] = MappingProxyType(
    {"clip_vision_model": "clip", "siglip_vision_model": "siglip"}
)
"""Vision towers by their `model_type`, each with its kind."""

PROCESSORS: Mapping[str, str] = MappingProxyType(
    {
        f"{name}{suffix}": kind
        for name, kind in (("CLIPImageProcessor", "clip"), ("SiglipImageProcessor", "siglip"))
        for suffix in ("", "Fast", "Pil")
    }
)
"""Image processors by their class in transformers, each with its kind."""

PROCESSOR_FILES = ("preprocessor_config.json", "processor_config.json")

_STRATEGIES = ("default", "full")
_MAX_SIDE = 2048
_LLAMA_DEFAULTS: Mapping[str, int] = MappingProxyType(
    {
        "vocab_size": 32000,
        "hidden_size": 4096,
        "intermediate_size": 11008,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "max_position_embeddings": 2048,
    }
)
"""transformers' own: a LLaVA config.json states only what differs from them."""
_CLIP_DEFAULTS: Mapping[str, int] = MappingProxyType({"image_size": 224, "patch_size": 32})
_SIGLIP_DEFAULTS: Mapping[str, int] = MappingProxyType({"image_size": 224, "patch_size": 16})


def is_vision_model(config: Mapping[str, Any]) -> bool:
    """Whether a config.json is that of a judge that sees images."""
    return config.get("model_type") == MODEL_TYPE


def text_config(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """The language model's part of a config.json: the whole of it, for a model without other parts."""
    inner = config.get("text_config")
    if not isinstance(inner, dict) or "hidden_size" in config:
        return config
    defaults = _LLAMA_DEFAULTS if inner.get("model_type", "llama") == "llama" else {}
    return {"model_type": "llama", **defaults, **inner}


def vision_problems(folder: Path, config: Mapping[str, Any]) -> Iterator[str]:
    """What of a LLaVA folder's configuration is invalid or not supported."""
    text = text_config(config)
    if text.get("model_type") not in FAMILIES:
        yield (
            f"config.json: text_config: model type {shown(text.get('model_type'))}; supported:"
            f" {', '.join(FAMILIES)}"
        )
    yield from number_problems(text)
    tower = config.get("vision_config")
    kind = tower.get("model_type", "clip_vision_model") if isinstance(tower, dict) else None
    if kind not in TOWERS:
        yield f"config.json: vision_config: model type {shown(kind)}; supported: {', '.join(TOWERS)}"
    elif (problem := size_problem(config)) != "":
        yield f"config.json: vision_config: {problem}"
    strategy = config.get("vision_feature_select_strategy", "default")
    if strategy not in _STRATEGIES:
        yield (
            f"config.json: vision_feature_select_strategy {shown(strategy)}; supported:"
            f" {', '.join(_STRATEGIES)}"
        )
    for part, where in ((config, ""), (text, "text_config: "), (tower, "vision_config: ")):
        if isinstance(part, dict) and part.get("quantization_config"):
            yield (
                f"config.json: {where}the weights are quantised; use the checkpoint from which this one was"
                " made"
            )
    token, size = config.get("image_token_index", 32000), text.get("vocab_size")
    if not _whole(token) or (_whole(size) and token >= size):
        yield f"config.json: image_token_index {shown(token)} is beyond the embedding of {shown(size)}"
    try:
        image_processor(folder)
    except ValueError as error:
        yield str(error)


def image_tokens(config: Mapping[str, Any]) -> int:
    """Tokens that an image takes in a prompt, for a config.json without `vision_problems`."""
    kind, size, patch = _tower(config)
    strategy = config.get("vision_feature_select_strategy", "default")
    # CLIP has a class token before its patches; "default" drops the first token
    return int((size // patch) ** 2 + (kind == "clip") - (strategy == "default"))


def side_of(config: Mapping[str, Any]) -> int:
    """Width and height of the vision tower's pictures, in pixels, for such a config.json."""
    return int(_tower(config)[1])


def image_processor(folder: Path) -> tuple[str, dict[str, Any]]:
    """Kind and options of the folder's image processor.

    Raises:
        ValueError: there is none, or it is not supported.
    """
    for name in PROCESSOR_FILES:
        try:
            content = read_json(folder, name, max_bytes=1 << 20)
        except FileNotFoundError:
            continue
        except ValueError as error:
            raise ValueError(f"{name} {error}") from error
        if content.get("auto_map"):
            raise ValueError(
                f"{name}: auto_map refers to remote code, which is never run; use a plain checkpoint"
            )
        options = content.get("image_processor") if name == PROCESSOR_FILES[1] else content
        if not isinstance(options, dict):
            continue
        named = str(options.get("image_processor_type", options.get("feature_extractor_type")))
        if named not in PROCESSORS:
            known = ", ".join(sorted(PROCESSORS))
            raise ValueError(f"{name}: image processor {shown(named)}; supported: {known}")
        return PROCESSORS[named], {key: value for key, value in options.items() if key in _OPTIONS}
    raise ValueError(
        f"no image processor ({' or '.join(PROCESSOR_FILES)}): copy the folder with all of its files"
    )


_OPTIONS = frozenset(
    (
        "do_resize",
        "size",
        "resample",
        "do_center_crop",
        "crop_size",
        "do_rescale",
        "rescale_factor",
        "do_normalize",
        "image_mean",
        "image_std",
        "do_convert_rgb",
    )
)


def size_problem(config: Mapping[str, Any]) -> str:
    """What is wrong with the sizes of a vision tower of a known kind; "" if nothing is."""
    _, size, patch = _tower(config)
    if not _whole(size) or not _whole(patch) or not 1 <= patch <= size <= _MAX_SIDE:
        return (
            f"image_size is {shown(size)} and patch_size {shown(patch)}: they must be numbers from 1 to"
            f" {_MAX_SIDE}, the image not smaller than a patch"
        )
    return ""


def _tower(config: Mapping[str, Any]) -> tuple[str, Any, Any]:
    """Kind, image size and patch size of the vision tower."""
    tower = config["vision_config"]
    kind = TOWERS[tower.get("model_type", "clip_vision_model")]
    defaults = _CLIP_DEFAULTS if kind == "clip" else _SIGLIP_DEFAULTS
    size, patch = ((tower.get(name, defaults[name])) for name in ("image_size", "patch_size"))
    return kind, size, patch


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
