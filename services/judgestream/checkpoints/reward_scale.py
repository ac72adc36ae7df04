"""A reward model's scale: the numbers, fitted on held-out pairs, that turn its values into probabilities.

A raw value x becomes the value v = (x - centre) / scale in units of log-odds, and P(first better than second)
is that of Rao and Kupper with the tie margin (`core.rewards`). The centre moves single scores only. Like the
temperature of a judge that writes score lines, the file is part of the model's identity.
"""

import json
from dataclasses import dataclass
from math import isfinite
from pathlib import Path

from judgestream.checkpoints.families import CALIBRATION
from judgestream.checkpoints.files import read_json
from judgestream.core.errors import ConfigurationError

METHOD = "rao-kupper"
LOWEST_SCALE, HIGHEST_SCALE = 1e-3, 1e4
HIGHEST_MARGIN = 10.0


@dataclass(frozen=True, kw_only=True, slots=True)
class RewardScale:
    """The defaults are those of a published folder: its values are taken as log-odds, and nothing is a tie.

    scale    raw value per unit of log-odds, above 0
    margin   of a tie, in units of log-odds, 0 or more
    centre   the raw value whose single score lies in the middle
    fitted   whether the numbers come from labelled pairs
    """

    scale: float = 1.0
    margin: float = 0.0
    centre: float = 0.0
    fitted: bool = False

    def value(self, raw: float) -> float:
        """A raw value in units of log-odds."""
        return (raw - self.centre) / self.scale


def read_reward_scale(folder: Path) -> RewardScale:
    """The folder's scale; the defaults if none was fitted.

    Raises:
        ConfigurationError: unsupported calibration. It is never ignored.
    """
    path = folder / CALIBRATION
    try:
        content = read_json(folder, CALIBRATION)
        method = content["method"]
        numbers = {name: float(content[name]) for name in ("scale", "margin", "centre")}
    except FileNotFoundError:
        return RewardScale()
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigurationError(
            f"{path}: invalid calibration ({error!r}): calibrate the checkpoint again"
        ) from error
    scale = RewardScale(**numbers, fitted=True)
    if method != METHOD or not supported(scale):
        raise ConfigurationError(
            f"{path}: unsupported method {str(method)[:40]!r}, scale {scale.scale}, margin {scale.margin} or"
            f" centre {scale.centre}; supported: {METHOD!r}, a scale of {LOWEST_SCALE} to {HIGHEST_SCALE}, a"
            f" margin of 0 to {HIGHEST_MARGIN}. Calibrate the checkpoint again"
        )
    return scale


def supported(scale: RewardScale) -> bool:
    """Whether the numbers lie in the ranges that the engine computes with."""
    return (
        LOWEST_SCALE <= scale.scale <= HIGHEST_SCALE
        and 0 <= scale.margin <= HIGHEST_MARGIN
        and isfinite(scale.centre)
    )


def write_reward_scale(folder: Path, scale: RewardScale) -> None:
    """Write the numbers where the engine reads them, before the manifest is written."""
    content = {
        "method": METHOD,
        "scale": scale.scale,
        "margin": scale.margin,
        "centre": scale.centre,
    }
    (folder / CALIBRATION).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
