"""Judging of old requests under another release: its verdicts go to `judge.shadow.v1` only."""
