"""Verdicts joined with their requests, which hold the texts."""

from collections.abc import Iterable, Iterator
from typing import TypeVar

from judgestream.adapters.kafka.messages import OnSkip, everything, ignore
from judgestream.contracts.codecs.requests import request_from_message
from judgestream.contracts.topics import REQUESTS
from judgestream.core.errors import InvalidRequest
from judgestream.core.identity import content_digest
from judgestream.core.types import Request
from judgestream.settings import Kafka
from judgestream.v1.judging_pb2 import JudgeRequest

T = TypeVar("T")


Wanted = tuple[str, str, T]
"""A request id, the digest of its content ("" where it is unknown), and the value that the caller keeps."""


def with_requests(
    settings: Kafka, wanted: Iterable[Wanted[T]], *, on_skip: OnSkip = ignore
) -> Iterator[tuple[T, Request | None]]:
    """Each value that the caller keeps, with its request; values without a request on the topic come last.

    Memory holds the caller's values, not the requests. Where one request id was used for two contents, a
    value is joined with the request whose content it was made of.
    """
    waiting: dict[str, list[tuple[str, T]]] = {}
    for request_id, digest, kept in wanted:
        waiting.setdefault(request_id, []).append((digest, kept))
    for _, message in everything(settings, REQUESTS, JudgeRequest, on_skip=on_skip):
        if message.request_id not in waiting:
            continue
        try:
            request = request_from_message(message)
        except InvalidRequest:
            continue  # another record under the same id, which the judge could not read either
        left = []
        for digest, kept in waiting.pop(message.request_id):
            if digest and digest != content_digest(request):
                left.append((digest, kept))
            else:
                yield kept, request
        if left:
            waiting[message.request_id] = left
    for rest in waiting.values():
        yield from ((kept, None) for _, kept in rest)
