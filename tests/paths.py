"""Paths in this repository, and the environment of processes that tests start."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SERVICES = ROOT / "services"
TRAINER = ROOT / "trainer"
RECIPES = TRAINER / "judgestream_trainer" / "recipes"
JUDGES = ROOT / "triton_models" / "judges"
SHARED = ROOT.parent / "shared"
"""Published data sets. Not part of the project: tests that use them skip where the folder is missing."""

PYTHONPATH = os.pathsep.join(map(str, (SERVICES, TRAINER, ROOT)))
"""For processes that a test starts."""


def environment(**variables: str) -> dict[str, str]:
    """This process's variables without its judgestream settings, with the sources' path and `variables`."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("JUDGESTREAM_")}
    return {**inherited, "PYTHONPATH": PYTHONPATH, **variables}
