"""The waiting policy of torch's threads, for the entry points of processes that compute. No torch here."""

import os
from collections.abc import MutableMapping


def wait_passively(environment: MutableMapping[str, str] = os.environ) -> None:
    """Let OpenMP's threads sleep after about ten microseconds of waiting. Values that are set already win.

    Call it before torch is imported: OpenMP reads these variables once, when it is loaded.

    By default torch's OpenMP threads spin while they wait for each other. Where another process needs the
    same cores, a spinning thread takes the core from it, and it takes the core from the thread that is being
    waited for: on two cores beside one busy process a batch took 18 s instead of 0.3 s. Threads that sleep
    at once lose a quarter of an idle machine's speed to waking up. A spin count of 1,000 avoids both
    (docs/design/engine.md).
    """
    if "OMP_WAIT_POLICY" not in environment:
        environment["OMP_WAIT_POLICY"] = "PASSIVE"
        environment.setdefault("GOMP_SPINCOUNT", "1000")
