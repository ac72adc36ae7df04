"""Judging a share of the pairs in both orders, and the others in one.

The second order doubles the price of a verdict. What it shows, whether the judge favours a position, can be
estimated from a sample. Whether a pair is in the sample, and which order the others get, depends on its
verdict id alone: neither on the answers nor on the judge. A verdict states the probability of its pair to be
in the sample, so that statistics can weight it by the inverse (Horvitz and Thompson 1952).
"""

import hashlib
from collections.abc import Sequence

from judgestream.core.passes import Pass
from judgestream.core.types import Verdict

STRAIGHT, REVERSED = (0, 1), (1, 0)
LEAST = 0.01
"""The least share: no verdict counts for more than a hundred."""


def sampled(
    passes: tuple[Pass, ...], verdict_id: str, share: float
) -> tuple[tuple[Pass, ...], float | None]:
    """The passes to ask, and the probability with which all of them are asked.

    The probability is None where the pair is not subject to sampling: its passes do not show two answers in
    both orders, or one of them writes an explanation.

    Args:
        share: of the pairs that are judged in both orders, from `LEAST` to 1.
    """
    orders = {one.transform.order for one in passes}
    if share >= 1.0 or orders != {STRAIGHT, REVERSED} or any(one.max_tokens for one in passes):
        return passes, None
    share = max(LEAST, share)
    drawn, side = _draws(verdict_id, "orders")
    if drawn < share:
        return passes, share
    order = STRAIGHT if side < 0.5 else REVERSED
    return tuple(one for one in passes if one.transform.order == order), share


def weight_of(verdict: Verdict) -> int:
    """The number of pairs that a verdict with both orders stands for: the inverse of its probability.

    A whole number, so that counts stay exact: the fraction is rounded up or down by the verdict's id, with
    the probability that keeps the mean.
    """
    share = verdict.both_orders_probability
    if share is None or not LEAST <= share < 1.0:
        return 1
    whole, fraction = divmod(1.0 / share, 1.0)
    drawn, _ = _draws(verdict.verdict_id, "weight")
    return int(whole) + (drawn < fraction)


def _draws(verdict_id: str, purpose: str) -> Sequence[float]:
    """Two numbers from 0 to 1, as if drawn at random."""
    digest = hashlib.sha256(f"{purpose}\n{verdict_id}".encode(errors="surrogatepass")).digest()
    return [int.from_bytes(digest[at : at + 8]) / 2**64 for at in (0, 8)]
