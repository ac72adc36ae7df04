"""Image scorers: CLIP checkpoints, validated by config.json. No torch.

CLIP (arXiv 2103.00020) has a text encoder and an image encoder that project into one space. Published scorers
of text-to-image models, such as PickScore (arXiv 2305.01569), have its form.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from judgestream.checkpoints.architecture import number_problems
from judgestream.checkpoints.shown import shown
from judgestream.checkpoints.vision import image_processor, size_problem, text_config

MODEL_TYPE = "clip"

POSITIONS = "embeddings.position_ids"
"""The end of the names of weights in older folders that only count the positions. They are not read."""

_TEXT_DEFAULTS: Mapping[str, int] = MappingProxyType(
    {
        "vocab_size": 49408,
        "hidden_size": 512,
        "intermediate_size": 2048,
        "num_hidden_layers": 12,
        "num_attention_heads": 8,
        "max_position_embeddings": 77,
        "eos_token_id": 49407,  # nosec B105 - of a vocabulary
    }
)
_VISION_DEFAULTS: Mapping[str, int] = MappingProxyType(
    {
        # an image encoder has neither; their check needs some numbers
        "vocab_size": 2,
        "max_position_embeddings": 2,
        "hidden_size": 768,
        "intermediate_size": 3072,
        "num_hidden_layers": 12,
        "num_attention_heads": 12,
    }
)
"""transformers' own for both encoders: a config.json states only what differs from them."""
_MAX_PROJECTION = 1 << 16


def is_image_scorer(config: Mapping[str, Any]) -> bool:
    """Whether a config.json is that of an image scorer."""
    return config.get("model_type") == MODEL_TYPE


def text_part(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """The part of a config.json that reads text: an image scorer's text encoder, or a language model."""
    if is_image_scorer(config):
        return dict(_TEXT_DEFAULTS) | _part(config, "text_config")
    return text_config(config)


def scorer_problems(folder: Path, config: Mapping[str, Any]) -> Iterator[str]:
    """What of a CLIP folder's configuration is invalid or not supported."""
    for name, defaults, kind in (
        ("text_config", _TEXT_DEFAULTS, "clip_text_model"),
        ("vision_config", _VISION_DEFAULTS, "clip_vision_model"),
    ):
        if not isinstance(config.get(name, {}), dict | None):
            yield f"config.json: {name} is not an object: copy the folder again"
            return
        part = dict(defaults) | _part(config, name)
        if part.get("model_type", kind) != kind:
            yield f"config.json: {name}: model type {shown(part['model_type'])}; supported: {kind}"
        for problem in number_problems(part):
            yield problem.replace("config.json:", f"config.json: {name}:", 1)
    sizes = _part(config, "vision_config") | {"model_type": "clip_vision_model"}
    if problem := size_problem({"vision_config": sizes}):
        yield f"config.json: vision_config: {problem}"
    width = config.get("projection_dim", 512)
    if not isinstance(width, int) or isinstance(width, bool) or not 1 <= width <= _MAX_PROJECTION:
        yield f"config.json: projection_dim is {shown(width)}, not a number from 1 to {_MAX_PROJECTION}"
    for one, where in (
        (config, ""),
        (_part(config, "text_config"), "text_config: "),
        (_part(config, "vision_config"), "vision_config: "),
    ):
        if one.get("quantization_config"):
            yield (
                f"config.json: {where}the weights are quantised; use the checkpoint from which this one was"
                " made"
            )
    try:
        kind, _ = image_processor(folder)
    except ValueError as error:
        yield str(error)
    else:
        if kind != MODEL_TYPE:
            yield f"the image processor is that of {kind}: use the preprocessor_config.json of this model"


def _part(config: Mapping[str, Any], name: str) -> dict[str, Any]:
    part = config.get(name)
    return part if isinstance(part, dict) else {}
