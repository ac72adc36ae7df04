"""`judge.json`: the release that the local stack was started with, and further releases to keep loaded.

The next `up` starts with it, so that its Triton has a judge at once. The rollout decides which release is in
service, see `judge.rollouts.v1`.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from judgestream.local.private import write_private

FILE_NAME = "judge.json"


@dataclass(frozen=True, kw_only=True, slots=True)
class JudgeChoice:
    """The release to start with.

    loaded   further releases that `release load` loaded; they are loaded again after a restart of Triton
    """

    release: str
    loaded: tuple[str, ...] = ()

    def using(self, release: str) -> "JudgeChoice":
        loaded = tuple(name for name in self.loaded if name != release)
        return JudgeChoice(release=release, loaded=loaded)

    def with_loaded(self, release: str) -> "JudgeChoice":
        others = dict.fromkeys((*self.loaded, release))
        loaded = tuple(name for name in others if name != self.release)
        return JudgeChoice(release=self.release, loaded=loaded)

    def without(self, release: str) -> "JudgeChoice":
        loaded = tuple(name for name in self.loaded if name != release)
        return JudgeChoice(release=self.release, loaded=loaded)


def read_choice(data_dir: Path) -> JudgeChoice | None:
    """The last choice. None without one, or when the file cannot be read."""
    try:
        raw = json.loads((data_dir / FILE_NAME).read_text(encoding="utf-8"))
        return JudgeChoice(
            release=str(raw["release"]),
            loaded=tuple(str(name) for name in raw["loaded"]),
        )
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def write_choice(data_dir: Path, choice: JudgeChoice) -> None:
    """Raises DataUnusable when the file cannot be written, for example on a full disk."""
    write_private(data_dir / FILE_NAME, json.dumps(asdict(choice)) + "\n")
