"""Formats: how to recognise their records and convert them into requests with labels."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Generic, Protocol, TypeVar

from judgestream.core.conversation import Focus, Turn
from judgestream.core.formats.fields import Fields, InvalidRecord, Place, SetAside
from judgestream.core.formats.reasons import Aside, NoLabel
from judgestream.core.rubric import Rubric
from judgestream.core.types import Candidate, Image, Label, Options, ReferenceUse, Request

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
MULTI_TURN = "multi_turn"
MAX_NUMBER = 120
"""Characters of a row's own id that go into a request id; the digest tells longer ones apart."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Vote:
    """One annotator's answer. `winner` is a candidate id, "" for a tie.

    with_reference   whether the annotator saw the reference; None: it holds either way
    """

    annotator: str
    winner: str
    with_reference: bool | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Review:
    """A teacher's judgement of a pair as the file has it, unchecked: its text, and scores by position."""

    annotator: str
    text: str | None
    scores: tuple[float, float] | None
    with_reference: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Grade:
    """One annotator's grade of a single answer. Two grades of the same annotator make a label.

    equal_ties   whether two equal grades are published as a tie; else they are not a label
    """

    annotator: str
    value: float
    equal_ties: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Draft:
    """The content of one record, as a converter found it.

    name           the request's id before any prefix
    votes          the annotators' answers, as the file has them
    reviews        the same of teachers who wrote scores or reasons; for training
    unlabelled     why labels that the record seems to carry are not among the votes
    grade          of a single answer
    requested_at   the record's own time; None takes the time of the conversion
    complete       a request as its sender wrote it: a single answer without a reference is meant to be one
    place          of what was joined from several records: the place of the leading one
    conversations  the candidates as whole conversations, where the record has them: see `as_conversations`
    """

    name: str
    question: str
    candidates: tuple[Candidate, ...]
    mode: str = "pairwise"
    reference: str | None = None
    votes: tuple[Vote, ...] = ()
    reviews: tuple[Review, ...] = ()
    unlabelled: tuple[NoLabel, ...] = ()
    grade: Grade | None = None
    options: Options = field(default_factory=Options)
    requested_at: datetime | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    place: Place | None = None
    images: tuple[Image, ...] = ()
    complete: bool = False
    rubric: Rubric | None = None
    discussion: tuple[Turn, ...] = ()
    conversations: tuple[tuple[Turn, ...], ...] = ()

    @property
    def lacks_reference(self) -> bool:
        """Whether this is one answer alone, without anything to judge it by."""
        if self.complete or len(self.candidates) != 1 or (self.reference or "").strip():
            return False
        return not (self.images or self.candidates[0].images)


Found = Draft | Label | InvalidRecord
"""The result of a record: a request, a label, or the reason for neither (usually `SetAside`)."""


class Join(Protocol[T_co]):
    """A join of records from several files. `part` is the name of the kind of file."""

    def add(self, part: str, fields: Fields) -> None:
        """Take one record. Raises InvalidRecord."""

    def outcomes(self) -> Iterator[T_co]:
        """The results of all records. Called once, after the last file."""


# no slots: Python 3.11 cannot call an alias of a frozen generic class that has them
@dataclass(frozen=True, kw_only=True)
class Format(Generic[T]):
    """One row of a table of formats. A record gives what `convert` or `spread` make of it by itself, or
    goes into `join`; a row may have both, and is joined when a file of another row with the same `join`
    is there too.

    needs     groups of field names; a record is of this format when it has one name of each group
    when      a further condition, where names alone do not tell
    convert   makes one thing of a record; raises InvalidRecord
    spread    makes several, each of which may be set aside; raises InvalidRecord
    join      makes the gatherer of records that give nothing by themselves
    """

    name: str
    summary: str
    needs: tuple[tuple[str, ...], ...]
    convert: Callable[[Fields], T] | None = None
    spread: Callable[[Fields], Iterator[T]] | None = None
    join: Callable[[], Join[T]] | None = None
    when: Callable[[Mapping[str, object]], bool] = lambda values: True

    def recognises(self, values: Mapping[str, object]) -> bool:
        named = all(any(name in values for name in group) for group in self.needs)
        return named and self.when(values)

    def found(self, fields: Fields) -> Iterator[T]:
        """The results of the record by itself. Raises InvalidRecord."""
        if self.convert is not None:
            yield self.convert(fields)
        elif self.spread is not None:
            yield from self.spread(fields)

    @property
    def alone(self) -> bool:
        """Whether its records need no other file."""
        return self.convert is not None or self.spread is not None

    @property
    def signature(self) -> str:
        """The fields that it needs, in words."""
        return ", ".join(" or ".join(group) for group in self.needs) or "ids of samples"


RequestFormat = Format[Found]


@dataclass(frozen=True, kw_only=True, slots=True)
class Converted:
    """A request with its labels. `unlabelled` says why labels that the record seems to carry are not here."""

    request: Request
    labels: tuple[Label, ...]
    unlabelled: tuple[NoLabel, ...] = ()


def as_conversations(draft: Draft, focus: Focus) -> Draft:
    """The draft as a request of mode multi_turn about the whole conversations, under its own id.

    Raises:
        SetAside: the record has no conversations.
    """
    if draft.mode == MULTI_TURN:
        return replace(draft, options=replace(draft.options, focus=focus))
    if len(draft.conversations) != len(draft.candidates):
        where = f"{draft.place}: " if draft.place is not None else ""
        raise SetAside(f"{where}holds no conversations to judge", Aside.NO_CONVERSATION)
    return replace(
        draft,
        name=f"{draft.name}-{focus.value}",
        mode=MULTI_TURN,
        question="",
        candidates=tuple(
            replace(candidate, text="", turns=turns)
            for candidate, turns in zip(draft.candidates, draft.conversations, strict=True)
        ),
        options=replace(draft.options, focus=focus),
        complete=True,
    )


