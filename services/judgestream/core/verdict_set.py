"""One verdict per judgement, from a topic that may have several records of it."""

from collections.abc import Iterator
from datetime import datetime
from typing import Generic, TypeVar

from judgestream.core.types import Status, Verdict

T = TypeVar("T")

RANK = {Status.FAILED: 0, Status.UNSCORED: 1, Status.SCORED: 2}
"""Of the verdicts with one id, those of the highest rank count."""


def finality(verdict: Verdict) -> tuple[int, datetime]:
    """Of the verdicts with one id the greatest counts: the best status, then the latest `judged_at`."""
    return RANK[verdict.status], verdict.judged_at


class VerdictSet(Generic[T]):
    """A value for each verdict id.

    A redelivered verdict changes nothing. Of several with one id, the one with the greatest `finality` is
    kept, in any order of arrival. The failed verdict of a request that could not be decoded is replaced by
    any scored or unscored verdict of the same request and release.
    """

    def __init__(self) -> None:
        self._kept: dict[str, tuple[tuple[int, datetime], tuple[str, str] | None, T]] = {}
        self._settled: set[tuple[str, str]] = set()

    def add(self, verdict: Verdict, value: T) -> bool:
        """Add a verdict with the value to keep for it. Returns whether it is kept."""
        rank = finality(verdict)
        judgement = (verdict.request_id, verdict.release)
        known = self._kept.get(verdict.verdict_id)
        if known is not None and known[0] >= rank:
            return False
        failed = verdict.status is Status.FAILED
        undecodable = judgement if failed and not verdict.content_digest else None
        self._kept[verdict.verdict_id] = (rank, undecodable, value)
        if not failed:
            self._settled.add(judgement)
        return True

    def __iter__(self) -> Iterator[T]:
        for _, undecodable, value in self._kept.values():
            if undecodable is None or undecodable not in self._settled:
                yield value
