"""`judge.json`: which release the workers of a data folder are to use, and which others are to stay loaded.

`judgestream release use` writes the wish, the supervisor follows it, and the next `up` starts with it.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from uuid import uuid4

from judgestream.local.private import write_private

FILE_NAME = "judge.json"


@dataclass(frozen=True, kw_only=True, slots=True)
class JudgeChoice:
    """release   the one to use
    loaded    others that `release load` loaded; after a restart of Triton they are loaded again
    token     names this wish, so that the answer to it can be told from others
    """

    release: str
    loaded: tuple[str, ...] = ()
    token: str = ""

    def using(self, release: str) -> "JudgeChoice":
        """A new wish: use this one, and keep the one used so far loaded."""
        others = dict.fromkeys((*self.loaded, self.release))
        return JudgeChoice(
            release=release,
            loaded=tuple(name for name in others if name and name != release),
            token=uuid4().hex,
        )

    def with_loaded(self, release: str) -> "JudgeChoice":
        others = dict.fromkeys((*self.loaded, release))
        loaded = tuple(name for name in others if name != self.release)
        return JudgeChoice(release=self.release, loaded=loaded, token=self.token)

    def without(self, release: str) -> "JudgeChoice":
        loaded = tuple(name for name in self.loaded if name != release)
        return JudgeChoice(release=self.release, loaded=loaded, token=self.token)


def read_choice(data_dir: Path) -> JudgeChoice | None:
    """None when nothing was chosen yet, or the file cannot be read."""
    try:
        raw = json.loads((data_dir / FILE_NAME).read_text(encoding="utf-8"))
        return JudgeChoice(
            release=str(raw["release"]),
            loaded=tuple(str(name) for name in raw["loaded"]),
            token=str(raw["token"]),
        )
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def write_choice(data_dir: Path, choice: JudgeChoice) -> None:
    """Raises: DataUnusable, as when the disk is full."""
    write_private(data_dir / FILE_NAME, json.dumps(asdict(choice)) + "\n")
