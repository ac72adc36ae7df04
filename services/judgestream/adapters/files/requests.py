"""Requests and labels read from input files."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from judgestream.adapters.files import STDIN
from judgestream.adapters.files.importing import Imported, Reading, import_files
from judgestream.contracts.request_format import SUBMITTED
from judgestream.core.checks import label_problem
from judgestream.core.conversation import Focus
from judgestream.core.errors import InvalidRequest
from judgestream.core.formats.base import (
    Converted,
    Found,
    RequestFormat,
    as_conversations,
    digest,
    finish,
)
from judgestream.core.formats.fields import InvalidRecord, Place, SetAside
from judgestream.core.formats.reasons import Aside
from judgestream.core.limits import quoted
from judgestream.core.modes import check
from judgestream.core.types import Label, ReferenceUse

__all__ = ["FORMATS", "STDIN", "Selection", "Skipped", "read_requests"]

FORMATS: Mapping[str, RequestFormat] = SUBMITTED


@dataclass(frozen=True, kw_only=True, slots=True)
class Selection:
    """The rows to read from files, and overrides for them. None overrides nothing.

    at             the time of requests without one, and of all labels
    prefix         prefix of every request id
    limit          number of requests to read
    conversations  judge conversations, whole or by their last turn, where the rows have them
    """

    paths: Sequence[Path]
    at: datetime
    form: str | None = None
    mapping: Mapping[str, str] | None = None
    join: str | None = None
    prefix: str = ""
    limit: int | None = None
    reference_use: ReferenceUse | None = None
    conversations: Focus | None = None

    def read(self) -> Iterator["Converted | Label | Skipped"]:
        """Requests that can be judged, labels of other requests, and skipped rows, in order.

        Raises:
            ConfigurationError: a file cannot be opened, or `form` is not a format.
            InvalidRecord: a file has an unknown format.
        """
        reading = Reading(
            formats=FORMATS,
            form=self.form,
            mapping=self.mapping,
            join=self.join,
            conversations=self.conversations is not None,
        )
        known: dict[str, tuple[int, str]] = {}
        for row in import_files(self.paths, reading):
            if self.limit is not None and len(known) >= self.limit:
                return
            try:
                yield self._converted(row, known)
            except InvalidRecord as exc:
                yield Skipped(problem=exc, form=row.form, place=row.place)

    def _converted(
        self, row: Imported[Found], known: dict[str, tuple[int, str]]
    ) -> "Converted | Label":
        if isinstance(row.found, InvalidRecord):
            raise row.found
        where = f"{row.place}: " if row.place is not None else ""
        if isinstance(row.found, Label):
            return _checked_label(row.found, self.prefix, where)
        draft = row.found
        if self.conversations is not None:
            draft = as_conversations(replace(draft, place=row.place), self.conversations)
        converted = finish(draft, at=self.at, prefix=self.prefix, reference_use=self.reference_use)
        request = converted.request
        try:
            check(request)
            for label in converted.labels:
                _checked_label(label, "", where)
        except InvalidRequest as exc:
            raise InvalidRecord(f"{where}{exc}") from exc
        parts = (request.question, request.candidates, request.reference, request.mode)
        content = hash((*parts, request.rubric, request.discussion))
        if request.request_id in known:
            before, place = known[request.request_id]
            if before == content:
                problem = f"{where}duplicate of the request in {place}"
                raise SetAside(problem, Aside.REPEATED)
            raise InvalidRecord(
                f"{where}request id {quoted(request.request_id)} was already used in {place}:"
                " give every request a unique id"
            )
        known[request.request_id] = content, str(row.place or "a join")
        return converted


@dataclass(frozen=True, kw_only=True, slots=True)
class Skipped:
    """A row that is not a request: it is malformed, or cannot be judged with certainty."""

    problem: InvalidRecord
    form: str
    place: Place | None = None

    @property
    def reason(self) -> str:
        """The reason why a row is set aside; `invalid` for a malformed row."""
        return self.problem.reason.value if isinstance(self.problem, SetAside) else "invalid"

    @property
    def malformed(self) -> bool:
        return not isinstance(self.problem, SetAside)

    def record(self) -> dict[str, str]:
        """The row for a file of skipped rows."""
        text = str(self.problem)
        place = str(self.place) if self.place is not None else text.partition(": ")[0]
        problem = text.removeprefix(f"{place}: ")
        return {"place": place, "reason": self.reason, "format": self.form, "problem": problem}


def read_requests(
    path: Path, *, form: str | None, at: datetime, prefix: str = "", limit: int | None = None
) -> Iterator[Converted]:
    """The file's requests in order, checked, with their labels.

    Raises:
        ConfigurationError: the file cannot be opened, or `form` is not a format.
        InvalidRecord: a row is not a request; the message names file, place and field.
    """
    chosen = Selection(paths=[path], at=at, form=form, prefix=prefix, limit=limit)
    for row in chosen.read():
        if isinstance(row, Skipped):
            raise row.problem
        if isinstance(row, Converted):
            yield row


def _checked_label(label: Label, prefix: str, where: str) -> Label:
    problem = label_problem(label)
    if problem:
        raise InvalidRecord(f"{where}label {problem}")
    if not prefix:
        return label
    request_id = prefix + label.request_id
    return replace(
        label,
        label_id=digest(request_id, label.annotator, length=32),
        request_id=request_id,
    )
