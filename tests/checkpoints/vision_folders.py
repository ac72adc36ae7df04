"""The smallest checkpoint folders with an image processor, and what their inspection refuses."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from judgestream.checkpoints.describing import describe
from judgestream.checkpoints.inspection import inspect
from judgestream.core.errors import ConfigurationError
from tests.checkpoints.folders import write_checkpoint

PROCESSOR = {"image_processor_type": "CLIPImageProcessor", "size": {"shortest_edge": 32}}


def write_vision_checkpoint(
    path: Path, config: Mapping[str, Any], processor: Mapping[str, Any] | None = None
) -> Path:
    """`processor` changes `PROCESSOR`."""
    write_checkpoint(path)
    (path / "config.json").write_text(json.dumps(config))
    (path / "preprocessor_config.json").write_text(json.dumps(PROCESSOR | dict(processor or {})))
    return path


def refusal(path: Path, *, engine: bool = True) -> str:
    with pytest.raises(ConfigurationError) as caught:
        inspect(path, describe(path), engine=engine)
    return str(caught.value)
