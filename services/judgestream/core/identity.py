"""What makes two requests the same, and two verdicts."""

import hashlib

from judgestream.core.types import Request


def content_digest(request: Request) -> str:
    """SHA-256, in hex, over what is judged: mode, question, candidates in their order, reference, options.

    Not over the id, the times or the metadata. It is computed from the decoded values with their defaults
    filled in, so JSON and protobuf give the same.
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
    return _digest(parts)


def verdict_id(request_id: str, release: str, mode: str, content: str) -> str:
    """The same judgement always has the same id: a redelivered request republishes it, never a second.

    32 hex digits. `content` is the request's content digest, so a second content under a used request id
    has a verdict of its own.
    """
    return _digest((request_id, release, mode, content))[:32]


def _digest(parts: list[str] | tuple[str, ...]) -> str:
    """Every part is preceded by its length, so different lists never run together into one text."""
    digest = hashlib.sha256()
    for part in parts:
        raw = part.encode(errors="surrogatepass")
        digest.update(len(raw).to_bytes(4, "big") + raw)
    return digest.hexdigest()
