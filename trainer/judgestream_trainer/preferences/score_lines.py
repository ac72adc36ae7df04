"""Judged pairs for judges with score lines, drawn from groups of graded answers."""

from collections.abc import Iterator, Sequence
from math import fsum

from judgestream_trainer.data.example import Example, Judgement
from judgestream_trainer.preferences.balance import LengthBalance, better
from judgestream_trainer.preferences.groups import Graded, Group
from judgestream_trainer.preferences.ratings import rating_of_grade
from judgestream_trainer.randomness import derived

NOISE = 0.7
"""Standard deviation, in points, of the scores around the teacher's: one line per visit, drawn from the
teacher's uncertainty, trains the same expected loss as soft targets over all lines."""


def judged_pairs(
    groups: Sequence[Group],
    *,
    per_group: int,
    seed: int,
    balance: LengthBalance,
    least: float = 2.0,
    ties: float = 0.08,
) -> Iterator[Example]:
    """Up to `per_group` pairs of every group. Scores are ratings around the group's mean grade.

    Args:
        balance: pairs whose longer answer is better are kept with the probability of their weight.
        least: smallest difference of ratings; smaller ones are kept as ties, with probability `ties`.
    """
    for group in groups:
        if len(group.answers) < 2:
            continue
        mean = fsum(answer.grade for answer in group.answers) / len(group.answers)
        for number in range(min(per_group, len(group.answers) * (len(group.answers) - 1) // 2)):
            draw = derived("pair", seed, group.id, number)
            first, second = draw.sample(group.answers, 2)
            difference = abs(_rating(first, mean) - _rating(second, mean))
            if difference < least and draw.random() >= ties:
                continue
            longer_wins = (better(first, second) - 0.5) * (len(first.text) - len(second.text)) > 0
            if longer_wins and draw.random() >= balance.longer:
                continue
            noise = (draw.gauss(0, NOISE), draw.gauss(0, NOISE))
            if difference < least:
                noise = (0.0, 0.0)
                second_rating = first_rating = (_rating(first, mean) + _rating(second, mean)) / 2
            else:
                first_rating, second_rating = _rating(first, mean), _rating(second, mean)
            judgement = Judgement(
                scores=(_whole(first_rating + noise[0]), _whole(second_rating + noise[1]))
            )
            yield Example(
                id=f"{group.id}-{number}",
                question=group.question,
                answers=(first.text, second.text),
                blind=judgement,
                informed=judgement if group.reference else None,
                reference=group.reference,
                systems=(first.system, second.system),
                source=group.source,
                group=group.source,
            )


def _rating(answer: Graded, mean: float) -> float:
    return rating_of_grade(answer.grade - mean)


def _whole(rating: float) -> float:
    return float(min(10, max(1, round(rating))))
