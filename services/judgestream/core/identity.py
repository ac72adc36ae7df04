"""The identity of a request's content, of its prompt, and of a verdict."""

import hashlib
from collections.abc import Iterator

from judgestream.core.conversation import Focus, Turn
from judgestream.core.images import has_images
from judgestream.core.types import Image, Request


def content_digest(request: Request) -> str:
    """SHA-256, in hex, of what is judged: mode, question, candidates in order, reference, options.

    Ids, times and metadata are not part of it. It is computed from the decoded values with their defaults
    filled in, so JSON and protobuf give the same digest. Images are part of it where there are any: by their
    bytes, or by their URL.
    """
    options = request.options
    parts = [
        request.mode,
        request.question,
        request.reference or "",
        options.orders.value,
        options.reference_use.value,
        str(int(options.explain)),
        str(options.max_explanation_tokens),
    ]
    for candidate in request.candidates:
        parts += (candidate.id, candidate.text, candidate.system)
    # one part for all of them, so that their number cannot be taken for that of the candidates
    if added := list(_added_fields(request)):
        parts.append(_digest(added))
    return _digest(parts)


def prompt_digest(request: Request) -> str:
    """SHA-256, in hex, of what was asked, whatever was answered.

    That is the question with its images, the user's turns of the first conversation, and the discussion.
    Requests with one digest are about one prompt, so their verdicts are not independent.
    """
    parts = [request.question, *_list_of_images(request.images)]
    asked = [
        turn.text
        for one in request.candidates[:1]
        for turn in one.turns
        if turn.role != "assistant"
    ]
    said = [turn.text for turn in request.discussion]
    for texts in (asked, said):
        parts += (str(len(texts)), *texts)
    return _digest(parts)


def _added_fields(request: Request) -> Iterator[str]:
    """Fields that earlier versions did not have, each with its name and only if set: requests without them
    keep their digests."""
    if has_images(request):
        yield from ("images", *_image_parts(request))
    for candidate in request.candidates:
        if candidate.turns:
            yield from ("turns", candidate.id, *_turns(candidate.turns))
        if candidate.first_stage_score is not None:
            yield from ("first stage", candidate.id, _number(candidate.first_stage_score))
    if request.options.hybrid_weight is not None:
        yield from ("hybrid weight", _number(request.options.hybrid_weight))
    if request.options.pairs:
        yield from ("pairs", str(request.options.pairs))
    if request.options.focus is not Focus.WHOLE:
        yield from ("focus", request.options.focus.value)
    if request.rubric is not None:
        criteria = request.rubric.criteria
        yield from ("rubric", _number(request.rubric.pass_threshold), str(len(criteria)))
        for one in criteria:
            yield from (one.id, one.description)
            yield from map(_number, (one.low, one.high, one.weight, one.pass_threshold))
    if request.discussion:
        yield from ("discussion", *_turns(request.discussion))


def _image_parts(request: Request) -> list[str]:
    """The images of the question and of each candidate, each list after its length."""
    parts = []
    for images in (request.images, *(candidate.images for candidate in request.candidates)):
        parts += _list_of_images(images)
    return parts


def _list_of_images(images: tuple[Image, ...]) -> list[str]:
    parts = [str(len(images))]
    for image in images:
        parts += (image.url, hashlib.sha256(image.data).hexdigest(), image.media_type)
    return parts


def _turns(turns: tuple[Turn, ...]) -> Iterator[str]:
    yield str(len(turns))
    for turn in turns:
        yield from (turn.role, turn.text)


def _number(value: float | None) -> str:
    return "" if value is None else repr(float(value))


def verdict_id(request_id: str, release: str, mode: str, content: str) -> str:
    """The id of a judgement, 32 hex digits. A redelivered request gives the same id again.

    `content` is the request's content digest, so other content under a used request id has another id.
    """
    return _digest((request_id, release, mode, content))[:32]


def request_key(request_id: str, mode: str, content: str) -> str:
    """The identity of a request for whatever release answers it, 32 hex digits."""
    return _digest((request_id, mode, content))[:32]


def _digest(parts: list[str] | tuple[str, ...]) -> str:
    """Each part is preceded by its length, so that no two lists give the same bytes."""
    digest = hashlib.sha256()
    for part in parts:
        raw = part.encode(errors="surrogatepass")
        digest.update(len(raw).to_bytes(4, "big") + raw)
    return digest.hexdigest()
