"""The records of `judge.requests.v1` that a replay reads."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Self

from judgestream.adapters.kafka.reading import Offsets, TopicReader
from judgestream.core.errors import ConfigurationError
from judgestream.core.limits import quoted
from judgestream.core.request_filter import RequestFilter
from judgestream.v1.judging_pb2 import JudgeRequest

_PLACES = re.compile(r"\d+:\d+(,\d+:\d+)*")


@dataclass(frozen=True, kw_only=True, slots=True)
class Bound:
    """A place on every partition.

    every    the offset on all partitions
    places   partition -> offset, of some partitions
    time     of the first record that counts, by Kafka's timestamp
    """

    every: int | None = None
    places: Mapping[int, int] = field(default_factory=dict)
    time: datetime | None = None

    @classmethod
    def of(cls, text: str, moment: Callable[[str], datetime]) -> Self:
        """Parse `120` (an offset), `3:120,5:7` (partition:offset) or a time, which `moment` parses."""
        if text.isdecimal():
            return cls(every=int(text))
        if _PLACES.fullmatch(text):
            pairs = (part.split(":") for part in text.split(","))
            return cls(places={int(number): int(offset) for number, offset in pairs})
        return cls(time=moment(text))

    def offsets(self, reader: TopicReader[JudgeRequest], *, other: Offsets) -> Offsets:
        """The offsets on the topic. Partitions that `places` does not name have those of `other`.

        Raises:
            ConfigurationError: a partition does not exist.
        """
        if self.time is not None:
            return reader.since(self.time)
        ends = reader.end()
        if unknown := sorted(self.places.keys() - ends.keys()):
            raise ConfigurationError(
                f"the requests have no partition {unknown[0]}: use 0 to {max(ends)}"
            )
        if self.every is not None:
            return dict.fromkeys(ends, self.every)
        return {**other, **self.places}


@dataclass(frozen=True, kw_only=True, slots=True)
class Selection:
    """The requests of a replay.

    start   None for the oldest ones
    end     the first place that is left out; None for the present end of the topic
    limit   the oldest ones only; None for all
    """

    start: Bound | None = None
    end: Bound | None = None
    wanted: RequestFilter = field(default_factory=RequestFilter)
    limit: int | None = None

    @classmethod
    def of(
        cls,
        starts: Sequence[str],
        end: str | None,
        *,
        limit: int | None,
        moment: Callable[[str], datetime],
    ) -> Self:
        """Parse the values of `--from`, at most one place and any number of conditions, and of `--to`.

        Raises:
            ConfigurationError: there are two places, or a condition is malformed.
        """
        filters = [text for text in starts if "=" in text]
        places = [text for text in starts if "=" not in text]
        if len(places) > 1:
            raise ConfigurationError(
                f"--from names two places, {quoted(places[0])} and {quoted(places[1])}: give one, and"
                " conditions such as mode=pairwise besides"
            )
        return cls(
            start=Bound.of(places[0], moment) if places else None,
            end=None if end is None else Bound.of(end, moment),
            wanted=RequestFilter.of(",".join(filters)) if filters else RequestFilter(),
            limit=limit,
        )

    def bounds(self, reader: TopicReader[JudgeRequest]) -> tuple[Offsets, Offsets]:
        """Where reading starts, and before which offsets it ends. Both exist on the topic."""
        first, last = reader.beginning(), reader.end()
        # of `--from 3:120`, the partitions that are not named are left out: they start at their end
        start = first if self.start is None else self.start.offsets(reader, other=last)
        end = last if self.end is None else self.end.offsets(reader, other=last)
        return _within(start, first, last), _within(end, first, last)


def _within(offsets: Offsets, first: Offsets, last: Offsets) -> Offsets:
    return {number: min(max(offsets[number], first[number]), last[number]) for number in last}
