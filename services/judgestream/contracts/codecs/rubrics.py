"""`Rubric` and `CriterionScore` messages <-> their values."""

from collections.abc import Iterable

from judgestream.core.rubric import Criterion, CriterionScore, Rubric
from judgestream.v1 import judging_pb2 as pb


def rubric_from_message(message: pb.Rubric) -> Rubric:
    """The rubric with its defaults filled in; `core.checks` checks it."""
    return Rubric(
        criteria=tuple(
            Criterion(
                id=one.id,
                description=one.description,
                low=one.low if one.HasField("low") else 1.0,
                high=one.high if one.HasField("high") else 10.0,
                weight=one.weight if one.HasField("weight") else 1.0,
                pass_threshold=one.pass_threshold if one.HasField("pass_threshold") else None,
            )
            for one in message.criteria
        ),
        pass_threshold=message.pass_threshold if message.HasField("pass_threshold") else None,
    )


def rubric_to_message(rubric: Rubric) -> pb.Rubric:
    return pb.Rubric(
        criteria=[
            pb.Criterion(
                id=one.id,
                description=one.description,
                low=one.low,
                high=one.high,
                weight=one.weight,
                pass_threshold=one.pass_threshold,
            )
            for one in rubric.criteria
        ],
        pass_threshold=rubric.pass_threshold,
    )


def criterion_scores_from(messages: Iterable[pb.CriterionScore]) -> tuple[CriterionScore, ...]:
    return tuple(
        CriterionScore(
            criterion_id=one.criterion_id,
            score=one.score if one.HasField("score") else None,
            low=one.low if one.HasField("low") else None,
            high=one.high if one.HasField("high") else None,
            passed=one.passed if one.HasField("passed") else None,
        )
        for one in messages
    )


def criterion_scores_to(scores: Iterable[CriterionScore]) -> list[pb.CriterionScore]:
    return [_to_message(one) for one in scores]


def _to_message(score: CriterionScore) -> pb.CriterionScore:
    message = pb.CriterionScore(
        criterion_id=score.criterion_id, score=score.score, low=score.low, high=score.high
    )
    if score.passed is not None:
        message.passed = score.passed
    return message
