"""Verdicts as TRL preference rows: prompt, chosen, rejected."""

from dataclasses import dataclass

from judgestream.core.types import Request, Status, Verdict


@dataclass(frozen=True, kw_only=True, slots=True)
class VerdictPreference:
    """The fields of a verdict that a row needs."""

    request_id: str
    winner: str
    confidence: float | None
    release: str


def preference(verdict: Verdict) -> VerdictPreference | None:
    """None for a verdict without a winner: a tie, unscored, failed, or on a single answer."""
    if verdict.status is not Status.SCORED or not verdict.winner:
        return None
    return VerdictPreference(
        request_id=verdict.request_id,
        winner=verdict.winner,
        confidence=verdict.confidence,
        release=verdict.release,
    )


def trl_row(request: Request, preference: VerdictPreference) -> dict[str, object] | None:
    """`{id, prompt, chosen, rejected, confidence, release}`; None when the winner is not in the request."""
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
