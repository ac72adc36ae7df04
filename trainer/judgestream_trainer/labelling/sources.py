"""Seed questions, several models' answers to them, and reference answers, joined by question id.

The files have JudgeLM's format. A seed has `question_id` and `question_body`. An answer has `question_id` and
`text`, and optionally `question_body`, `model` and `decoding_method`. A reference is the field `reference`,
as text or as an object with `text`, in a separate file or on the seed.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from judgestream.adapters.files import read_records
from judgestream.core.errors import ConfigurationError
from judgestream.core.formats.fields import Fields, InvalidRecord


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """One model's answer, and its decoding method if known."""

    model: str
    text: str
    decoding: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """One seed with all its answers, in the order of the answer files. `id` keeps its JSON type."""

    id: int | str
    body: str
    reference: str | None
    answers: tuple[Answer, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Sources:
    """The joined input files.

    answers    number of answers to these questions, per model
    unmatched  number of answers and references without a seed; they are left out
    """

    questions: tuple[Question, ...]
    answers: Mapping[str, int]
    unmatched: int


@dataclass(kw_only=True, slots=True)
class _Seed:
    """A question while its answers are read."""

    id: int | str
    body: str
    reference: str | None
    answers: dict[str, Answer] = field(default_factory=dict)


def read_sources(seeds: Path, answers: Sequence[Path], references: Path | None) -> Sources:
    """Read and join the files.

    Raises:
        ConfigurationError: a file is unreadable, a field is missing or has another type, an id is repeated, a
            body differs from that of its seed, or fewer than two models answer. The message names file, line
            and field.
    """
    try:
        by_id = _seeds(seeds)
        unmatched = sum(_add_answers(path, by_id) for path in answers)
        unmatched += _add_references(references, by_id) if references is not None else 0
    except InvalidRecord as exc:
        raise ConfigurationError(str(exc)) from exc
    counts = Counter(model for seed in by_id.values() for model in seed.answers)
    if len(counts) < 2:
        raise ConfigurationError(
            f"a pair needs answers of two models, but {', '.join(p.name for p in answers)} hold answers of"
            f" {', '.join(counts) or 'none'} to the questions in {seeds.name}: add another answer file"
        )
    questions = tuple(
        Question(
            id=seed.id,
            body=seed.body,
            reference=seed.reference,
            answers=tuple(seed.answers.values()),
        )
        for seed in by_id.values()
    )
    return Sources(questions=questions, answers=dict(counts), unmatched=unmatched)


def _fields(path: Path) -> Iterator[Fields]:
    for place, values in read_records(path):
        yield Fields(values, place)


def _seeds(path: Path) -> dict[str, _Seed]:
    by_id: dict[str, _Seed] = {}
    for fields in _fields(path):
        name = _id(fields)
        if name in by_id:
            fields.reject("question_id", f"duplicate id {name!r}: give every seed a unique id")
        raw = fields.values["question_id"]
        by_id[name] = _Seed(
            id=raw if isinstance(raw, int) else name,
            body=fields.text("question_body"),
            reference=_reference(fields),
        )
    return by_id


def _add_answers(path: Path, seeds: Mapping[str, _Seed]) -> int:
    """Attach one file's answers to their seeds. Returns the number without a seed."""
    unmatched, seen = 0, set[tuple[str, str]]()
    for fields in _fields(path):
        name, model = _id(fields), fields.optional_text("model") or path.stem
        if (name, model) in seen:
            fields.reject(
                "question_id", f"second answer of {model} to {name!r} in this file: keep one"
            )
        seen.add((name, model))
        text = fields.text("text")
        seed = seeds.get(name)
        if seed is None:
            unmatched += 1
            continue
        _check_body(fields, seed)
        if model in seed.answers:
            fields.reject(
                "model",
                f"another file also holds an answer of {model} to {name!r}: rename one model",
            )
        decoding = fields.optional_text("decoding_method") or ""
        seed.answers[model] = Answer(model=model, text=text, decoding=decoding)
    return unmatched


def _add_references(path: Path, seeds: Mapping[str, _Seed]) -> int:
    """Attach the references to their seeds. Returns the number without a seed."""
    unmatched, seen = 0, set[str]()
    for fields in _fields(path):
        name = _id(fields)
        if name in seen:
            fields.reject("question_id", f"duplicate id {name!r}: keep one reference per question")
        seen.add(name)
        reference = _reference(fields)
        if reference is None:
            fields.reject("reference", "is missing: give it as text or as an object with `text`")
        seed = seeds.get(name)
        if seed is None:
            unmatched += 1
            continue
        _check_body(fields, seed)
        if seed.reference not in (None, reference):
            fields.reject("reference", f"differs from the reference of seed {name!r}: keep one")
        seed.reference = reference
    return unmatched


def _id(fields: Fields) -> str:
    name = fields.identity("question_id")
    if name is None:
        fields.reject("question_id", "is missing")
    return name


def _check_body(fields: Fields, seed: _Seed) -> None:
    """A question repeated in a record must equal that of the seed."""
    body = fields.optional_text("question_body")
    if body is not None and body.strip() != seed.body.strip():
        fields.reject(
            "question_body",
            f"{body[:60]!r} is not the question of seed {seed.id!r} ({seed.body[:60]!r}): check the ids",
        )


def _reference(fields: Fields) -> str | None:
    """The text of the reference, None if it is empty."""
    value = fields.values.get("reference")
    if isinstance(value, dict):
        return fields.nested("reference", value).optional_text("text") or None
    return fields.optional_text("reference") or None
