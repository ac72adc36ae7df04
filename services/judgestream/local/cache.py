"""Where downloads and built files are kept between runs."""

import os
from pathlib import Path


def cache_root() -> Path:
    """`$XDG_CACHE_HOME/judgestream`, or `~/.cache/judgestream`. Not created here."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    # A relative value is to be ignored (XDG Base Directory Specification).
    folder = Path(base) if os.path.isabs(base) else Path.home() / ".cache"
    return folder / "judgestream"
