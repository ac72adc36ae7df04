"""Loading of image scorers: CLIP checkpoint folders. No remote code, no network, no pickled weights."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor
from transformers import CLIPImageProcessorPil, CLIPModel

from judgestream.backends.vision.captions import CaptionTokens
from judgestream.checkpoints.files import read_json
from judgestream.checkpoints.inspection import inspect
from judgestream.checkpoints.manifest import NAME, Manifest, describe, read_manifest
from judgestream.checkpoints.reward_scale import RewardScale, read_reward_scale
from judgestream.checkpoints.vision import image_processor, side_of
from judgestream.core.errors import ConfigurationError
from judgestream.engine.checkpoint import whole_model

LOWEST_FACTOR, HIGHEST_FACTOR = 1e-3, 1e5
"""CLIP's own training keeps it at 100 at most. Values beyond 1e6 are not read (`core.rewards.LARGEST`)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ScorerCheckpoint:
    """A loaded image scorer.

    scale    that its values are divided by (see `checkpoints.reward_scale`)
    factor   exp(logit_scale): what the model multiplies a cosine with
    """

    model: CLIPModel
    tokens: CaptionTokens
    manifest: Manifest
    scale: RewardScale
    factor: float
    _process: CLIPImageProcessorPil

    @property
    def device(self) -> torch.device:
        return self.model.device

    def pixels(self, pictures: Sequence[Image.Image]) -> Tensor:
        """The model's input for RGB pictures: [pictures, 3, height, width]."""
        values = self._process(images=list(pictures), return_tensors="pt")["pixel_values"]
        pixels: Tensor = values.to(self.model.device, self.model.dtype)
        return pixels


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
    if manifest is None:
        manifest = read_manifest(folder) if (folder / NAME).exists() else describe(folder)
    inspect(folder, manifest)
    if dtype is None and torch.device(device).type == "cpu":
        dtype = torch.float32
    model = whole_model(CLIPModel, folder, dtype, use_safetensors=True)
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
    _check_pixels(folder, checkpoint)
    _check_numbers(folder, checkpoint)
    return checkpoint


def _check_pixels(folder: Path, checkpoint: ScorerCheckpoint) -> None:
    """Check on a wide picture that the image processor gives what the model takes."""
    size = side_of(read_json(folder, "config.json"))
    shape = tuple(checkpoint.pixels([Image.new("RGB", (2 * size, size))]).shape)
    if shape != (1, 3, size, size):
        raise ConfigurationError(
            f"checkpoint {folder}: its image processor gives pixels of shape {list(shape)}, the model takes"
            f" {[1, 3, size, size]}: use the preprocessor_config.json of this model"
        )


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
