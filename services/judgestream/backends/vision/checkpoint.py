"""Loading of LLaVA checkpoint folders. No remote code, no network, no pickled weights."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import (
    CLIPImageProcessorPil,
    LlavaForConditionalGeneration,
    SiglipImageProcessorPil,
)

from judgestream.backends.vision.pictures import SeesPictures, check_pixels
from judgestream.checkpoints.context import context_tokens
from judgestream.checkpoints.describing import manifest_of
from judgestream.checkpoints.files import read_json
from judgestream.checkpoints.inspection import inspect
from judgestream.checkpoints.manifest import Manifest
from judgestream.checkpoints.temperature import read_temperature
from judgestream.checkpoints.vision import image_processor, image_tokens
from judgestream.core.errors import ConfigurationError
from judgestream.core.templates import template
from judgestream.core.templates.vision import IMAGE
from judgestream.engine.checkpoint import load_tokens, weights_dtype, whole_model
from judgestream.engine.tokens import Tokens

_PROCESSORS: dict[str, Any] = {"clip": CLIPImageProcessorPil, "siglip": SiglipImageProcessorPil}


@dataclass(frozen=True, kw_only=True, slots=True)
class VisionCheckpoint(SeesPictures):
    """A loaded judge that sees images.

    image_token       id that stands for a part of an image
    image_tokens      such tokens per image
    context_tokens    limit for prompt and reply together, images included
    temperature       the fitted one (see `checkpoints.temperature`); 1: none
    """

    model: LlavaForConditionalGeneration
    tokens: Tokens
    image_token: int
    image_tokens: int
    context_tokens: int
    temperature: float


def load(
    folder: Path,
    device: str = "cpu",
    dtype: torch.dtype | None = None,
    manifest: Manifest | None = None,
) -> VisionCheckpoint:
    """Load a LLaVA checkpoint.

    dtype     of weights and arithmetic; None: as stored, but fp32 on a CPU
    manifest  None: read from the folder, else made by `describe` (which reads every file)

    Raises:
        ConfigurationError: not a LLaVA model, or one with features that are not supported; the message names
            the folder and how to fix it.
    """
    manifest = manifest or manifest_of(folder)
    inspect(folder, manifest)
    model = _model(folder, weights_dtype(device, dtype))
    tokens = load_tokens(folder, template(manifest.template_id))
    image_token = int(model.config.image_token_id)
    if tokens.tokenizer.convert_ids_to_tokens(image_token) != IMAGE:
        raise ConfigurationError(
            f"checkpoint {folder}: image_token_index {image_token} is not the tokenizer's {IMAGE!r}, the only"
            " supported image token: use the tokenizer of this model"
        )
    torch.nn.Module.to(model, torch.device(device))
    model.train(False)
    config = read_json(folder, "config.json")
    kind, options = image_processor(folder)
    checkpoint = VisionCheckpoint(
        model=model,
        tokens=tokens,
        manifest=manifest,
        image_token=image_token,
        image_tokens=image_tokens(config),
        context_tokens=context_tokens(folder),
        temperature=read_temperature(folder),
        _process=_PROCESSORS[kind](**options),
    )
    check_pixels(folder, checkpoint)
    return checkpoint


def _model(folder: Path, dtype: torch.dtype | None) -> LlavaForConditionalGeneration:
    model = whole_model(LlavaForConditionalGeneration, folder, dtype, use_safetensors=True)
    if not isinstance(model, LlavaForConditionalGeneration):
        raise TypeError(f"transformers loaded a {type(model).__name__}")
    return model
