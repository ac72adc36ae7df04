"""A verdict as one line for people."""

from datetime import UTC

from judgestream.core.types import Status, Verdict


def verdict_line(verdict: Verdict) -> str:
    """Time, request, outcome, P(win/tie/lose), scores, flip mark, release.

    A failed or unscored verdict says why in place of the numbers.
    """
    time = verdict.judged_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    parts = [time, verdict.request_id, outcome(verdict)]
    if verdict.status is Status.SCORED:
        if verdict.p_win is not None and verdict.p_tie is not None and verdict.p_lose is not None:
            parts.append(f"P {verdict.p_win:.2f}/{verdict.p_tie:.2f}/{verdict.p_lose:.2f}")
        scores = [f"{s.score:.1f}" for s in verdict.scores if s.score is not None]
        parts.append(f"scores {' '.join(scores)}")
        if verdict.flipped:
            parts.append("FLIPPED")
    parts.append(verdict.release)
    return "  ".join(part for part in parts if part)


def outcome(verdict: Verdict) -> str:
    """The outcome in a word or two: `winner 1 (system)`, `TIE`, `UNSCORED: why`, `FAILED: why`."""
    if verdict.status is Status.UNSCORED:
        return f"UNSCORED: {verdict.reason}"
    if verdict.status is Status.FAILED:
        return f"FAILED: {verdict.error_class}: {verdict.error_message}"
    if verdict.tie:
        return "TIE"
    if not verdict.winner:
        return "scored"
    systems = {score.candidate_id: score.system for score in verdict.scores}
    system = systems.get(verdict.winner, "")
    return f"winner {verdict.winner}" + (f" ({system})" if system else "")
