"""Temperature fitting: the T whose verdict probabilities fit the ground truth best.

T minimises the mean negative log-likelihood of the true outcome (first better, tie, second better), with
probabilities averaged over both orders and a normal prior on log T around 0. The prior limits what a few
verdicts can do. The objective may have several minima: a grid finds the lowest, golden-section search refines
it. The items are held out from training and are not those of the evaluation. When the verdicts do not
determine T, it stays 1, with a reason.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice

import torch
from torch import Tensor

from judgestream.checkpoints.temperature import soften
from judgestream.core.modes import PAIRWISE, plan
from judgestream.core.parsing import read
from judgestream.core.passes import Pass
from judgestream.core.prompt import Prompt
from judgestream.core.templates import template
from judgestream.core.types import Options, Reading, ReferenceUse, Reply
from judgestream.engine.judge import Judge
from judgestream.evaluation.agreement import CLASSES
from judgestream.evaluation.calibration import calibration
from judgestream_trainer.cards.judging import request_of, truth_of
from judgestream_trainer.data.example import Example
from judgestream_trainer.recipe import Recipe
from judgestream_trainer.tasks import FAMILIES, items

LOWEST, HIGHEST = 0.25, 8.0
GRID = 51
"""Points of the grid, equidistant in log T."""

PRIOR = 0.5
"""Prior standard deviation of log T: two judges in three lie between .6 and 1.65."""

LEAST_VERDICTS = 100
"""With fewer verdicts the fit is noise: without the prior, 5 % of the fits to 100 verdicts of a calibrated
judge are below .57 and 5 % above 1.45."""

SEED_OFFSET = 1000
"""Added to the evaluation's seed, so that the items are not those of the card."""

LEAST = 1e-6
"""Lower bound on an outcome's probability, so that a single miss does not dominate the likelihood."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Fitted:
    """A temperature and its effect on the `n` verdicts that it was fitted to.

    nll, ece   of the final verdicts, before and after
    error      standard error of log T; None when nothing was fitted
    unread     unreadable verdicts, left out
    reason     why T is 1 when it was not fitted, else ""
    """

    temperature: float
    n: int
    nll_before: float
    nll_after: float
    ece_before: float
    ece_after: float
    error: float | None = None
    unread: int = 0
    reason: str = ""


def fit(judge: Judge, recipe: Recipe) -> Fitted:
    """Fit on the recipe's families, with and without reference. `judge` must be uncalibrated.

    Raises:
        ValueError: the judge already has a temperature, or none of the items is readable.
    """
    return fit_shown(judge, family_items(recipe))


def family_items(recipe: Recipe) -> list[tuple[Example, bool]]:
    """Held-out items of the recipe's families, with and without reference; not those of the card."""
    chosen: list[tuple[Example, bool]] = []
    for name in recipe.families:
        stream = items(FAMILIES[name], seed=recipe.evaluation.seed + SEED_OFFSET, held_out=True)
        for item in islice(stream, recipe.evaluation.items):
            chosen.append((item.example, True))
            if not item.reference_required:
                chosen.append((item.example, False))
    return chosen


def fit_examples(judge: Judge, examples: Sequence[Example]) -> Fitted:
    """Fit on examples, each in every format for which it has a judgement. Raises as `fit` does."""
    chosen = [
        (example, with_reference)
        for example in examples
        for with_reference, judgement in ((True, example.informed), (False, example.blind))
        if judgement is not None
    ]
    return fit_shown(judge, chosen)


def fit_shown(judge: Judge, chosen: Sequence[tuple[Example, bool]]) -> Fitted:
    """Fit on examples, each with or without its reference. Raises as `fit` does."""
    joints, truths, unread = read_joints(judge, chosen)
    return fit_temperature(joints, truths, unread=unread)


def fit_temperature(joints: Tensor, truths: Sequence[int], *, unread: int = 0) -> Fitted:
    """Fit to `joints` [N, 2, L, L] (straight order, swapped order restored) and `truths` (+1, 0, -1)."""
    if not len(truths):
        raise ValueError("nothing to fit a temperature to")
    with _one_thread():
        return _fitted(joints, truths, unread)


def _fitted(joints: Tensor, truths: Sequence[int], unread: int) -> Fitted:
    right = _indices(truths)
    reason = _unfit(joints, right)
    log_t = 0.0
    if not reason:
        log_t = global_minimum(_objective(joints, right), math.log(LOWEST), math.log(HIGHEST), GRID)
        if min(log_t - math.log(LOWEST), math.log(HIGHEST) - log_t) < 1e-3:
            log_t = 0.0
            reason = f"the best temperature lies outside {LOWEST:g} to {HIGHEST:g}"
    fitted = evaluate_temperature(joints, truths, round(math.exp(log_t), 4), unread=unread)
    return replace(fitted, error=None, reason=reason) if reason else fitted


def evaluate_temperature(
    joints: Tensor, truths: Sequence[int], temperature: float, *, unread: int = 0
) -> Fitted:
    """The effect of a given temperature on these verdicts, with the standard error of a fit to them."""
    right = _indices(truths)
    log_t = math.log(temperature)
    return Fitted(
        temperature=temperature,
        n=len(truths),
        nll_before=_nll(joints, right, 1.0),
        nll_after=_nll(joints, right, temperature),
        ece_before=_ece(joints, right, 1.0),
        ece_after=_ece(joints, right, temperature),
        error=_standard_error(_objective(joints, right), log_t),
        unread=unread,
    )


