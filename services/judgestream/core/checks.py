"""Validation of requests and labels: types, ids, sizes, times.

Clients and workers use the same functions, so a worker accepts what a client sends. They check types too,
because callers may be untyped Python code.
"""

from collections.abc import Iterator
from datetime import datetime

from judgestream.core import images, limits
from judgestream.core.limits import quoted
from judgestream.core.types import Label, Options, Orders, ReferenceUse, Request


def request_problem(request: Request) -> str:
    """The first problem of a request, with the name of the field; "" if it is valid."""
    return next(_of_request(request), "")


def label_problem(label: Label) -> str:
    """The first problem of a label; "" if it is valid.

    A label has either a winner or `tie`.
    """
    return next(_of_label(label), "")


def _of_request(request: Request) -> Iterator[str]:
    yield from _id("request_id", request.request_id, "give every request a distinct id")
    yield from _text("mode", request.mode, limits.MODE)
    yield from _text("question", request.question, limits.TEXT)
    if len(request.candidates) > limits.CANDIDATES:
        yield f"{len(request.candidates)} candidates; at most {limits.CANDIDATES}"
        return
    for number, candidate in enumerate(request.candidates, start=1):
        name = f"candidates[{number}]"
        yield from _id(f"{name}.id", candidate.id, "name every candidate, or none")
        yield from _text(f"{name}.text", candidate.text, limits.TEXT)
        yield from _text(f"{name}.system", candidate.system, limits.SYSTEM)
    yield from images.problems(request)
    if request.reference is not None:
        yield from _text("reference", request.reference, limits.TEXT)
    yield from _time("requested_at", request.requested_at)
    yield from _options(request.options)
    yield from metadata_problems(request.metadata)


def _of_label(label: Label) -> Iterator[str]:
    yield from _id("label_id", label.label_id, "give every label a distinct id")
    yield from _id("request_id", label.request_id, "name the labelled request")
    yield from _text("annotator", label.annotator, limits.ANNOTATOR)
    if not label.annotator.strip():
        yield "annotator is empty: name the annotator"
    yield from _text("winner", label.winner, limits.ID)
    yield from _time("labelled_at", label.labelled_at)
    if label.tie is True and label.winner:
        yield f"names the winner {quoted(label.winner)} and a tie: remove one of them"
    if label.tie is not True and not label.winner:
        yield "has neither a winner nor a tie: set one of them"


def metadata_problems(metadata: object) -> Iterator[str]:
    """The problems of a request's metadata: it maps text to text, within limits."""
    if not hasattr(metadata, "items"):
        yield f"metadata must map text to text, not be a {type(metadata).__name__}"
        return
    if len(metadata) > limits.METADATA_ENTRIES:  # type: ignore[arg-type]
        yield f"metadata has {len(metadata)} entries; at most {limits.METADATA_ENTRIES}"  # type: ignore[arg-type]
        return
    total = 0
    for key, value in metadata.items():
        yield from _text("a metadata key", key, limits.METADATA_KEY)
        yield from _text(f"metadata {quoted(key)}", value, limits.METADATA_VALUE)
        total += len(key.encode()) + len(value.encode())
    if total > limits.METADATA:
        yield f"metadata has {total} bytes; at most {limits.METADATA}"


def _id(name: str, value: object, advice: str) -> Iterator[str]:
    yield from _text(name, value, limits.ID)
    if isinstance(value, str) and not value.strip():
        yield f"{name} is empty: {advice}"


def _text(name: str, value: object, limit: int) -> Iterator[str]:
    if not isinstance(value, str):
        yield f"{name} must be text, not {type(value).__name__}"
        return
    try:
        size = len(value) if value.isascii() else len(value.encode())
    except UnicodeEncodeError:
        yield f"{name} contains a lone surrogate (`\\ud83d` without its pair): fix the text's encoding"
        return
    if size > limit:
        yield f"{name} has {size} bytes; at most {limit}"


def _time(name: str, time: object) -> Iterator[str]:
    if not isinstance(time, datetime):
        yield f"{name} must be a datetime, not {type(time).__name__}"
    elif time.tzinfo is None:
        yield f"{name} has no time zone: use for example datetime.now(UTC)"
    elif limits.plausible(time) is None:
        yield (
            f"{name} is {time.isoformat()}: it must lie between {limits.EARLIEST.year}"
            f" and {limits.LATEST.year - 1}"
        )


def _options(options: Options) -> Iterator[str]:
    if not isinstance(options.orders, Orders):
        yield f"options.orders is {quoted(options.orders)}: one of {', '.join(Orders)}"
    if not isinstance(options.reference_use, ReferenceUse):
        known = ", ".join(ReferenceUse)
        yield f"options.reference_use is {quoted(options.reference_use)}: one of {known}"
    tokens = options.max_explanation_tokens
    if not isinstance(tokens, int) or not 1 <= tokens <= limits.EXPLANATION_TOKENS:
        yield (
            f"options.max_explanation_tokens is {quoted(tokens)}; 1 to {limits.EXPLANATION_TOKENS}"
        )
