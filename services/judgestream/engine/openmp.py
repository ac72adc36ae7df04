"""How torch's threads wait for each other. For the entry points of processes that compute; no torch here."""

import os
from collections.abc import MutableMapping


def wait_passively(environment: MutableMapping[str, str] = os.environ) -> None:
    """Let OpenMP's threads sleep after some ten microseconds of waiting. Call it before torch is imported:
    OpenMP reads these variables once, as it loads. Values that are set win.

    torch's OpenMP threads spin while they wait for each other. Where another process wants the same cores,
    the spinning keeps it from running and it keeps the thread that is waited for from running: on two cores
    beside one busy process a batch took 18 s instead of 0.3 s. Threads that sleep at once lose a quarter of
    an idle machine to waking up. A thousand turns lose neither (4 M parameters, two cores, 2026-11-24).
    """
    if "OMP_WAIT_POLICY" not in environment:
        environment["OMP_WAIT_POLICY"] = "PASSIVE"
        environment.setdefault("GOMP_SPINCOUNT", "1000")
