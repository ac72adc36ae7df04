"""Benchmarks: both sides in one run, one JSON line each. Never part of `make test`."""
