"""Pictures as the input of a vision checkpoint, whatever it does with them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor
from transformers import PreTrainedModel

from judgestream.checkpoints.files import read_json
from judgestream.checkpoints.manifest import Manifest
from judgestream.checkpoints.vision import side_of
from judgestream.core.errors import ConfigurationError


@dataclass(frozen=True, kw_only=True, slots=True)
class SeesPictures:
    """A loaded model with its image processor."""

    model: PreTrainedModel
    manifest: Manifest
    _process: Any

    @property
    def device(self) -> torch.device:
        return self.model.device

    def pixels(self, pictures: Sequence[Image.Image]) -> Tensor:
        """The model's input for RGB pictures: [pictures, 3, height, width]."""
        values = self._process(images=list(pictures), return_tensors="pt")["pixel_values"]
        pixels: Tensor = values.to(self.model.device, self.model.dtype)
        return pixels


def check_pixels(folder: Path, checkpoint: SeesPictures) -> None:
    """Check on a wide picture that the image processor gives what the model takes.

    Raises:
        ConfigurationError: it gives another shape.
    """
    size = side_of(read_json(folder, "config.json"))
    shape = tuple(checkpoint.pixels([Image.new("RGB", (2 * size, size))]).shape)
    if shape != (1, 3, size, size):
        raise ConfigurationError(
            f"checkpoint {folder}: its image processor gives pixels of shape {list(shape)}, the model takes"
            f" {[1, 3, size, size]}: use the preprocessor_config.json of this model"
        )
