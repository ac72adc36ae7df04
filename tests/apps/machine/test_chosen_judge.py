"""The device of a judge that is installed by itself: setting triton.device."""

from pathlib import Path
from typing import Literal

import pytest

from judgestream.apps.machine.chosen_judge import JudgeOptions, choose
from judgestream.apps.rollout.installing import install_release
from judgestream.core.rollout.state import Placed
from judgestream.settings import Local, Settings, Triton
from tests.paths import JUDGES

TINY = JUDGES / "tiny"


@pytest.mark.parametrize("device", ["cpu", "gpu"])
def test_up_and_the_rollout_service_install_for_the_device_of_the_settings(
    device: Literal["cpu", "gpu"], tmp_path: Path
) -> None:
    said: list[str] = []
    settings = Settings(triton=Triton(device=device), local=Local(checkpoint=TINY))
    chosen = choose(settings, tmp_path, JudgeOptions(), said.append)
    placed = Placed(release=chosen.name, location=str(TINY))
    other = tmp_path / "other"
    other.mkdir()
    install_release(placed, other, said.append, device)
    for repository in (tmp_path / "models", other):
        config = (repository / chosen.name / "config.pbtxt").read_text(encoding="utf-8")
        assert f"KIND_{device.upper()}" in config
