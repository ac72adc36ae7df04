"""A verdict as text for people: in one line, or with all details."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import pairwise

from judgestream.core.conversation import transcript
from judgestream.core.costs import dollars
from judgestream.core.images import media_type_of
from judgestream.core.limits import shortened
from judgestream.core.masking import masked
from judgestream.core.rubric import CriterionScore
from judgestream.core.templates.image_scorer import TRUNCATED
from judgestream.core.types import (
    FOLLOW_UP,
    CandidateScore,
    Image,
    MemberReading,
    PassResult,
    Request,
    Status,
    Unreadable,
    Verdict,
)

ANSWER = 80
"""Characters of a judge's answer in words that one line shows."""


def verdict_line(verdict: Verdict) -> str:
    """Time, request, outcome, P(win/tie/lose), scores, flip mark, release.

    A failed or unscored verdict shows the reason instead of the numbers.
    """
    parts = [_time(verdict.judged_at), verdict.request_id, outcome(verdict)]
    if verdict.status is Status.SCORED:
        if verdict.p_win is not None and verdict.p_tie is not None and verdict.p_lose is not None:
            parts.append(f"P {verdict.p_win:.2f}/{verdict.p_tie:.2f}/{verdict.p_lose:.2f}")
        scores = [f"{s.score:.1f}" for s in verdict.scores if s.score is not None]
        if any(score.rank for score in verdict.scores):
            parts.append(f"ranking {ranking(verdict)}")
        elif len(scores) > 1:
            parts.append(f"scores {' '.join(scores)}")
        if verdict.flipped:
            parts.append("FLIPPED")
    parts.append(verdict.release)
    return "  ".join(part for part in parts if part)


def outcome(verdict: Verdict) -> str:
    """The outcome in a word or two: `winner 1 (system)`, `TIE`, `score 7.3`, `total 0.75, passed`,
    `FAILED: why`."""
    if verdict.status is Status.UNSCORED:
        return f"UNSCORED: {verdict.reason}"
    if verdict.status is Status.FAILED:
        return f"FAILED: {verdict.error_class}: {verdict.error_message}"
    if verdict.tie:
        return "TIE"
    if not verdict.winner:
        return _without_winner(verdict)
    systems = {score.candidate_id: score.system for score in verdict.scores}
    system = systems.get(verdict.winner, "")
    return f"winner {verdict.winner}" + (f" ({system})" if system else "")


def _without_winner(verdict: Verdict) -> str:
    """`score 7.3`, `total 0.75, passed`, or the beginning of an answer in words."""
    if verdict.mode == FOLLOW_UP:
        return f"answer: {shortened(' '.join(verdict.explanation.split()), ANSWER)}"
    scores = [score for score in verdict.scores if score.score is not None]
    if len(scores) != 1:
        return "scored"
    (only,) = scores
    if not only.criteria:
        return f"score {only.score:.1f}"
    passed = {True: ", passed", False: ", not passed", None: ""}[verdict.passed]
    return f"total {only.score:.2f}{passed}"


def ranking(verdict: Verdict) -> str:
    """The ranked candidates from the best: `c > a = b`."""
    ranked = sorted((s for s in verdict.scores if s.rank), key=lambda score: score.rank)
    signs = ["", *(" = " if a.rank == b.rank else " > " for a, b in pairwise(ranked))]
    return "".join(
        sign + score.candidate_id for sign, score in zip(signs, ranked, strict=bool(ranked))
    )


def details(verdict: Verdict) -> Iterator[str]:
    """Everything about a verdict, a line at a time, ending with an empty one."""
    rows: dict[str, object] = {
        "verdict": verdict.verdict_id,
        "request": verdict.request_id,
        "outcome": outcome(verdict),
        "mode": verdict.mode,
    }
    if verdict.p_win is not None and verdict.p_tie is not None and verdict.p_lose is not None:
        rows["P win/tie/lose"] = f"{verdict.p_win:.4f} / {verdict.p_tie:.4f} / {verdict.p_lose:.4f}"
    if verdict.confidence is not None:
        rows["confidence"] = f"{verdict.confidence:.4f}"
    if verdict.flipped is not None:
        rows["both orders"] = "disagree (flipped)" if verdict.flipped else "agree"
    if any(score.rank for score in verdict.scores):
        rows["ranking"] = ranking(verdict)
    for score in verdict.scores:
        rows[f"answer {score.candidate_id}"] = _score(score)
        rows |= {f"- {one.criterion_id}": _criterion(one) for one in score.criteria}
    if verdict.answers_cut_to:
        rows["answers cut to"] = f"{verdict.answers_cut_to} characters, to fit the judge's context"
    if any(result.reply.finish_reason == TRUNCATED for result in verdict.passes):
        rows["question cut to"] = "what the image scorer reads"
    for member in verdict.members:
        rows[f"member {member.release}"] = _member(member)
    for result in verdict.passes:
        rows[f"pass {result.transform.name} {result.release}".rstrip()] = _pass(result)
    rows |= {
        "release": verdict.release,
        "checkpoint": verdict.checkpoint_digest[:12],
        "template": verdict.template_id,
        "method": verdict.method,
        "tokens": f"{verdict.input_tokens} in, {verdict.output_tokens} out",
        "cost": "" if verdict.cost is None else dollars(verdict.cost),
        "asked at": _time(verdict.requested_at),
        "judged at": f"{_time(verdict.judged_at)}, {verdict.latency_s:.3f} s, attempt {verdict.attempts}",
    }
    rows |= {f"metadata {key}": value for key, value in sorted(verdict.metadata.items())}
    if verdict.explanation:
        rows["explanation"] = verdict.explanation
    for name, value in rows.items():
        if value:
            yield f"{name + ':':<16} {value}"
    yield ""


