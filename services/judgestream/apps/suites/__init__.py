"""Suites run: their files read, their requests judged, their reports written."""
