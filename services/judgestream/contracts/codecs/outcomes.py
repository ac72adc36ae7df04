"""Parts that verdicts and the readings of a jury's members have in common."""

from dataclasses import asdict

from judgestream.contracts.codecs.rubrics import criterion_scores_from, criterion_scores_to
from judgestream.core.types import CandidateScore, Status, Style
from judgestream.v1 import judging_pb2 as pb

STATUS = {
    pb.Verdict.STATUS_SCORED: Status.SCORED,
    pb.Verdict.STATUS_UNSCORED: Status.UNSCORED,
    pb.Verdict.STATUS_FAILED: Status.FAILED,
}
STATUS_OUT = {status: number for number, status in STATUS.items()}


def score_to_message(score: CandidateScore) -> pb.CandidateScore:
    message = pb.CandidateScore(
        candidate_id=score.candidate_id,
        score=score.score,
        system=score.system,
        length=score.length,
        p_best=score.p_best,
        rank=score.rank,
        low=score.low,
        high=score.high,
        criteria=criterion_scores_to(score.criteria),
    )
    if score.passed is not None:
        message.passed = score.passed
    if score.style is not None:
        message.style.CopyFrom(pb.Style(**asdict(score.style)))
    return message


def score_from_message(message: pb.CandidateScore) -> CandidateScore:
    return CandidateScore(
        candidate_id=message.candidate_id,
        score=message.score if message.HasField("score") else None,
        system=message.system,
        length=message.length,
        p_best=message.p_best if message.HasField("p_best") else None,
        rank=message.rank,
        low=message.low if message.HasField("low") else None,
        high=message.high if message.HasField("high") else None,
        criteria=criterion_scores_from(message.criteria),
        passed=message.passed if message.HasField("passed") else None,
        style=_style(message.style) if message.HasField("style") else None,
    )


def _style(message: pb.Style) -> Style:
    return Style(
        words=message.words,
        headers=message.headers,
        list_items=message.list_items,
        bold=message.bold,
    )


def uint32(count: int) -> int:
    """A count that a server reported, clipped to the field's range."""
    return min(max(0, count), 0xFFFFFFFF)
