"""Simulated position bias in training data, for ablations.

Real collections of judged pairs have two kinds. The teacher prefers the first answer (JudgeLM's teacher: bias
toward first 5.55 %, toward second 3.09 %; arXiv 2310.17631), and the stronger model's answer often comes
first. Computed truth has neither, so an ablation of swap augmentation needs them added.
"""

from dataclasses import dataclass, replace

from judgestream_trainer.data.augment import swapped
from judgestream_trainer.data.example import Example, Judgement
from judgestream_trainer.randomness import derived
from judgestream_trainer.tasks.base import HIGHEST_SCORE, LOWEST_SCORE


@dataclass(frozen=True, kw_only=True, slots=True)
class SimulatedBias:
    """Shares of the examples, 0 to 1. The names are those of the recipe's keys; 0 changes nothing.

    better_first  order bias: the share of the examples with the worse answer first that are swapped; 0.5
                  puts the better answer first in three quarters of all
    favour_first  score bias: the share of judgements that raise the first score and lower the second by 1
    """

    better_first: float = 0.0
    favour_first: float = 0.0


def with_simulated_bias(example: Example, bias: SimulatedBias, *, seed: int) -> Example:
    """The example with the simulated bias. A pure function of its arguments."""
    rng = derived("lopsided", seed, example.id)
    order_draw, score_draw = rng.random(), rng.random()
    judgement = example.informed or example.blind
    if judgement is not None and judgement.scores[0] < judgement.scores[1]:
        example = swapped(example) if order_draw < bias.better_first else example
    if score_draw >= bias.favour_first:
        return example
    return replace(example, blind=_favoured(example.blind), informed=_favoured(example.informed))


def _favoured(judgement: Judgement | None) -> Judgement | None:
    if judgement is None:
        return None
    first, second = judgement.scores
    scores = (min(HIGHEST_SCORE, first + 1), max(LOWEST_SCORE, second - 1))
    return replace(judgement, scores=scores)
