"""Verdicts as TRL preference rows: prompt, chosen, rejected."""

from dataclasses import dataclass

from judgestream.core.images import has_images
from judgestream.core.types import Request, Status, Verdict


@dataclass(frozen=True, kw_only=True, slots=True)
class VerdictPreference:
    """The fields of a verdict that a row needs. `loser` is the other candidate, or one of the last rank."""

    request_id: str
    winner: str
    loser: str
    confidence: float | None
    release: str


def preference(verdict: Verdict) -> VerdictPreference | None:
    """None for a verdict without a winner: a tie, unscored, failed, or on a single answer."""
    others = [score for score in verdict.scores if score.candidate_id != verdict.winner]
    if verdict.status is not Status.SCORED or not verdict.winner or not others:
        return None
    return VerdictPreference(
        request_id=verdict.request_id,
        winner=verdict.winner,
        loser=max(others, key=lambda score: score.rank).candidate_id,
        confidence=verdict.confidence,
        release=verdict.release,
    )


def trl_row(request: Request, preference: VerdictPreference) -> dict[str, object] | None:
    """`{id, prompt, chosen, rejected, confidence, release}`; None when winner or loser are not in the
    request, or the request has images, which a row cannot hold."""
    if has_images(request):
        return None
    texts = {candidate.id: candidate.text for candidate in request.candidates}
    chosen, rejected = texts.get(preference.winner), texts.get(preference.loser)
    if chosen is None or rejected is None:
        return None
    return {
        "id": preference.request_id,
        "prompt": request.question,
        "chosen": chosen,
        "rejected": rejected,
        "confidence": preference.confidence,
        "release": preference.release,
    }
