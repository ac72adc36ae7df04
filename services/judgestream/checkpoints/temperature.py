"""A release's temperature: one number, fitted on held-out pairs, that calibrates its confidence.

The probabilities p of score lines become p^(1/T), scaled so that the mass outside the grammar does not change
(temperature scaling, Guo et al. 2017, on the joint distribution). T > 1 softens. The most probable line and
the greedy text do not change; outcomes that are sums over several lines can. The file is part of the model's
identity: another temperature is another release.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING

from judgestream.checkpoints.families import CALIBRATION
from judgestream.core.errors import ConfigurationError

if TYPE_CHECKING:  # reading the number needs no torch
    from torch import Tensor

METHOD = "temperature"


def read_temperature(folder: Path) -> float:
    """The folder's temperature; 1 if none was fitted.

    Raises:
        ConfigurationError: unsupported calibration. It is never ignored.
    """
    path = folder / CALIBRATION
    if not path.exists():
        return 1.0
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        method, temperature = content["method"], float(content["temperature"])
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigurationError(
            f"{path}: invalid calibration ({error!r}): publish the checkpoint again"
        ) from error
    if method != METHOD or not 0.01 <= temperature <= 100:
        raise ConfigurationError(
            f"{path}: unsupported method {method!r} or temperature {temperature}; supported: {METHOD!r} from"
            " 0.01 to 100. Publish the checkpoint again, or use a newer version of judgestream"
        )
    return temperature


def soften(joint: "Tensor", temperature: float) -> "Tensor":
    """Score lines' probabilities [..., L] at this temperature; each row keeps its sum."""
    if temperature == 1.0:
        return joint
    mass = joint.sum(dim=-1, keepdim=True)
    return (joint.clamp_min(1e-30).log() / temperature).softmax(dim=-1) * mass