def text_lines(request: Request | None) -> Iterator[str]:
    """The request's texts, a line at a time, ending with an empty one."""
    if request is None:
        yield "(the request has left its topic)"
        yield ""
        return
    if request.question:
        yield f"question: {request.question}"
    yield from _images("question", request.images)
    for candidate in request.candidates:
        if candidate.turns:
            yield f"conversation {candidate.id}:"
            yield transcript(candidate.turns, str)
        else:
            yield f"answer {candidate.id}: {candidate.text}"
        yield from _images(f"answer {candidate.id}", candidate.images)
    if request.reference is not None:
        yield f"reference: {request.reference}"
    for one in request.rubric.criteria if request.rubric is not None else ():
        yield f"criterion {one.id} ({one.low:g} to {one.high:g}): {one.description}"
    for turn in request.discussion:
        yield f"{turn.role}: {turn.text}"
    yield ""


def _images(name: str, images: Sequence[Image]) -> Iterator[str]:
    """What an image is, a line each; its picture is not shown, and secrets of its URL are masked."""
    for number, image in enumerate(images, start=1):
        kind = image.media_type or media_type_of(image.data)
        shown = masked(image.url) if image.url else f"{kind}, {len(image.data)} bytes"
        yield f"{name}, image {number}: {shown}"


def _score(score: CandidateScore) -> str:
    parts = [f"rank {score.rank}"] if score.rank else []
    if score.p_best is not None:
        parts.append(f"P(best) {score.p_best:.2f}")
    shown = "no score" if score.score is None else f"score {score.score:.2f}"
    if score.low is not None and score.high is not None:
        shown += f" [{score.low:.2f}, {score.high:.2f}]"
    parts += [shown, f"{score.length} characters"]
    return ", ".join(parts) + (f" ({score.system})" if score.system else "")


def _criterion(one: CriterionScore) -> str:
    if one.score is None:
        return "no score"
    shown = f"score {one.score:.2f}"
    if one.low is not None and one.high is not None:
        shown += f" [{one.low:.2f}, {one.high:.2f}]"
    return shown + {True: ", passed", False: ", not passed", None: ""}[one.passed]


def _member(member: MemberReading) -> str:
    parts = [member.status.value]
    if member.status is Status.FAILED:
        parts.append(f"{member.error_class}: {member.error_message}")
    elif member.status is Status.UNSCORED:
        parts.append(member.reason)
    elif member.p_win is not None and member.p_tie is not None and member.p_lose is not None:
        parts.append(f"P {member.p_win:.2f}/{member.p_tie:.2f}/{member.p_lose:.2f}")
    if member.weight != 1:
        parts.append(f"weight {member.weight:g}")
    if member.cost is not None:
        parts.append(dollars(member.cost))
    return ", ".join(parts)


def _pass(result: PassResult) -> str:
    reading = result.reading
    if isinstance(reading, Unreadable):
        return f"unreadable: {reading.reason.value} {reading.detail}".rstrip()
    parts = []
    if reading.means:
        parts.append("means " + " ".join(f"{mean:.2f}" for mean in reading.means))
    if reading.greedy:
        parts.append("greedy " + " ".join(f"{score:g}" for score in reading.greedy))
    if reading.win is not None and reading.tie is not None and reading.lose is not None:
        parts.append(f"P {reading.win:.2f}/{reading.tie:.2f}/{reading.lose:.2f}")
    if reading.values:
        parts.append(f"value {reading.values[0]:.3f}")
    if reading.p_best:
        parts.append("P(best) " + " ".join(f"{share:.2f}" for share in reading.p_best))
    return ", ".join(parts) or shortened(" ".join(result.reply.text.split()))


def _time(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
