"""The amounts spent on each release, rebuilt from the costs on its verdicts.

Costs of calls whose verdict failed, or is older than the topics keep, are not on any verdict: the amounts are
at least what is found here.
"""

import asyncio
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

from judgestream.adapters.kafka.messages import OnSkip, everything
from judgestream.adapters.redis.batch import Batch
from judgestream.adapters.redis.rebuilding import raise_spending
from judgestream.contracts.codecs.verdicts import verdict_from_message
from judgestream.contracts.topics import PROBES, SHADOW, VERDICTS
from judgestream.core.types import Verdict
from judgestream.evaluation.time_windows import EPOCH
from judgestream.settings import Settings
from judgestream.v1.judging_pb2 import Verdict as VerdictMessage


@dataclass(slots=True)
class Costs:
    """Dollars by release: in all, and of one day."""

    day: int
    total: Counter[str] = field(default_factory=Counter)
    today: Counter[str] = field(default_factory=Counter)
    _counted: set[int] = field(default_factory=set)

    def add(self, verdict: Verdict) -> None:
        """Count a verdict's costs once. Judging again costs again: it has another `judged_at`."""
        costs = list(costs_of(verdict))
        identity = hash((verdict.verdict_id, verdict.judged_at))
        if not costs or identity in self._counted:
            return
        self._counted.add(identity)
        for release, cost in costs:
            # a Counter adds floats as well; its stub knows only whole numbers
            self.total[release] += cost  # type: ignore[assignment]
            if day_of(verdict.judged_at) == self.day:
                self.today[release] += cost  # type: ignore[assignment]


def costs_of(verdict: Verdict) -> Iterator[tuple[str, float]]:
    """Release -> cost: of each member of a jury, else of the release."""
    if verdict.members:
        yield from ((one.release, one.cost) for one in verdict.members if one.cost)
    elif verdict.cost:
        yield verdict.release, verdict.cost


def day_of(time: datetime) -> int:
    return (time - EPOCH).days


async def rebuild_spending(settings: Settings, batch: Batch, on_skip: OnSkip) -> int:
    """Raise the amounts to what the verdicts cost. Returns the number of releases that cost something.

    Raises:
        StoreUnavailable, BrokerUnavailable: a server does not answer. Run it again.
    """
    costs = Costs(day=day_of(datetime.now(UTC)))

    def read() -> None:
        for topic in (VERDICTS, SHADOW, PROBES):
            for _, message in everything(settings.kafka, topic, VerdictMessage, on_skip=on_skip):
                try:
                    costs.add(verdict_from_message(message))
                except ValueError as exc:
                    on_skip(f"skipped verdict {message.verdict_id[:32]!r}: {exc}")

    await asyncio.to_thread(read)
    for release, total in sorted(costs.total.items()):
        await raise_spending(
            batch,
            prefix=settings.redis.prefix,
            release=release,
            day=costs.day,
            today=costs.today[release],
            total=total,
        )
    return len(costs.total)
