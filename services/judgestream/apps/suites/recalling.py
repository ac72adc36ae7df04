"""The judged items of a run, from its folder."""

import json
from pathlib import Path

from judgestream.apps.suites.loading import Loaded
from judgestream.apps.suites.run_folder import RUN, Identity, RunFolder
from judgestream.apps.suites.running import now
from judgestream.core.errors import ConfigurationError
from judgestream.core.identity import content_digest
from judgestream.core.types import Status
from judgestream.suites.base import Judged, Suite, as_sent


def recalled(suite: Suite, loaded: Loaded, path: Path) -> tuple[str, list[Judged]]:
    """The release of a run, and the items that it has a verdict of. A failed verdict is none.

    Raises:
        ConfigurationError: the folder holds no run of this suite and these files, or it is damaged.
    """
    try:
        facts = json.loads((path / RUN).read_text(encoding="utf-8"))
        release, seed = str(facts["release"]), int(facts["seed"])
    except FileNotFoundError:
        raise ConfigurationError(
            f"{path} has no {RUN}: give the folder of a run, as `judgestream suite run` prints it"
        ) from None
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as exc:
        raise ConfigurationError(f"{path / RUN} cannot be read: {exc!s:.200}") from exc
    identity = Identity(suite=suite.name, data=loaded.digest, seed=seed, release=release)
    with RunFolder(path, identity) as folder:
        verdicts = {
            one.request_id: one for one in folder.journal() if one.status is not Status.FAILED
        }
    found = []
    for item in suite.items(loaded.tables):
        request = as_sent(
            item, suite=suite.name, data=loaded.digest, seed=seed, at=now(), rule=suite.rule
        )
        verdict = verdicts.get(request.request_id)
        if verdict is not None and verdict.content_digest == content_digest(request):
            found.append(Judged(item=item, verdict=verdict))
    if not found:
        raise ConfigurationError(f"{path} has no verdict of this suite: run it again")
    return release, found
