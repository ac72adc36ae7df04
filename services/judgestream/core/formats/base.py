"""What a format is: how to recognise its records, and how to make one into a request with its labels."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from judgestream.core.formats.fields import Fields
from judgestream.core.types import Candidate, Label, Options, Request


@dataclass(frozen=True, kw_only=True, slots=True)
class Vote:
    """One annotator's answer. `winner` is a candidate id, "" for a tie."""

    annotator: str
    winner: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Draft:
    """What a converter finds in one record.

    name           the request's id before any prefix
    requested_at   the record's own time; None takes the time of the conversion
    """

    name: str
    question: str
    candidates: tuple[Candidate, ...]
    mode: str = "pairwise"
    reference: str | None = None
    votes: tuple[Vote, ...] = ()
    options: Options = field(default_factory=Options)
    requested_at: datetime | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Format:
    """One row of the table of formats.

    needs        groups of field names; a record is of this format when it has one name of each group
    convert      raises InvalidRecord
    """

    name: str
    summary: str
    needs: tuple[tuple[str, ...], ...]
    convert: Callable[[Fields], Draft]

    def recognises(self, values: Mapping[str, object]) -> bool:
        return all(any(name in values for name in group) for group in self.needs)

    @property
    def signature(self) -> str:
        """The fields that it needs, in words."""
        return ", ".join(" or ".join(group) for group in self.needs)


@dataclass(frozen=True, kw_only=True, slots=True)
class Converted:
    request: Request
    labels: tuple[Label, ...]


def finish(draft: Draft, *, at: datetime, prefix: str = "") -> Converted:
    """The draft as a request and its labels, under the id `prefix + draft.name`.

    A label's id is a digest of its request and annotator, so that a file sent twice replaces its labels.
    """
    request_id = prefix + draft.name
    request = Request(
        request_id=request_id,
        mode=draft.mode,
        question=draft.question,
        candidates=draft.candidates,
        requested_at=draft.requested_at or at,
        reference=draft.reference,
        options=draft.options,
        metadata=draft.metadata,
    )
    labels = tuple(
        Label(
            label_id=digest(request_id, vote.annotator, length=32),
            request_id=request_id,
            annotator=vote.annotator,
            labelled_at=at,
            winner=vote.winner,
            tie=vote.winner == "",
        )
        for vote in draft.votes
    )
    return Converted(request=request, labels=labels)


def dataset_name(form: str, number: str | None, fields: Fields, *content: str) -> str:
    """A request id for a row of a data set: `<format>-<number>-<digest of the content>`.

    Row numbers start again in every file, and a judge that has answered an id before does not answer it
    again; the digest keeps two files apart. A row without a number takes its place in the file.
    """
    return f"{form}-{number or fields.place.number}-{digest(*content, length=10)}"


def digest(*parts: str, length: int) -> str:
    """Hex digits of SHA-256 over the parts, framed so that no two lists of parts run together."""
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:length]
