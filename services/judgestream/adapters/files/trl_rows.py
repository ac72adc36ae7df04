"""Verdicts as TRL preference rows: prompt, chosen, rejected."""

from dataclasses import dataclass

from judgestream.core.images import has_images
from judgestream.core.types import Candidate, Request, Status, Verdict


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
    request, or the request has images, which a row cannot hold.

    Conversations are lists of messages. As TRL reads them, their prompt is what they have in common.
    """
    if has_images(request):
        return None
    texts = {candidate.id: _text_or_messages(candidate) for candidate in request.candidates}
    chosen, rejected = texts.get(preference.winner), texts.get(preference.loser)
    if chosen is None or rejected is None:
        return None
    prompt = {"prompt": request.question} if isinstance(chosen, str) else {}
    return {
        "id": preference.request_id,
        **prompt,
        "chosen": chosen,
        "rejected": rejected,
        "confidence": preference.confidence,
        "release": preference.release,
    }


def _text_or_messages(candidate: Candidate) -> str | list[dict[str, str]]:
    if not candidate.turns:
        return candidate.text
    return [{"role": turn.role, "content": turn.text} for turn in candidate.turns]
