"""Counts of what input files contain: requests, labels, and rows that are neither."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from judgestream.adapters.files.requests import Skipped
from judgestream.core.formats.base import Converted
from judgestream.core.types import Label


@dataclass(kw_only=True, slots=True)
class ImportCounts:
    """Requests by mode, labels by annotator, and what was left out by reason."""

    requests: Counter[str] = field(default_factory=Counter)
    labels: Counter[str] = field(default_factory=Counter)
    unlabelled: Counter[str] = field(default_factory=Counter)
    skipped: Counter[str] = field(default_factory=Counter)
    malformed: int = 0

    def add(self, row: Converted | Label | Skipped) -> None:
        if isinstance(row, Skipped):
            self.skipped[row.reason] += 1
            self.malformed += row.malformed
        elif isinstance(row, Label):
            self.labels[row.annotator] += 1
        else:
            self.requests[row.request.mode] += 1
            self.labels.update(label.annotator for label in row.labels)
            self.unlabelled.update(reason.value for reason in row.unlabelled)

    def rows(self) -> Iterator[tuple[str, int]]:
        """Names and counts, for people."""
        for mode, count in sorted(self.requests.items()):
            yield f"requests, {mode}", count
        for annotator, count in self.labels.most_common(20):
            yield f"labels by {annotator}", count
        for reason, count in sorted(self.unlabelled.items()):
            yield f"no label, {reason}", count
        for reason, count in sorted(self.skipped.items()):
            yield f"not a request, {reason}", count

    def as_json(self) -> dict[str, object]:
        return {
            "requests": self.requests.total(),
            "labels": self.labels.total(),
            "unlabelled": dict(sorted(self.unlabelled.items())),
            "skipped": dict(sorted(self.skipped.items())),
        }
