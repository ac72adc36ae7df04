"""Fit a judge's temperature: the one that makes the settled verdicts' probabilities fit the truth best.

Least mean negative log-likelihood of the true outcome (better, worse, equal) under the probabilities
averaged over both orders, by golden-section search over log T. The items are held out from training and are
not the evaluation's.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice

import torch
from torch import Tensor

from judgestream.core.modes import PAIRWISE, plan
from judgestream.core.templates import JUDGELM
from judgestream.core.types import Options, ReferenceUse, Reply
from judgestream.engine.calibration import soften
from judgestream.engine.judge import Judge
from judgestream.engine.prompt import Prompt
from trainer.evaluate import request_of, truth_of
from trainer.examples import Example
from trainer.measures import bin_of
from trainer.recipe import Recipe
from trainer.tasks import FAMILIES, items

LOWEST, HIGHEST = 0.25, 8.0
SEED_OFFSET = 1000
"""Added to the evaluation's seed: other items than the card's."""

LEAST = 1e-6
"""Probability below which an outcome's log-likelihood is cut, so that one miss does not decide."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Fitted:
    """`n` verdicts were fitted; ece and nll are those of the settled verdicts, before and after."""

    temperature: float
    n: int
    nll_before: float
    nll_after: float
    ece_before: float
    ece_after: float


def fit(judge: Judge, recipe: Recipe) -> Fitted:
    """Fit on the recipe's families, with and without reference. `judge` must be uncalibrated.

    Raises:
        ValueError: the judge has a temperature already, or none of the items could be read.
    """
    chosen: list[tuple[Example, bool]] = []
    for name in recipe.families:
        stream = items(FAMILIES[name], seed=recipe.evaluation.seed + SEED_OFFSET, held_out=True)
        for item in islice(stream, recipe.evaluation.items):
            chosen.append((item.example, True))
            if not item.reference_required:
                chosen.append((item.example, False))
    return fit_shown(judge, chosen)


def fit_examples(judge: Judge, examples: Sequence[Example]) -> Fitted:
    """Fit on examples, each in every format that it has a judgement for. Raises as `fit` does."""
    chosen = [
        (example, with_reference)
        for example in examples
        for with_reference, judgement in ((True, example.informed), (False, example.blind))
        if judgement is not None
    ]
    return fit_shown(judge, chosen)


def fit_shown(judge: Judge, chosen: Sequence[tuple[Example, bool]]) -> Fitted:
    """Fit on examples, each with or without its reference. Raises as `fit` does."""
    if judge.temperature != 1.0:
        raise ValueError(f"the judge has a temperature already: {judge.temperature}")
    joints, truths = _read(judge, chosen)
    return fit_temperature(joints, truths)


def fit_temperature(joints: Tensor, truths: Sequence[int]) -> Fitted:
    """`joints` [N, 2, L, L]: the straight order, and the swapped one turned back; `truths` +1, 0, -1."""
    if not len(truths):
        raise ValueError("nothing to fit a temperature to")
    right = torch.tensor([{1: 0, 0: 1, -1: 2}[truth] for truth in truths])

    def nll(log_t: float) -> float:
        chosen = outcomes(joints, math.exp(log_t)).gather(1, right[:, None])
        return -float(chosen.clamp_min(LEAST).log().mean())

    def ece(temperature: float) -> float:
        best = outcomes(joints, temperature).max(dim=1)
        return calibration_error(best.values.tolist(), (best.indices == right).tolist())

    temperature = math.exp(least(nll, math.log(LOWEST), math.log(HIGHEST)))
    return Fitted(
        temperature=round(temperature, 4),
        n=len(truths),
        nll_before=nll(0.0),
        nll_after=nll(math.log(temperature)),
        ece_before=ece(1.0),
        ece_after=ece(temperature),
    )


def outcomes(joints: Tensor, temperature: float) -> Tensor:
    """P(first better), P(equal), P(second better) [N, 3], averaged over both orders."""
    count = joints.shape[-1]
    soft = soften(joints.flatten(2), temperature)
    soft = (soft / soft.sum(-1, keepdim=True)).view_as(joints)
    above = torch.ones(count, count).tril(-1).bool()  # first score higher
    win, lose = soft[..., above].sum(-1), soft[..., above.T].sum(-1)
    return torch.stack((win, 1 - win - lose, lose), dim=-1).mean(1)


def least(f: Callable[[float], float], low: float, high: float, steps: int = 40) -> float:
    """Where a function with one valley is least: golden-section search (Kiefer 1953)."""
    ratio = (math.sqrt(5) - 1) / 2
    a, b = high - ratio * (high - low), low + ratio * (high - low)
    at_a, at_b = f(a), f(b)
    for _ in range(steps):
        if at_a <= at_b:
            high, b, at_b = b, a, at_a
            a = high - ratio * (high - low)
            at_a = f(a)
        else:
            low, a, at_a = a, b, at_b
            b = low + ratio * (high - low)
            at_b = f(b)
    return (low + high) / 2


def calibration_error(confidences: Sequence[float], correct: Sequence[bool]) -> float:
    """Expected calibration error over ten equal-width bins (Naeini et al. 2015; Guo et al. 2017)."""
    bins: dict[int, list[tuple[float, bool]]] = {}
    for confidence, hit in zip(confidences, correct, strict=True):
        bins.setdefault(bin_of(confidence), []).append((confidence, hit))
    gaps = (abs(sum(c for c, _ in rows) - sum(h for _, h in rows)) for rows in bins.values())
    return sum(gaps) / len(confidences)


def _read(judge: Judge, chosen: Sequence[tuple[Example, bool]]) -> tuple[Tensor, Sequence[int]]:
    joints: list[Tensor] = []
    truths: list[int] = []
    for example, with_reference in chosen:
        use = ReferenceUse.AUTO if with_reference else ReferenceUse.NEVER
        passes = plan(request_of(example, options=Options(reference_use=use)), PAIRWISE, JUDGELM)
        replies = judge.read([Prompt(text=p.prompt, grammar=p.grammar) for p in passes])
        if not all(isinstance(reply, Reply) for reply in replies):
            continue  # longer than the context: counted as unreadable by the card
        straight, swapped = (
            torch.tensor(reply.score_probs, dtype=torch.float64).view(len(p.grammar.labels), -1)
            for reply, p in zip(replies, passes, strict=True)
            if isinstance(reply, Reply)
        )
        joints.append(torch.stack((straight, swapped.T)))
        truths.append(truth_of(example, with_reference=with_reference))
    if not joints:
        raise ValueError(f"none of {len(chosen)} items could be read")
    return torch.stack(joints), truths
