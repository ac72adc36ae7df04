"""A release's temperature: one number, fitted on held-out pairs, that makes its confidence honest.

Score lines' probabilities p become p^(1/T), scaled so that the mass outside the grammar stays what it was
(temperature scaling, Guo et al. 2017, on the joint distribution). T > 1 softens. The most probable line and
the greedy text stay what they are; outcomes that several lines add up to can change. The file belongs to
the model's identity: another temperature is another release.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING

from judgestream.checkpoints.manifest import CALIBRATION
from judgestream.core.errors import ConfigurationError

if TYPE_CHECKING:  # whoever only wants the number needs no torch
    from torch import Tensor

METHOD = "temperature"


def read_temperature(folder: Path) -> float:
    """The folder's temperature; 1 where nothing was fitted.

    Raises:
        ConfigurationError: a calibration that is not understood, rather than verdicts without it.
    """
    path = folder / CALIBRATION
    if not path.exists():
        return 1.0
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        method, temperature = found["method"], float(found["temperature"])
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigurationError(f"{path}: not a calibration: {error!r}") from error
    if method != METHOD or not 0.01 <= temperature <= 100:
        raise ConfigurationError(
            f"{path}: method {method!r} with temperature {temperature}; known is {METHOD!r} from 0.01"
            " to 100: publish the checkpoint again, or serve it with a newer judgestream"
        )
    return temperature


def soften(joint: "Tensor", temperature: float) -> "Tensor":
    """Score lines' probabilities [..., L] at this temperature; each row keeps its sum."""
    if temperature == 1.0:
        return joint
    mass = joint.sum(dim=-1, keepdim=True)
    return (joint.clamp_min(1e-30).log() / temperature).softmax(dim=-1) * mass
