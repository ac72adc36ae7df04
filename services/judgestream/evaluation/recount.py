"""The exact counts of every window, from all verdicts of a topic in any order."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta

from judgestream.evaluation.contribution import Contribution
from judgestream.evaluation.probes import Counts
from judgestream.evaluation.time_windows import TimeWindow, window_of, windows_over

ByPrompt = Mapping[str, Counts]
"""Bucket of prompts -> summed counts."""


class Recount:
    """The final contributions of the verdicts that were added. See `contribution` for which are final."""

    def __init__(self) -> None:
        self._judgements: defaultdict[str, dict[str, Contribution]] = defaultdict(dict)

    def add(self, one: Contribution) -> None:
        """Add a verdict's contribution. A second time it changes nothing."""
        ids = self._judgements[one.judgement]
        held = ids.get(one.verdict_id)
        if held is None or held.finality < one.finality:
            ids[one.verdict_id] = one

    def __iter__(self) -> Iterator[Contribution]:
        """The contributions that count."""
        for ids in self._judgements.values():
            settled = any(one.settled for one in ids.values())
            yield from (one for one in ids.values() if not (settled and one.undecodable))

    def windows(
        self, size: timedelta, hop: timedelta | None = None
    ) -> dict[tuple[str, TimeWindow], ByPrompt]:
        """The counts of every window of this size that starts every `hop`, by release and window.

        Without `hop` the windows follow each other.
        """
        step = hop or size
        found: dict[tuple[str, TimeWindow], list[Contribution]] = defaultdict(list)
        for one in self:
            for window in windows_over(window_of(one.time, step), size, step):
                found[one.release, window].append(one)
        return {
            key: by_prompt((one.bucket, one.counts) for one in ones) for key, ones in found.items()
        }

    def releases(self) -> dict[str, ByPrompt]:
        """The counts of every release, over all time."""
        found: defaultdict[str, list[Contribution]] = defaultdict(list)
        for one in self:
            found[one.release].append(one)
        return {
            key: by_prompt((one.bucket, one.counts) for one in ones) for key, ones in found.items()
        }


def by_prompt(parts: Iterable[tuple[str, Counts]]) -> ByPrompt:
    """Counts summed by bucket, without those that sum to nothing."""
    sums: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for bucket, counts in parts:
        sums[bucket].update(counts)
    kept = {
        bucket: {name: count for name, count in sorted(counts.items()) if count}
        for bucket, counts in sorted(sums.items())
    }
    return {bucket: counts for bucket, counts in kept.items() if counts}


def merged(parts: Iterable[ByPrompt]) -> ByPrompt:
    """The sum over parts, such as the panes of a hopping window."""
    return by_prompt(item for part in parts for item in part.items())
