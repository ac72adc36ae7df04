"""A temperature changes confidence and nothing else, and is part of the release's identity."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from judgestream.checkpoints.describing import describe
from judgestream.checkpoints.temperature import read_temperature, soften
from judgestream.core.errors import ConfigurationError
from judgestream.core.prompt import Prompt
from judgestream.core.types import Reply
from judgestream.engine.checkpoint import Checkpoint, load
from judgestream.engine.judge import Judge
from tests.engine import tiny


def test_softening_keeps_the_mass_and_the_order() -> None:
    joint = torch.tensor([[0.6, 0.3, 0.05, 0.0], [0.1, 0.2, 0.3, 0.4]])
    for temperature in (0.5, 1.0, 2.0, 50.0):
        soft = soften(joint, temperature)
        torch.testing.assert_close(soft.sum(1), joint.sum(1))
        assert torch.equal(soft.argsort(1), joint.argsort(1))
    assert soften(joint, 2.0)[0, 0] < 0.6 < soften(joint, 0.5)[0, 0]
    ratio = soften(joint, 2.0)[1, 3] / soften(joint, 2.0)[1, 0]
    assert float(ratio) == pytest.approx(2.0)  # (0.4 / 0.1) ** (1 / 2)


def test_a_checkpoint_with_a_temperature_is_another_release(
    folder_of: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = tmp_path / "calibrated"
    shutil.copytree(folder_of("split"), folder)
    before = describe(folder).digest
    (folder / "calibration.json").write_text('{"method": "temperature", "temperature": 3.0}')
    assert describe(folder).digest != before
    prompt = Prompt(text=tiny.PROMPTS[0], grammar=tiny.PAIR)
    calibrated = load(folder)
    (soft,), (hard,) = (
        Judge(calibrated).read([prompt]),
        Judge(calibrated, temperature=1.0).read([prompt]),
    )
    assert isinstance(soft, Reply) and isinstance(hard, Reply)
    assert soft.text == hard.text
    assert sum(soft.score_probs) == pytest.approx(sum(hard.score_probs), rel=1e-4)
    assert max(soft.score_probs) < max(hard.score_probs)


@pytest.mark.parametrize(
    "found",
    [
        {"method": "isotonic", "temperature": 1.0},
        {"method": "temperature"},
        {"method": "temperature", "temperature": 0},
        {"method": "temperature", "temperature": "nan"},
        [],
    ],
)
def test_an_unsupported_calibration_is_refused(tmp_path: Path, found: object) -> None:
    (tmp_path / "calibration.json").write_text(json.dumps(found))
    with pytest.raises(ConfigurationError, match="calibration.json"):
        read_temperature(tmp_path)


def test_without_a_file_the_temperature_is_one(checkpoint: Checkpoint) -> None:
    assert checkpoint.temperature == Judge(checkpoint).temperature == 1.0
