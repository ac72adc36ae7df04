"""Seed questions, several models' answers to them, and reference answers, joined by question id.

The files are JudgeLM's own: a seed has `question_id` and `question_body`; an answer has `question_id` and
`text`, and may name its `question_body`, `model` and `decoding_method`; a reference is `reference`, as text
or as an object with `text`, in a file of its own or on the seed.
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
    """What one model wrote, and how it was decoded, where that is known."""

    model: str
    text: str
    decoding: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """One seed with all answers to it, in the order of the answer files. `id` keeps its JSON type."""

    id: int | str
    body: str
    reference: str | None
    answers: tuple[Answer, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Sources:
    """Everything that was read.

    answers   per model, how many answers to these questions
    unmatched answers and references whose question is not among the seeds: left out, and counted
    """

    questions: tuple[Question, ...]
    answers: Mapping[str, int]
    unmatched: int


@dataclass(kw_only=True, slots=True)
class _Seed:
    """A question while its answers come in."""

    id: int | str
    body: str
    reference: str | None
    answers: dict[str, Answer] = field(default_factory=dict)


def read_sources(seeds: Path, answers: Sequence[Path], references: Path | None) -> Sources:
    """Read and join the files.

    Raises:
        ConfigurationError: a file cannot be read, a field is missing or of another type, an id comes twice,
            a body differs from its seed's, or fewer than two models answer. It names file, line and field.
    """
    try:
        found = _seeds(seeds)
        unmatched = sum(_add_answers(path, found) for path in answers)
        unmatched += _add_references(references, found) if references is not None else 0
    except InvalidRecord as exc:
        raise ConfigurationError(str(exc)) from exc
    counts = Counter(model for seed in found.values() for model in seed.answers)
    if len(counts) < 2:
        raise ConfigurationError(
            f"a pair needs two models' answers, and {', '.join(p.name for p in answers)} have those of"
            f" {', '.join(counts) or 'none'} to the questions in {seeds.name}: give another answer file"
        )
    questions = tuple(
        Question(
            id=seed.id,
            body=seed.body,
            reference=seed.reference,
            answers=tuple(seed.answers.values()),
        )
        for seed in found.values()
    )
    return Sources(questions=questions, answers=dict(counts), unmatched=unmatched)


def _fields(path: Path) -> Iterator[Fields]:
    for place, values in read_records(path):
        yield Fields(values, place)


def _seeds(path: Path) -> dict[str, _Seed]:
    found: dict[str, _Seed] = {}
    for fields in _fields(path):
        name = _id(fields)
        if name in found:
            fields.reject("question_id", f"{name!r} comes twice: give every seed an id of its own")
        raw = fields.values["question_id"]
        found[name] = _Seed(
            id=raw if isinstance(raw, int) else name,
            body=fields.text("question_body"),
            reference=_reference(fields),
        )
    return found


def _add_answers(path: Path, seeds: Mapping[str, _Seed]) -> int:
    """Put one file's answers to their seeds. Returns how many belong to none."""
    unmatched, seen = 0, set[tuple[str, str]]()
    for fields in _fields(path):
        name, model = _id(fields), fields.optional_text("model") or path.stem
        if (name, model) in seen:
            fields.reject("question_id", f"{model} has answered {name!r} before in this file")
        seen.add((name, model))
        text = fields.text("text")
        seed = seeds.get(name)
        if seed is None:
            unmatched += 1
            continue
        _check_body(fields, seed)
        if model in seed.answers:
            fields.reject("model", f"another file has {model}'s answer to {name!r}: rename one")
        decoding = fields.optional_text("decoding_method") or ""
        seed.answers[model] = Answer(model=model, text=text, decoding=decoding)
    return unmatched


def _add_references(path: Path, seeds: Mapping[str, _Seed]) -> int:
    """Put the references to their seeds. Returns how many belong to none."""
    unmatched, seen = 0, set[str]()
    for fields in _fields(path):
        name = _id(fields)
        if name in seen:
            fields.reject("question_id", f"{name!r} comes twice: which reference holds?")
        seen.add(name)
        reference = _reference(fields)
        if reference is None:
            fields.reject("reference", "is missing: write it as text or as an object with text")
        seed = seeds.get(name)
        if seed is None:
            unmatched += 1
            continue
        _check_body(fields, seed)
        if seed.reference not in (None, reference):
            fields.reject("reference", f"differs from the one that seed {name!r} brings: keep one")
        seed.reference = reference
    return unmatched


def _id(fields: Fields) -> str:
    found = fields.identity("question_id")
    if found is None:
        fields.reject("question_id", "is missing")
    return found


def _check_body(fields: Fields, seed: _Seed) -> None:
    """Where a record repeats its question, it must be the seed's."""
    body = fields.optional_text("question_body")
    if body is not None and body.strip() != seed.body.strip():
        fields.reject(
            "question_body",
            f"{body[:60]!r} is not the question of seed {seed.id!r}, {seed.body[:60]!r}: ids are mixed up",
        )


def _reference(fields: Fields) -> str | None:
    """The reference's text; an empty one is none."""
    value = fields.values.get("reference")
    if isinstance(value, dict):
        return fields.nested("reference", value).optional_text("text") or None
    return fields.optional_text("reference") or None
