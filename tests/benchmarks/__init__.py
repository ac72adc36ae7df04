"""Benchmarks: both sides in one run, one JSON line each. Never part of `make test`."""

import judgestream.engine  # noqa: F401 - before torch: its threads sleep while they wait, as in production
