"""Loading of image scorers: CLIP checkpoint folders. No remote code, no network, no pickled weights."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import CLIPImageProcessorPil, CLIPModel

from judgestream.backends.vision.captions import CaptionTokens
from judgestream.backends.vision.pictures import SeesPictures, check_pixels
from judgestream.checkpoints.describing import manifest_of
from judgestream.checkpoints.inspection import inspect
from judgestream.checkpoints.manifest import Manifest
from judgestream.checkpoints.reward_scale import RewardScale, read_reward_scale
from judgestream.checkpoints.vision import image_processor
from judgestream.core.errors import ConfigurationError
from judgestream.engine.checkpoint import weights_dtype, whole_model

LOWEST_FACTOR, HIGHEST_FACTOR = 1e-3, 1e5
"""CLIP's own training keeps it at 100 at most. Values beyond 1e6 are not read (`core.rewards.LARGEST`)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ScorerCheckpoint(SeesPictures):
    """A loaded image scorer.

    scale    that its values are divided by (see `checkpoints.reward_scale`)
    factor   exp(logit_scale): what the model multiplies a cosine with
    """

    model: CLIPModel
    tokens: CaptionTokens
    scale: RewardScale
    factor: float


def load_scorer(
    folder: Path,
    device: str = "cpu",
    dtype: torch.dtype | None = None,
    manifest: Manifest | None = None,
) -> ScorerCheckpoint:
    """Load a CLIP checkpoint. The arguments are those of `backends.vision.checkpoint.load`.

    Raises:
        ConfigurationError: not a CLIP model, or one whose files do not belong together; the message names the
            folder and how to fix it.
    """
    manifest = manifest or manifest_of(folder)
    inspect(folder, manifest)
    model = whole_model(CLIPModel, folder, weights_dtype(device, dtype), use_safetensors=True)
    if not isinstance(model, CLIPModel):
        raise TypeError(f"transformers loaded a {type(model).__name__}")
    torch.nn.Module.to(model, torch.device(device))
    model.train(False)
    text: Any = model.config.text_config
    _, options = image_processor(folder)
    checkpoint = ScorerCheckpoint(
        model=model,
        tokens=CaptionTokens.of(
            folder, limit=manifest.max_input_tokens, pooled_at=int(text.eos_token_id)
        ),
        manifest=manifest,
        scale=read_reward_scale(folder),
        factor=float(model.logit_scale.detach().float().exp()),
        _process=CLIPImageProcessorPil(**options),
    )
    check_pixels(folder, checkpoint)
    _check_numbers(folder, checkpoint)
    return checkpoint


def _check_numbers(folder: Path, checkpoint: ScorerCheckpoint) -> None:
    """Check that the weights give values: a folder that was damaged, or written after a training that failed,
    would be served, and no reply could be read."""
    for name, weight in checkpoint.model.named_parameters():
        if not torch.isfinite(weight).all():
            raise ConfigurationError(
                f"checkpoint {folder}: weight {name} has values that are not finite: copy or train it again"
            )
    if not LOWEST_FACTOR <= checkpoint.factor <= HIGHEST_FACTOR:
        raise ConfigurationError(
            f"checkpoint {folder}: exp(logit_scale) is {checkpoint.factor:g}, not from {LOWEST_FACTOR:g} to"
            f" {HIGHEST_FACTOR:g}: copy or train it again"
        )
