"""The settling rule of mode `multimodal`: as a pair, a single answer, or by the best alternative."""

from collections.abc import Sequence
from dataclasses import replace

from judgestream.core.images import has_images
from judgestream.core.passes import explanation_in
from judgestream.core.reconcile import Settlement, readable, settle_pair, settle_single
from judgestream.core.settling import reward
from judgestream.core.types import PassResult, Request


def settle_multimodal(request: Request, passes: Sequence[PassResult]) -> Settlement:
    """With images two answers settle as in mode pairwise, one as in mode single.

    Without images the score is the highest expected score over the alternative references, the first of
    equals: an answer is right if it agrees with any of them. With several alternatives a judge that errs at
    random errs upwards, so compare systems on the same references only.
    """
    if len(request.candidates) == 2:
        return settle_pair(request, passes)
    if has_images(request):
        return settle_single(request, passes)
    readings, unscored = readable(request, passes)
    if unscored is not None:
        return unscored
    best = max(range(len(passes)), key=lambda k: readings[k].means[0])
    settlement = settle_single(request, (passes[best],))
    if not request.options.explain:
        return settlement
    return replace(settlement, explanation=explanation_in(passes[best]))


def settle_values(request: Request, passes: Sequence[PassResult]) -> Settlement:
    """An image scorer's values, by the rules of reward models: a score, a comparison or a ranking."""
    if len(request.candidates) == 1:
        return reward.settle_single(request, passes)
    if len(request.candidates) == 2:
        return reward.settle_pair(request, passes)
    return reward.settle_multi(request, passes)
