"""What each augmentation does: the same training with one of them changed, over several seeds."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from types import MappingProxyType

from judgestream.engine.judge import Judge
from judgestream.evaluation.position import position
from judgestream.evaluation.summary import Judged
from judgestream_trainer.cards.bundled import held_out_items
from judgestream_trainer.cards.figures import FORMATS
from judgestream_trainer.cards.judging import judge_pairs
from judgestream_trainer.cards.tables import Ablation
from judgestream_trainer.data.augment import Augmentation
from judgestream_trainer.recipe import Recipe
from judgestream_trainer.tasks import FAMILIES, items
from judgestream_trainer.tasks.base import Item

VARIANTS: Mapping[str, Callable[[Augmentation], Augmentation]] = MappingProxyType(
    {
        "swap, reference dropped": lambda how: how,
        "no swap": lambda how: replace(how, swap_probability=0.0),
        "never a reference": lambda how: replace(how, reference_keep_probability=0.0),
        "always the reference": lambda how: replace(how, reference_keep_probability=1.0),
        "in-place defect": lambda how: replace(how, in_place_defect=1.0),
    }
)
"""What is changed; the first is the recipe as it is."""

NEVER_TRAINED = "never trained facts"


def varied(recipe: Recipe, variant: str, seed: int) -> Recipe:
    """The recipe with one augmentation changed; the seed decides weights, examples and draws."""
    change = VARIANTS[variant]
    return replace(recipe, seed=seed, augmentation=change(recipe.augmentation))


def measured(judge: Judge, recipe: Recipe) -> dict[str, float]:
    """Figures of one trained judge on held-out items, by name, shares from 0 to 1.

    accuracy, consistency, to 1st   of all families, with and without the reference; here what cannot be
                                    read counts as wrong
    new facts                       accuracy on facts that were never trained, ties left out
    """
    seed, count = recipe.evaluation.seed, recipe.evaluation.items
    everything = held_out_items(recipe, per_family=count, seed=seed)
    unseen = [item for item in new_facts(count, seed=seed) if item.truth]
    found: dict[str, float] = {}
    for shown, with_reference in FORMATS.items():
        judged = judge_pairs(judge, everything, with_reference=with_reference)
        facts = judge_pairs(judge, unseen, with_reference=with_reference)
        short = shown.removesuffix("_reference")
        found |= {f"{name}, {short}": value for name, value in _figures(judged).items()}
        found[f"new facts, {short}"] = _right(facts)
    return found


def _figures(judged: Sequence[Judged]) -> dict[str, float]:
    """Without one pair read in both orders there is no consistency to speak of."""
    where = position([j.straight for j in judged], [j.swapped for j in judged])
    found = {
        "accuracy": _right(judged),
        "consistency": where.consistency,
        "to 1st": where.bias_toward_first,
    }
    return {name: value for name, value in found.items() if value is not None}


def _right(judged: Sequence[Judged]) -> float:
    return sum(j.verdict == j.truth for j in judged) / len(judged)


def new_facts(count: int, *, seed: int) -> list[Item]:
    """Held-out questions about true facts none of which was ever trained."""
    stream = items(FAMILIES["knowledge"], seed=seed, held_out=True)
    return list(islice((item for item in stream if item.group == NEVER_TRAINED), count))


def summary(runs: Mapping[str, Sequence[Mapping[str, float]]]) -> Ablation:
    """Mean and standard deviation over a variant's runs (sample deviation; 0 for a single one)."""
    return {variant: _spread(found) for variant, found in runs.items() if found}


def _spread(runs: Sequence[Mapping[str, float]]) -> dict[str, tuple[float, float]]:
    values = {name: [run[name] for run in runs if name in run] for name in runs[0]}
    return {
        name: (statistics.mean(some), statistics.stdev(some) if len(some) > 1 else 0.0)
        for name, some in values.items()
    }
