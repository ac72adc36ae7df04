"""A second release for tests that change releases."""

import shutil
from pathlib import Path

from tests.paths import JUDGES


def second_judge(folder: Path) -> Path:
    """The tiny judge under another digest: the same weights, and one more line in its config.json."""
    shutil.copytree(JUDGES / "tiny", folder)
    (folder / "manifest.json").unlink()
    with (folder / "config.json").open("a", encoding="utf-8") as config:
        config.write("\n")
    return folder
