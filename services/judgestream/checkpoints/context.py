"""The context of a judge: how many tokens its model sees at once, and how long its prompts may be."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from judgestream.checkpoints.files import read_json
from judgestream.checkpoints.image_scorer import text_part
from judgestream.checkpoints.shown import shown
from judgestream.core.errors import ConfigurationError

MAX_INPUT_TOKENS = 1 << 20
LINE_RESERVE = 16
"""Tokens of the context reserved for the score line, where a folder does not limit its prompts."""


def context_tokens(folder: Path) -> int:
    """Tokens that the model sees at once: its positions, or its sliding window if that is smaller.

    Raises:
        ConfigurationError: config.json has no such number.
    """
    try:
        config = text_part(read_json(folder, "config.json"))
        positions = config["max_position_embeddings"]
        window = sliding_window(config)
        context = min(positions, window) if window else positions
        if not isinstance(context, int) or isinstance(positions, bool):
            raise TypeError(f"it is {shown(positions)}")
        return context
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigurationError(
            f"checkpoint {folder}: config.json has no valid max_position_embeddings ({error!r})"
        ) from error


def sliding_window_of(folder: Path) -> tuple[int | None, int]:
    """The folder's sliding window, None without one, and its positions, in tokens."""
    config = text_part(read_json(folder, "config.json"))
    return sliding_window(config), int(config["max_position_embeddings"])


def sliding_window(config: Mapping[str, Any]) -> int | None:
    """The window of attention in tokens, as transformers understands a config.json; None without one."""
    kind = config.get("model_type")
    if kind in ("qwen2", "qwen3"):
        window = config.get("sliding_window", 4096) if config.get("use_sliding_window") else None
    elif kind == "mistral":
        window = config.get("sliding_window", 4096)
    else:
        window = config.get("sliding_window")
    return (
        window if isinstance(window, int) and not isinstance(window, bool) and window > 0 else None
    )