@contextmanager
def _one_thread() -> Iterator[None]:
    """Limit torch to one thread: for tensors this small, several threads cost more than they gain."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _unfit(joints: Tensor, right: Tensor) -> str:
    """Why these verdicts do not determine the temperature; "" when they do."""
    n = len(right)
    if n < LEAST_VERDICTS:
        return f"{n} verdicts are too few to fit a temperature; {LEAST_VERDICTS} are needed"
    hits = int((outcomes(joints, 1.0).argmax(dim=1) == right).sum())
    if hits in (0, n):
        return f"{'all' if hits else 'none'} of the {n} verdicts are right, which sets no bound on confidence"
    return ""


def _objective(joints: Tensor, right: Tensor) -> Callable[[float], float]:
    """The negative log posterior, as a function of log T."""
    n = len(right)
    return lambda log_t: n * _nll(joints, right, math.exp(log_t)) + log_t**2 / (2 * PRIOR**2)


def _standard_error(objective: Callable[[float], float], log_t: float, step: float = 0.05) -> float:
    """From the curvature at the optimum; at most the standard deviation of the prior."""
    curvature = (objective(log_t - step) - 2 * objective(log_t) + objective(log_t + step)) / step**2
    return 1.0 / math.sqrt(max(curvature, 1.0 / PRIOR**2))


def _indices(truths: Sequence[int]) -> Tensor:
    """The column of each truth in `outcomes`."""
    return torch.tensor([CLASSES.index(truth) for truth in truths])


def _nll(joints: Tensor, right: Tensor, temperature: float) -> float:
    chosen = outcomes(joints, temperature).gather(1, right[:, None])
    return -float(chosen.clamp_min(LEAST).log().mean())


def _ece(joints: Tensor, right: Tensor, temperature: float) -> float:
    best = outcomes(joints, temperature).max(dim=1)
    confidences = best.values.clamp(0.0, 1.0).tolist()
    measured = calibration(confidences, (best.indices == right).tolist())
    return 0.0 if measured is None else measured.ece


def outcomes(joints: Tensor, temperature: float) -> Tensor:
    """P(first better), P(tie), P(second better) [N, 3], averaged over both orders."""
    count = joints.shape[-1]
    soft = soften(joints.flatten(2), temperature)
    soft = (soft / soft.sum(-1, keepdim=True)).view_as(joints)
    first_higher = torch.ones(count, count).tril(-1).bool()
    win, lose = soft[..., first_higher].sum(-1), soft[..., first_higher.T].sum(-1)
    return torch.stack((win, 1 - win - lose, lose), dim=-1).mean(1)


# Own code: scipy would be a new dependency of the trainer for these 20 lines.
def global_minimum(f: Callable[[float], float], low: float, high: float, points: int) -> float:
    """The argument of the lowest of several minima: a grid, then golden-section search around its best."""
    grid = [low + (high - low) * k / (points - 1) for k in range(points)]
    at = min(range(points), key=lambda k: f(grid[k]))
    return golden_section(f, grid[max(0, at - 1)], grid[min(points - 1, at + 1)])


def golden_section(f: Callable[[float], float], low: float, high: float, steps: int = 40) -> float:
    """The argument of the only minimum (Kiefer 1953)."""
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


def read_joints(
    judge: Judge, chosen: Sequence[tuple[Example, bool]]
) -> tuple[Tensor, list[int], int]:
    """The judge's joint score distributions for examples, each with or without its reference.

    Returns:
        Joints [N, 2, L, L] as `fit_temperature` takes them, the truths, and the number of examples that are
        not readable in both orders.

    Raises:
        ValueError: the judge already has a temperature, or no example is readable.
    """
    if judge.temperature != 1.0:
        raise ValueError(
            f"the judge already has temperature {judge.temperature}: load it with temperature=1.0"
        )
    family = template(judge.checkpoint.manifest.template_id)
    plans = [
        plan(
            request_of(example, options=Options(reference_use=_USE[with_reference])),
            PAIRWISE,
            family,
        )
        for example, with_reference in chosen
    ]
    replies = iter(
        judge.read([Prompt(text=p.prompt, grammar=p.grammar) for passes in plans for p in passes])
    )
    joints: list[Tensor] = []
    truths: list[int] = []
    for (example, with_reference), passes in zip(chosen, plans, strict=True):
        readings = [_joint(next(replies), planned) for planned in passes]
        readable = [joint for joint in readings if joint is not None]
        if len(readable) == len(passes):
            straight, swapped = readable
            joints.append(torch.stack((straight, swapped.T)))
            truths.append(truth_of(example, with_reference=with_reference))
    if not joints:
        raise ValueError(f"none of the {len(chosen)} items is readable in both orders")
    return torch.stack(joints), truths, len(chosen) - len(truths)


def _joint(reply: Reply | Exception, planned: Pass) -> Tensor | None:
    """The reply's joint distribution; None when a verdict could not use the reply either."""
    if isinstance(reply, Exception) or not isinstance(read(reply, planned.grammar), Reading):
        return None
    size = len(planned.grammar.labels)
    return torch.tensor(reply.score_probs, dtype=torch.float64).view(size, size)


_USE: Mapping[bool, ReferenceUse] = {True: ReferenceUse.AUTO, False: ReferenceUse.NEVER}
