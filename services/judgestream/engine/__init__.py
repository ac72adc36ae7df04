"""The judge's own inference: checkpoints, score grammar, joint read-out, greedy writing (torch)."""

import os

# torch's OpenMP threads spin while they wait for each other. Where another process wants the same cores, the
# spinning keeps it from running and it keeps the thread that is waited for from running: on two cores beside
# one busy process a batch took 18 s instead of 0.3 s. Threads that sleep at once lose a quarter of an idle
# machine to waking up. A thousand turns, some ten microseconds, lose neither (4 M parameters, two cores,
# measured 2026-11-24). Read when OpenMP loads, so before any module here imports torch; values that are set
# win.
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
