"""The identity of a request's content, and of a verdict."""

import hashlib

from judgestream.core.images import has_images
from judgestream.core.types import Request


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
    if has_images(request):
        parts.append(f"images {_digest(_image_parts(request))}")
    return _digest(parts)


def _image_parts(request: Request) -> list[str]:
    """The images of the question and of each candidate, each list after its length."""
    parts = []
    for images in (request.images, *(candidate.images for candidate in request.candidates)):
        parts.append(str(len(images)))
        for image in images:
            parts += (image.url, hashlib.sha256(image.data).hexdigest(), image.media_type)
    return parts


def verdict_id(request_id: str, release: str, mode: str, content: str) -> str:
    """The id of a judgement, 32 hex digits. A redelivered request gives the same id again.

    `content` is the request's content digest, so other content under a used request id has another id.
    """
    return _digest((request_id, release, mode, content))[:32]


def _digest(parts: list[str] | tuple[str, ...]) -> str:
    """Each part is preceded by its length, so that no two lists give the same bytes."""
    digest = hashlib.sha256()
    for part in parts:
        raw = part.encode(errors="surrogatepass")
        digest.update(len(raw).to_bytes(4, "big") + raw)
    return digest.hexdigest()
