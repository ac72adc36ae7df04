"""Which fields a content digest depends on, and that requests of earlier versions keep theirs."""

import hashlib
from collections.abc import Callable
from dataclasses import fields, replace

import pytest

from judgestream.core.conversation import Focus, Turn
from judgestream.core.identity import content_digest
from judgestream.core.rubric import Criterion, Rubric
from judgestream.core.types import Candidate, Image, Options, Orders, ReferenceUse, Request
from tests.core.build import NOON, request

CRITERION = Criterion(id="c", description="d", low=0.0, high=4.0, weight=2.0, pass_threshold=3.0)
FULL = Request(
    request_id="r",
    mode="m",
    question="q",
    candidates=(
        Candidate(
            id="a",
            text="t",
            system="s",
            images=(Image(data=b"one", media_type="image/png"),),
            turns=(Turn(role="user", text="u"),),
            first_stage_score=1.0,
        ),
    ),
    requested_at=NOON,
    reference="ref",
    images=(Image(url="https://example.org/a.png"),),
    rubric=Rubric(criteria=(CRITERION,), pass_threshold=0.5),
    discussion=(Turn(role="judge", text="j"),),
)
NOT_JUDGED = {"request_id", "requested_at", "metadata"}


def _options(**changes: object) -> Callable[[Request], Request]:
    return lambda full: replace(full, options=replace(full.options, **changes))  # type: ignore[arg-type]


def _candidate(**changes: object) -> Callable[[Request], Request]:
    return lambda full: replace(full, candidates=(replace(full.candidates[0], **changes),))  # type: ignore[arg-type]


def _criterion(**changes: object) -> Callable[[Request], Request]:
    rubric = Rubric(criteria=(replace(CRITERION, **changes),), pass_threshold=0.5)  # type: ignore[arg-type]
    return lambda full: replace(full, rubric=rubric)


REQUEST_FIELDS: dict[str, Callable[[Request], Request]] = {
    "mode": lambda full: replace(full, mode="n"),
    "question": lambda full: replace(full, question="p"),
    "candidates": lambda full: replace(full, candidates=full.candidates * 2),
    "reference": lambda full: replace(full, reference=None),
    "options": _options(explain=True),
    "images": lambda full: replace(full, images=()),
    "rubric": lambda full: replace(full, rubric=None),
    "discussion": lambda full: replace(full, discussion=full.discussion * 2),
}
CANDIDATE_FIELDS = {
    "id": _candidate(id="b"),
    "text": _candidate(text="v"),
    "system": _candidate(system=""),
    "images": _candidate(images=(Image(data=b"two", media_type="image/png"),)),
    "turns": _candidate(turns=(Turn(role="assistant", text="u"),)),
    "first_stage_score": _candidate(first_stage_score=None),
}
OPTION_FIELDS = {
    "orders": _options(orders=Orders.STRAIGHT),
    "reference_use": _options(reference_use=ReferenceUse.NEVER),
    "explain": _options(explain=True),
    "max_explanation_tokens": _options(max_explanation_tokens=9),
    "focus": _options(focus=Focus.LAST_TURN),
    "pairs": _options(pairs=3),
    "hybrid_weight": _options(hybrid_weight=2.0),
}
CRITERION_FIELDS = {
    "id": _criterion(id="e"),
    "description": _criterion(description="f"),
    "low": _criterion(low=1.0),
    "high": _criterion(high=5.0),
    "weight": _criterion(weight=1.0),
    "pass_threshold": _criterion(pass_threshold=None),
}
CHANGES = {
    f"{kind.__name__}.{name}": change
    for kind, changes in (
        (Request, REQUEST_FIELDS),
        (Candidate, CANDIDATE_FIELDS),
        (Options, OPTION_FIELDS),
        (Criterion, CRITERION_FIELDS),
    )
    for name, change in changes.items()
}


def test_the_tables_name_every_field() -> None:
    assert REQUEST_FIELDS.keys() | NOT_JUDGED == {one.name for one in fields(Request)}
    assert CANDIDATE_FIELDS.keys() == {one.name for one in fields(Candidate)}
    assert OPTION_FIELDS.keys() == {one.name for one in fields(Options)}
    assert CRITERION_FIELDS.keys() == {one.name for one in fields(Criterion)}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_every_judged_field_is_part_of_the_digest(change: Callable[[Request], Request]) -> None:
    assert content_digest(change(FULL)) != content_digest(FULL)


def test_no_two_changes_give_the_same_digest() -> None:
    digests = [content_digest(change(FULL)) for name, change in CHANGES.items()]
    assert len(set(digests)) == len(set(map(repr, (change(FULL) for change in CHANGES.values()))))


def _first_version(asked: Request) -> str:
    """The digest as the version before images, conversations and rubrics computed it."""
    options = asked.options
    parts = [
        asked.mode,
        asked.question,
        asked.reference or "",
        options.orders.value,
        options.reference_use.value,
        str(int(options.explain)),
        str(options.max_explanation_tokens),
    ]
    for candidate in asked.candidates:
        parts += (candidate.id, candidate.text, candidate.system)
    digest = hashlib.sha256()
    for part in parts:
        raw = part.encode()
        digest.update(len(raw).to_bytes(4, "big") + raw)
    return digest.hexdigest()


@pytest.mark.parametrize(
    "asked",
    [
        request(),
        request(mode="single", answers=("Rayleigh",), reference="Rayleigh scattering."),
        request(options=Options(orders=Orders.STRAIGHT, explain=True, max_explanation_tokens=7)),
        request(answers=("\u00e4", "\U0001f600", "")),
    ],
)
def test_requests_without_new_fields_keep_their_digest(asked: Request) -> None:
    assert content_digest(asked) == _first_version(asked)
