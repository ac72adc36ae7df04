"""`judge.json`: the release that the workers of a data folder use, and further releases to keep loaded.

`judgestream release use` writes it, the supervisor applies it, and the next `up` starts with it.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from uuid import uuid4

from judgestream.local.private import write_private

FILE_NAME = "judge.json"


@dataclass(frozen=True, kw_only=True, slots=True)
class JudgeChoice:
    """A choice of the release to use.

    loaded   further releases that `release load` loaded; they are loaded again after a restart of Triton
    token    identifies this choice, so that the supervisor's answer can be matched to it
    """

    release: str
    loaded: tuple[str, ...] = ()
    token: str = ""

    def using(self, release: str) -> "JudgeChoice":
        """A new choice: use this release, and keep the previous one loaded."""
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
    """The last choice. None without one, or when the file cannot be read."""
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
    """Raises DataUnusable when the file cannot be written, for example on a full disk."""
    write_private(data_dir / FILE_NAME, json.dumps(asdict(choice)) + "\n")
