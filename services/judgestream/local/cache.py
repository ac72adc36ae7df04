"""The folder for downloads and built files that are kept between runs."""

import os
from pathlib import Path


def cache_root() -> Path:
    """`$XDG_CACHE_HOME/judgestream`, or `~/.cache/judgestream`. Not created here."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    # The XDG Base Directory Specification says to ignore a relative value.
    folder = Path(base) if os.path.isabs(base) else Path.home() / ".cache"
    return folder / "judgestream"
