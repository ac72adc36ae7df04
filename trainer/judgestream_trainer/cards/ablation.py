"""Ablation of the augmentations: the same training with one of them changed, over several seeds."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from types import MappingProxyType

from judgestream.engine.judge import Judge
from judgestream.evaluation.pair_outcome import PairOutcome
from judgestream.evaluation.position import position
from judgestream_trainer.cards.bundled import held_out_items
from judgestream_trainer.cards.judging import judge_pairs
from judgestream_trainer.cards.results import FORMATS
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
"""Variant -> what it changes. The first is the unchanged recipe."""

NEVER_TRAINED = "never trained facts"


def varied(recipe: Recipe, variant: str, seed: int) -> Recipe:
    """The recipe with one augmentation changed. `seed` sets weights, examples and draws."""
    change = VARIANTS[variant]
    return replace(recipe, seed=seed, augmentation=change(recipe.augmentation))


def measured(judge: Judge, recipe: Recipe) -> dict[str, float]:
    """Figures of one trained judge on held-out items, by name, as shares from 0 to 1.

    accuracy, consistency, to 1st   over all families, with and without the reference; an unreadable reply
                                    counts as wrong
    new facts                       accuracy on facts that are never trained, ties left out
    """
    seed, count = recipe.evaluation.seed, recipe.evaluation.items
    everything = held_out_items(recipe, per_family=count, seed=seed)
    unseen = [item for item in new_facts(count, seed=seed) if item.truth]
    results: dict[str, float] = {}
    for shown, with_reference in FORMATS.items():
        judged = judge_pairs(judge, everything, with_reference=with_reference)
        facts = judge_pairs(judge, unseen, with_reference=with_reference)
        short = shown.removesuffix("_reference")
        results |= {f"{name}, {short}": value for name, value in _figures(judged).items()}
        results[f"new facts, {short}"] = _right(facts)
    return results


def _figures(judged: Sequence[PairOutcome]) -> dict[str, float]:
    """Consistency is left out when no pair is readable in both orders."""
    bias = position([j.straight for j in judged], [j.swapped for j in judged])
    figures = {
        "accuracy": _right(judged),
        "consistency": bias.consistency,
        "to 1st": bias.bias_toward_first,
    }
    return {name: value for name, value in figures.items() if value is not None}


def _right(judged: Sequence[PairOutcome]) -> float:
    return sum(outcome.right for outcome in judged) / len(judged)


def new_facts(count: int, *, seed: int) -> list[Item]:
    """Held-out questions about true facts that are never trained."""
    stream = items(FAMILIES["knowledge"], seed=seed, held_out=True)
    return list(islice((item for item in stream if item.group == NEVER_TRAINED), count))


def summary(runs: Mapping[str, Sequence[Mapping[str, float]]]) -> Ablation:
    """Mean and sample standard deviation over each variant's runs (0 for a single run)."""
    return {variant: _spread(results) for variant, results in runs.items() if results}


def _spread(runs: Sequence[Mapping[str, float]]) -> dict[str, tuple[float, float]]:
    values = {name: [run[name] for run in runs if name in run] for name in runs[0]}
    return {
        name: (statistics.mean(some), statistics.stdev(some) if len(some) > 1 else 0.0)
        for name, some in values.items()
    }