def finish(
    draft: Draft, *, at: datetime, prefix: str = "", reference_use: ReferenceUse | None = None
) -> Converted:
    """The draft as a request and its labels, under the id `prefix + draft.name`.

    A label's id is a digest of its request and annotator, so that sending a file twice replaces its labels.
    `reference_use` overrides the draft's own; labels that were given under another use are left out.
    """
    request_id = prefix + draft.name
    options = draft.options
    if reference_use is not None:
        options = replace(options, reference_use=reference_use)
    request = Request(
        request_id=request_id,
        mode=draft.mode,
        question=draft.question,
        candidates=draft.candidates,
        requested_at=draft.requested_at or at,
        reference=draft.reference,
        options=options,
        metadata=draft.metadata,
        images=draft.images,
        rubric=draft.rubric,
        discussion=draft.discussion,
    )
    votes, unlabelled = valid_votes(draft, options.reference_use)
    labels = tuple(
        Label(
            label_id=digest(request_id, vote.annotator, length=32),
            request_id=request_id,
            annotator=vote.annotator,
            labelled_at=at,
            winner=vote.winner,
            tie=vote.winner == "",
        )
        for vote in votes
    )
    return Converted(request=request, labels=labels, unlabelled=(*draft.unlabelled, *unlabelled))


def valid_votes(draft: Draft, use: ReferenceUse) -> tuple[tuple[Vote, ...], tuple[NoLabel, ...]]:
    """The votes that are labels of this request when its reference is used so, and why the others are not.

    A vote must name one of the candidates; of two equal answers none can win; a vote given with the reference
    does not apply to a judgement without it, and vice versa.
    """
    kept: list[Vote] = []
    lost: list[NoLabel] = []
    answers = {(one.text.strip(), one.images, one.turns) for one in draft.candidates}
    ids = {candidate.id for candidate in draft.candidates}
    shown = reference_shown(draft.reference, use)
    annotators = {vote.annotator for vote in draft.votes}
    given = {(vote.annotator, vote.with_reference): vote.winner for vote in draft.votes}
    for annotator in sorted(annotators):
        fitting = given.get((annotator, None))
        if fitting is None:
            options = [given.get((annotator, seen)) for seen in shown]
            fitting = options[0] if len(set(options)) == 1 else None
        if fitting is None:
            lost.append(NoLabel.OTHER_REFERENCE_USE)
        elif len(draft.candidates) < 2:
            lost.append(NoLabel.NOT_A_PAIR)
        elif fitting and fitting not in ids:
            lost.append(NoLabel.UNKNOWN_WINNER)
        elif fitting and len(answers) < len(draft.candidates):
            lost.append(NoLabel.IDENTICAL_ANSWERS)
        else:
            kept.append(Vote(annotator=annotator, winner=fitting))
    return tuple(kept), tuple(lost)


def reference_shown(reference: str | None, use: ReferenceUse) -> tuple[bool, ...]:
    """Whether the judge sees the reference; with `both`, some passes do and some do not."""
    if not (reference or "").strip() or use is ReferenceUse.NEVER:
        return (False,)
    return (True, False) if use is ReferenceUse.BOTH else (True,)


def dataset_name(form: str, number: str | None, fields: Fields, *content: str) -> str:
    """A request id for a row of a data set: `<format>-<number>-<digest of the content>`.

    The ids of files start again in every file, and a label finds its request by id: the digest keeps two
    files apart, and is the same in every run. A row without a number takes its place in the file.
    """
    short = (number or str(fields.place.number))[:MAX_NUMBER]
    return f"{form}-{short}-{digest(*content, length=10)}"


def pair_of(texts: Sequence[str], systems: Sequence[str] = ("", "")) -> tuple[Candidate, ...]:
    """Two answers in their order, with the ids "1" and "2"."""
    return numbered(texts, systems)


def numbered(texts: Sequence[str], systems: Sequence[str]) -> tuple[Candidate, ...]:
    """Answers in their order, with the ids "1", "2" and so on."""
    return tuple(
        Candidate(id=str(k), text=text, system=system)
        for k, (text, system) in enumerate(zip(texts, systems, strict=True), start=1)
    )


def pair_draft(
    form: str,
    fields: Fields,
    *,
    question: str,
    texts: Sequence[str],
    systems: Sequence[str],
    annotator: str,
    winner: str | NoLabel,
    number: str | None = None,
    reference: str | None = None,
) -> Draft:
    """Two answers with the vote of one annotator, or the reason why it is not a label."""
    votes: tuple[Vote, ...] = ()
    unlabelled: tuple[NoLabel, ...] = ()
    if isinstance(winner, NoLabel):
        unlabelled = (winner,)
    else:
        votes = (Vote(annotator=annotator, winner=winner),)
    return Draft(
        name=dataset_name(form, number, fields, question, *texts, *systems),
        question=question,
        candidates=pair_of(texts, systems),
        reference=reference,
        votes=votes,
        unlabelled=unlabelled,
    )


def digest(*parts: str, length: int) -> str:
    """Hex digits of SHA-256 over the parts, framed so that no two lists of parts run together."""
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:length]
