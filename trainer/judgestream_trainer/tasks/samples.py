"""The computed part of the shipped sample: requests with gold labels from held-out items, and bad records.

The other part, `written.jsonl`, was written and labelled by an author.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any

from judgestream_trainer.randomness import derived
from judgestream_trainer.tasks import FAMILIES, items
from judgestream_trainer.tasks.base import Item

SYSTEMS = ("atlas", "birch", "cedar")
"""Invented names of the answering systems; `atlas` gets the better answer more often."""

LABELLED_AT = "2026-11-24T00:00:00Z"
_LONGEST = 2500
"""Characters of one sample's texts, which is below any judge's context."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Kind:
    """A kind of sample request, and the number of requests per family."""

    name: str
    per_family: int
    mode: str = "pairwise"
    reference: bool = True


KINDS = (
    Kind(name="pair", per_family=5),
    Kind(name="blind", per_family=2, reference=False),
    Kind(name="single", per_family=1, mode="single"),
)


def write_samples(folder: Path, *, seed: int) -> dict[str, int]:
    """Write `requests.jsonl`, `labels.jsonl` and `bad.jsonl`; returns the number of lines of each.

    Requests and labels are protobuf's JSON mapping of `JudgeRequest` and `Label`, one per line, in a random
    order that depends only on the seed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rows = [row for family in FAMILIES for row in _rows(family, seed)]
    derived("samples", seed).shuffle(rows)
    lines = {
        "requests": [_json(request) for request, _ in rows],
        "labels": [_json(label) for _, label in rows if label is not None],
        "bad": list(bad_records()),
    }
    for name, texts in lines.items():
        text = "".join(line + "\n" for line in texts)
        (folder / f"{name}.jsonl").write_text(text, encoding="utf-8")
    return {name: len(texts) for name, texts in lines.items()}


def _rows(family: str, seed: int) -> Iterator[tuple[dict[str, Any], dict[str, Any] | None]]:
    stream = (
        item
        for item in items(FAMILIES[family], seed=seed, held_out=True)
        if sum(map(len, (item.question, item.reference, *(a.text for a in item.answers))))
        < _LONGEST
        and all(answer.text.strip() for answer in item.answers)
    )
    for kind in KINDS:
        fitting = (
            item
            for item in stream
            if kind.reference or not (item.reference_required or item.never_train)
        )
        for number, item in enumerate(islice(fitting, kind.per_family)):
            rng = derived("sample", seed, family, kind.name, number)
            request_id = f"{family}-{kind.name}-{number:02d}"
            request = _request(item, kind, request_id, rng)
            yield request, _label(item, request_id) if kind.mode == "pairwise" else None


def _request(item: Item, kind: Kind, request_id: str, rng: Random) -> dict[str, Any]:
    single = kind.mode == "single"
    chosen = item.answers[:1] if single else item.answers
    systems = rng.sample(SYSTEMS, 2)
    if "atlas" in systems and item.truth and rng.random() < 0.7:
        systems.remove("atlas")
        systems.insert(0 if item.truth > 0 else 1, "atlas")
    request: dict[str, Any] = {
        "requestId": request_id,
        "mode": kind.mode,
        "question": item.question,
        "candidates": [
            {"id": name, "text": answer.text, "system": system}
            for name, answer, system in zip("ab", chosen, systems, strict=False)
        ],
        "options": {"orders": "ORDERS_BOTH", "referenceUse": "REFERENCE_USE_AUTO"},
        "metadata": {"origin": "computed", "family": item.family, "kind": kind.name},
    }
    if kind.reference:
        request["reference"] = item.reference
    if item.group:
        request["metadata"]["group"] = item.group
    return request


def _label(item: Item, request_id: str) -> dict[str, Any]:
    label: dict[str, Any] = {
        "labelId": f"computed-{request_id}",
        "requestId": request_id,
        "annotator": "computed",
        "labelledAt": LABELLED_AT,
    }
    return label | ({"winner": "a" if item.truth > 0 else "b"} if item.truth else {"tie": True})


def bad_records() -> Iterator[str]:
    """Raw lines that a judging worker must dead-letter; the request id says why."""
    yield from _bad_requests()
    yield '{"requestId": "bad-cut-short", "mode": "pairwise", "question": "What is'
    yield "this line is not a record"


def _bad_requests() -> Iterable[str]:
    good = {
        "mode": "pairwise",
        "question": "What is 2 + 3?",
        "candidates": [{"id": "a", "text": "5."}, {"id": "b", "text": "6."}],
    }
    third = [*good["candidates"], {"id": "c", "text": "7."}]
    changes: dict[str, dict[str, Any]] = {
        "empty-question": {"question": "  "},
        "unknown-mode": {"mode": "duel"},
        "three-candidates": {"candidates": third},
        "one-candidate": {"candidates": third[:1]},
        "same-candidate-twice": {"candidates": [third[0], third[0]]},
        "no-candidate": {"candidates": []},
        "too-long": {"question": "How many words are there in this text? " + "word 1 " * 4000},
        "unknown-field": {"answers": ["5.", "6."]},
    }
    yield _json({**good, "requestId": ""})
    for name, change in changes.items():
        yield _json({"requestId": f"bad-{name}", **good, **change})


def _json(value: dict[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False)
