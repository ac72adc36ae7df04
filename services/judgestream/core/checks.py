"""Validation of requests and labels: types, ids, sizes, times.

Clients and workers use the same functions, so a worker accepts what a client sends. They check types too,
because callers may be untyped Python code.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime

from judgestream.core import images, limits
from judgestream.core.conversation import DISCUSSION_ROLES, ROLES, USER, Focus, Turn
from judgestream.core.limits import quoted
from judgestream.core.rubric import ID, Criterion, Rubric
from judgestream.core.types import RERANK, Candidate, Label, Options, Orders, ReferenceUse, Request

DRAWS_PAIRS = "tournament"
MAX_SCORE = 1e6
"""Bound of the numbers of a rubric, so that no sum of them overflows."""


def request_problem(request: Request) -> str:
    """The first problem of a request, with the name of the field; "" if it is valid."""
    return next(_of_request(request), "")


def label_problem(label: Label) -> str:
    """The first problem of a label; "" if it is valid.

    A label has a winner, `tie` or `passed`.
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
        yield from _conversation(name, candidate)
        if (score := candidate.first_stage_score) is not None:
            yield from _number(f"{name}.first_stage_score", score, -limits.NUMBER, limits.NUMBER)
    yield from images.problems(request)
    if request.reference is not None:
        yield from _text("reference", request.reference, limits.TEXT)
    yield from _time("requested_at", request.requested_at)
    yield from _options(request.options)
    if request.options.hybrid_weight is not None and request.mode != RERANK:
        yield f"options.hybrid_weight is for mode {RERANK} only: leave it out"
    if request.options.pairs and request.mode != DRAWS_PAIRS:
        yield f"options.pairs is for mode {DRAWS_PAIRS} only: leave it out"
    if request.options.focus is Focus.LAST_TURN and not any(c.turns for c in request.candidates):
        yield "options.focus is last_turn, and no candidate has turns: leave it out, or give turns"
    yield from metadata_problems(request.metadata)
    if request.rubric is not None:
        yield from _rubric(request.rubric)
    if request.discussion:
        yield from _discussion(request.discussion)


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
    if label.passed is not None and not isinstance(label.passed, bool):
        yield f"passed must be true or false, not {type(label.passed).__name__}"
    chosen = label.tie is True or bool(label.winner)
    if chosen and label.passed is not None:
        yield "has passed and a winner or a tie: passed is for requests with one answer; remove one of them"
    if not chosen and label.passed is None:
        yield "has neither a winner nor a tie: set one of them, or passed for a request with one answer"
    if (probability := label.sampling_probability) is not None:
        yield from _number("sampling_probability", probability, 0.0, 1.0)
        if probability == 0:
            yield "sampling_probability is 0: what has a label was chosen with more than that"


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


def _conversation(name: str, candidate: Candidate) -> Iterator[str]:
    if candidate.turns and candidate.text:
        yield f"{name} has both text and turns: remove one of them"
    if len(candidate.turns) > limits.TURNS:
        yield f"{name}.turns has {len(candidate.turns)} messages; at most {limits.TURNS}"
        return
    yield from _turns(f"{name}.turns", candidate.turns, ROLES)


def _turns(name: str, turns: Sequence[Turn], roles: Sequence[str]) -> Iterator[str]:
    for number, turn in enumerate(turns, start=1):
        place = f"{name}[{number}]"
        yield from _text(f"{place}.role", turn.role, limits.ROLE)
        if turn.role not in roles:
            yield f"{place}.role is {quoted(turn.role)}: one of {', '.join(roles)}"
        yield from _text(f"{place}.text", turn.text, limits.TEXT)


def _discussion(turns: Sequence[Turn]) -> Iterator[str]:
    if len(turns) > limits.DISCUSSION:
        yield f"discussion has {len(turns)} messages; at most {limits.DISCUSSION}: leave out the oldest"
        return
    yield from _turns("discussion", turns, DISCUSSION_ROLES)
    for number, turn in enumerate(turns):
        if turn.role != (role := DISCUSSION_ROLES[number % 2]):
            yield f"discussion[{number + 1}].role is {quoted(turn.role)}: judge and user alternate, so {role}"
    if turns[-1].role != USER or not turns[-1].text.strip():
        yield "discussion must end with a question of the user: add it"


def _rubric(rubric: Rubric) -> Iterator[str]:
    count = len(rubric.criteria)
    if not 1 <= count <= limits.CRITERIA:
        yield f"rubric has {count} criteria; 1 to {limits.CRITERIA}"
        return
    for number, criterion in enumerate(rubric.criteria, start=1):
        yield from _criterion(f"rubric.criteria[{number}]", criterion)
    ids = [criterion.id for criterion in rubric.criteria]
    if len(set(ids)) != count:
        repeated = next(name for k, name in enumerate(ids) if name in ids[:k])
        yield f"rubric: criterion ids must be distinct: two are {quoted(repeated)}"
    if rubric.pass_threshold is not None:
        yield from _number("rubric.pass_threshold", rubric.pass_threshold, 0.0, 1.0)


def _criterion(name: str, criterion: Criterion) -> Iterator[str]:
    yield from _text(f"{name}.id", criterion.id, limits.ID)
    if isinstance(criterion.id, str) and not ID.fullmatch(criterion.id):
        yield f"{name}.id is {quoted(criterion.id)}: use up to 64 letters, digits, _, . and -"
    yield from _text(f"{name}.description", criterion.description, limits.TEXT)
    if isinstance(criterion.description, str) and not criterion.description.strip():
        yield f"{name}.description is empty: say what the judge should look for"
    yield from _number(f"{name}.low", criterion.low, -MAX_SCORE, MAX_SCORE)
    yield from _number(f"{name}.high", criterion.high, -MAX_SCORE, MAX_SCORE)
    yield from _number(f"{name}.weight", criterion.weight, 0.0, MAX_SCORE)
    if not criterion.low < criterion.high:
        yield f"{name}: low is {criterion.low:g} and high is {criterion.high:g}: high must be larger"
    if not criterion.weight > 0:
        yield f"{name}.weight is {criterion.weight:g}: it must be above 0"
    if criterion.pass_threshold is not None:
        yield from _number(
            f"{name}.pass_threshold", criterion.pass_threshold, criterion.low, criterion.high
        )


def _number(name: str, value: object, least: float, most: float) -> Iterator[str]:
    """Problems of a number that must be finite and within bounds."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        yield f"{name} must be a number, not {type(value).__name__}"
    elif not least <= value <= most:  # true for NaN, too
        yield f"{name} is {quoted(value)}: it must lie between {least:g} and {most:g}"


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
    if not isinstance(options.focus, Focus):
        yield f"options.focus is {quoted(options.focus)}: one of {', '.join(Focus)}"
    tokens = options.max_explanation_tokens
    if not isinstance(tokens, int) or not 1 <= tokens <= limits.EXPLANATION_TOKENS:
        yield (
            f"options.max_explanation_tokens is {quoted(tokens)}; 1 to {limits.EXPLANATION_TOKENS}"
        )
    if not isinstance(options.pairs, int) or not 0 <= options.pairs <= limits.PAIRS:
        yield f"options.pairs is {quoted(options.pairs)}; 0 (all) to {limits.PAIRS}"
    if options.hybrid_weight is not None:
        yield from _number("options.hybrid_weight", options.hybrid_weight, 0.0, limits.NUMBER)
    if options.hybrid_weight == 0:
        yield "options.hybrid_weight is 0, so the judge would not count: set it above 0, or leave it out"
