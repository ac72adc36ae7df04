"""One result per judgement out of a topic that may hold several records of it."""

from collections.abc import Iterator
from typing import Generic, TypeVar

from judgestream.core.types import Status, Verdict

T = TypeVar("T")


class VerdictSet(Generic[T]):
    """Keeps what the caller makes of each verdict, once per verdict id.

    A redelivered verdict changes nothing. A verdict that settled something takes the place of a failed
    one, never the other way round: of the same id, or, for a request that could not even be decoded when
    it failed, of the same request and release.
    """

    def __init__(self) -> None:
        self._kept: dict[str, tuple[bool, tuple[str, str], T]] = {}
        self._settled: set[tuple[str, str]] = set()

    def add(self, verdict: Verdict, value: T) -> bool:
        """Returns whether the verdict is kept."""
        failed = verdict.status is Status.FAILED
        judgement = (verdict.request_id, verdict.release)
        known = self._kept.get(verdict.verdict_id)
        if known is not None and (failed or not known[0]):
            return False
        self._kept[verdict.verdict_id] = (failed, judgement, value)
        if not failed:
            self._settled.add(judgement)
        return True

    def __iter__(self) -> Iterator[T]:
        for failed, judgement, value in self._kept.values():
            if not failed or judgement not in self._settled:
                yield value
