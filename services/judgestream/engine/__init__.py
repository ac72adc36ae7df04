"""The judge's own inference: checkpoints, score grammar, joint read-out, greedy writing (torch)."""

import os

# torch's OpenMP threads spin while they wait for each other. Where another process wants the same cores, the
# spinning keeps it from running and it keeps the thread that is waited for from running: on two cores beside
# one busy process a batch took 18 s instead of 0.3 s (measured 2026-11-24). Sleeping threads cost next to
# nothing. Read when OpenMP loads, so before any module here imports torch; a value that is set wins.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
