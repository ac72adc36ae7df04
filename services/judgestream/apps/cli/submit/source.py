"""The requests and labels that `judgestream submit` sends: rows of files, with options, checked."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from judgestream.adapters.files.opening import reads_once
from judgestream.adapters.files.requests import Selection, Skipped
from judgestream.apps.cli.submit.skips import Skips
from judgestream.contracts.published import request_record
from judgestream.core.errors import ConfigurationError, InvalidRequest, OversizeRecord
from judgestream.core.formats.base import Converted
from judgestream.core.formats.fields import InvalidRecord
from judgestream.core.types import Label, Orders, Request


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """The rows of files, and judging options that override theirs. None overrides nothing."""

    selection: Selection
    explain: bool | None
    orders: Orders | None
    hybrid_weight: float | None = None

    def read(self) -> Iterator[Converted | Label | Skipped]:
        for one in self.selection.read():
            if isinstance(one, Converted):
                yield replace(one, request=self._with_options(one.request))
            else:
                yield one

    @property
    def once_only(self) -> bool:
        """Whether rows come from standard input or a pipe, which cannot be read twice."""
        return any(reads_once(path) for path in self.selection.paths)

    def _with_options(self, request: Request) -> Request:
        given = request.options
        wanted = replace(
            given,
            explain=given.explain if self.explain is None else self.explain,
            orders=self.orders or given.orders,
            hybrid_weight=given.hybrid_weight if self.hybrid_weight is None else self.hybrid_weight,
        )
        return replace(request, options=wanted)


def sendable(one: Converted | Label | Skipped, content_type: str) -> Converted | Label | Skipped:
    """The row itself, or `Skipped` when its record would be too large."""
    if not isinstance(one, Converted):
        return one
    try:
        request_record(one.request, content_type=content_type)
    except (InvalidRequest, OversizeRecord) as exc:
        return Skipped(problem=InvalidRecord(str(exc)), form="")
    return one


def counted(source: Source, content_type: str, skipping: bool) -> int:
    """Read everything once, so that nothing is sent of invalid files. Returns the number of requests."""
    trial = Skips(None)
    for one in source.read():
        trial.add(sendable(one, content_type))
    trial.check(forgiving=skipping)
    counts = trial.counts
    if not counts.requests and not counts.labels:
        trial.report()
        names = ", ".join(str(path) for path in source.selection.paths)
        raise ConfigurationError(f"{names}: these records contain no request")
    return counts.requests.total()
