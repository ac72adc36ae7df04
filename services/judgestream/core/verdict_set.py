"""One verdict per judgement, from a topic that may have several records of it."""

from collections.abc import Iterator
from typing import Generic, TypeVar

from judgestream.core.types import Status, Verdict

T = TypeVar("T")

RANK = {Status.FAILED: 0, Status.UNSCORED: 1, Status.SCORED: 2}
"""A verdict replaces one of the same id with a lower rank."""


class VerdictSet(Generic[T]):
    """A value for each verdict id.

    A redelivered verdict changes nothing. A scored verdict replaces an unscored one, and either replaces a
    failed one, in any order of arrival. They must have the same id or, if the failed request could not be
    decoded, the same request and release.
    """

    def __init__(self) -> None:
        self._kept: dict[str, tuple[int, tuple[str, str] | None, T]] = {}
        self._settled: set[tuple[str, str]] = set()

    def add(self, verdict: Verdict, value: T) -> bool:
        """Add a verdict with the value to keep for it. Returns whether it is kept."""
        rank = RANK[verdict.status]
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
