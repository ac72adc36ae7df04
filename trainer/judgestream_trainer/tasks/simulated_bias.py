"""A teacher with a pull toward the first answer, for ablations: what real collections of judged pairs have.

JudgeLM's teacher prefers the first answer (facts: bias toward first 5.55 %, toward second 3.09 %), and pairs
are often collected with the stronger model first. Computed truth has neither, so swap augmentation would have
nothing to mend. Here both can be put in, as a pure function that copies.
"""

from dataclasses import dataclass, replace

from judgestream_trainer.data.augment import swapped
from judgestream_trainer.data.example import Example, Judgement
from judgestream_trainer.randomness import derived
from judgestream_trainer.tasks.base import HIGHEST_SCORE, LOWEST_SCORE


@dataclass(frozen=True, kw_only=True, slots=True)
class SimulatedBias:
    """Shares of the examples, 0 to 1; 0 leaves them as they are.

    better_first  of those whose worse answer stands first, how many are turned round: 0.5 puts the better
                  answer first in three quarters of all
    favour_first  how many judgements give the first answer a point too much and the second one too few
    """

    better_first: float = 0.0
    favour_first: float = 0.0


def with_simulated_bias(example: Example, how: SimulatedBias, *, seed: int) -> Example:
    """The example as such a teacher's collection would hold it. A pure function of its arguments."""
    rng = derived("lopsided", seed, example.id)
    turn, favour = rng.random(), rng.random()
    judgement = example.informed or example.blind
    if judgement is not None and judgement.scores[0] < judgement.scores[1]:
        example = swapped(example) if turn < how.better_first else example
    if favour >= how.favour_first:
        return example
    return replace(example, blind=_favoured(example.blind), informed=_favoured(example.informed))


def _favoured(judgement: Judgement | None) -> Judgement | None:
    if judgement is None:
        return None
    first, second = judgement.scores
    scores = (min(HIGHEST_SCORE, first + 1), max(LOWEST_SCORE, second - 1))
    return replace(judgement, scores=scores)
