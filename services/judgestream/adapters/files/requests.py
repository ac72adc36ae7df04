"""Input files as requests with their labels."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from judgestream.adapters.files import STDIN
from judgestream.adapters.files.importing import Imported, Reading, import_files
from judgestream.contracts.request_format import SUBMITTED
from judgestream.core.checks import label_problem
from judgestream.core.errors import InvalidRequest
from judgestream.core.formats.base import Converted, Found, RequestFormat, digest, finish
from judgestream.core.formats.fields import InvalidRecord, Place, SetAside
from judgestream.core.formats.reasons import Aside
from judgestream.core.limits import quoted
from judgestream.core.modes import check
from judgestream.core.types import Label, ReferenceUse

__all__ = ["FORMATS", "STDIN", "Selection", "Skipped", "read_requests"]

FORMATS: Mapping[str, RequestFormat] = SUBMITTED


@dataclass(frozen=True, kw_only=True, slots=True)
class Selection:
    """Which rows of which files to take, and how. None leaves as it is.

    at             the time of requests that have none of their own, and of all labels
    prefix         put before every request id
    limit          so many requests from the beginning
    """

    paths: Sequence[Path]
    at: datetime
    form: str | None = None
    mapping: Mapping[str, str] | None = None
    join: str | None = None
    prefix: str = ""
    limit: int | None = None
    reference_use: ReferenceUse | None = None

    def read(self) -> Iterator["Converted | Label | Skipped"]:
        """Requests that can be judged, labels of other requests, and what is neither, in order.

        Raises:
            ConfigurationError: a file cannot be opened, or `form` is not a format.
            InvalidRecord: a file is of no known format.
        """
        reading = Reading(formats=FORMATS, form=self.form, mapping=self.mapping, join=self.join)
        seen: dict[str, tuple[int, str]] = {}
        for row in import_files(self.paths, reading):
            if self.limit is not None and len(seen) >= self.limit:
                return
            try:
                yield self._converted(row, seen)
            except InvalidRecord as exc:
                yield Skipped(problem=exc, form=row.form, place=row.place)

    def _converted(
        self, row: Imported[Found], seen: dict[str, tuple[int, str]]
    ) -> "Converted | Label":
        if isinstance(row.found, InvalidRecord):
            raise row.found
        where = f"{row.place}: " if row.place is not None else ""
        if isinstance(row.found, Label):
            return _checked_label(row.found, self.prefix, where)
        converted = finish(
            row.found, at=self.at, prefix=self.prefix, reference_use=self.reference_use
        )
        request = converted.request
        try:
            check(request)
            for label in converted.labels:
                _checked_label(label, "", where)
        except InvalidRequest as exc:
            raise InvalidRecord(f"{where}{exc}") from exc
        content = hash((request.question, request.candidates, request.reference, request.mode))
        if request.request_id in seen:
            before, place = seen[request.request_id]
            if before == content:
                problem = f"{where}the same request is in {place}"
                raise SetAside(problem, Aside.REPEATED)
            raise InvalidRecord(
                f"{where}request id {quoted(request.request_id)} was used in {place} before:"
                " give every request an id of its own"
            )
        seen[request.request_id] = content, str(row.place or "a join")
        return converted


@dataclass(frozen=True, kw_only=True, slots=True)
class Skipped:
    """A row that is not a request: it cannot be read, or cannot be judged with certainty."""

    problem: InvalidRecord
    form: str
    place: Place | None = None

    @property
    def reason(self) -> str:
        """What is counted: the reason of a row that is set aside, `invalid` of one that is malformed."""
        return self.problem.reason.value if isinstance(self.problem, SetAside) else "invalid"

    @property
    def malformed(self) -> bool:
        return not isinstance(self.problem, SetAside)

    def record(self) -> dict[str, str]:
        """For a file of skipped rows."""
        text = str(self.problem)
        place = str(self.place) if self.place is not None else text.partition(": ")[0]
        problem = text.removeprefix(f"{place}: ")
        return {"place": place, "reason": self.reason, "format": self.form, "problem": problem}


def read_requests(
    path: Path, *, form: str | None, at: datetime, prefix: str = "", limit: int | None = None
) -> Iterator[Converted]:
    """The file's requests, checked, with the labels that come with them, in order.

    Raises:
        ConfigurationError: the file cannot be opened, or `form` is not a format.
        InvalidRecord: a row is not a request; the message names file, place and field.
    """
    chosen = Selection(paths=[path], at=at, form=form, prefix=prefix, limit=limit)
    for one in chosen.read():
        if isinstance(one, Skipped):
            raise one.problem
        if isinstance(one, Converted):
            yield one


def _checked_label(label: Label, prefix: str, where: str) -> Label:
    problem = label_problem(label)
    if problem:
        raise InvalidRecord(f"{where}label {problem}")
    if not prefix:
        return label
    request_id = prefix + label.request_id
    return Label(
        label_id=digest(request_id, label.annotator, length=32),
        request_id=request_id,
        annotator=label.annotator,
        labelled_at=label.labelled_at,
        winner=label.winner,
        tie=label.tie,
    )
