"""Where things are in this repository, and what is handed to it from outside."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SERVICES = ROOT / "services"
TRAINER = ROOT / "trainer"
RECIPES = TRAINER / "judgestream_trainer" / "recipes"
JUDGES = ROOT / "triton_models" / "judges"
SHARED = ROOT.parent / "shared"
"""Real data sets and handed cases. Not part of the project: tests that use it skip where it is missing."""

PYTHONPATH = os.pathsep.join(map(str, (SERVICES, TRAINER, ROOT)))
"""For processes that a test starts."""
