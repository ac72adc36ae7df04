"""Verdicts as TRL preference rows. A verdict holds no texts, so each is joined with its request."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self

from judgestream.apps.cli.reading import everything
from judgestream.contracts.codecs import request_from_message
from judgestream.contracts.topics import REQUESTS
from judgestream.core.errors import InvalidRequest
from judgestream.core.types import Request, Status, Verdict
from judgestream.settings import Kafka
from judgestream.v1.judging_pb2 import JudgeRequest

_NO_TIME = datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True, kw_only=True, slots=True)
class Preference:
    """What a row needs of a verdict."""

    request_id: str
    winner: str
    confidence: float | None
    release: str

    @classmethod
    def of(cls, verdict: Verdict) -> Self | None:
        """None for a verdict without a winner: a tie, unscored, failed, or of a single answer."""
        if verdict.status is not Status.SCORED or not verdict.winner:
            return None
        return cls(
            request_id=verdict.request_id,
            winner=verdict.winner,
            confidence=verdict.confidence,
            release=verdict.release,
        )


def preferences(settings: Kafka, wanted: Sequence[Preference]) -> Iterator[dict[str, object]]:
    """One row `{id, prompt, chosen, rejected, confidence, release}` per preference whose request is there."""
    by_request: dict[str, list[Preference]] = {}
    for one in wanted:
        by_request.setdefault(one.request_id, []).append(one)
    for _, message in everything(settings, REQUESTS, JudgeRequest):
        if message.request_id not in by_request:
            continue
        try:
            request = request_from_message(message, _NO_TIME)
        except InvalidRequest:
            continue  # another record under the same id; the judge could not read this one either
        for one in by_request.pop(message.request_id):
            row = _row(request, one)
            if row is not None:
                yield row


def _row(request: Request, preference: Preference) -> dict[str, object] | None:
    texts = {candidate.id: candidate.text for candidate in request.candidates}
    chosen = texts.pop(preference.winner, None)
    if chosen is None or len(texts) != 1:
        return None
    (rejected,) = texts.values()
    return {
        "id": preference.request_id,
        "prompt": request.question,
        "chosen": chosen,
        "rejected": rejected,
        "confidence": preference.confidence,
        "release": preference.release,
    }
