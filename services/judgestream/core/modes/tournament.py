"""The passes of a tournament: pairs of a request's candidates, each in the orders that it asks for."""

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from judgestream.core.identity import content_digest
from judgestream.core.modes.planning import passes_of, reference_uses
from judgestream.core.passes import Pass
from judgestream.core.templates.base import Template
from judgestream.core.transforms import Transform
from judgestream.core.types import PassResult, Request

if TYPE_CHECKING:
    from judgestream.core.modes.base import Mode

Pair = tuple[int, int]
"""Two candidates by their index, the smaller first."""


def plan(
    request: Request, mode: "Mode", template: Template, answered: Sequence[PassResult]
) -> tuple[Pass, ...]:
    """One stage: every drawn pair in every order, with and without the reference as the request asks.

    Passes that show the same first answer follow each other: they share it in the engine's prefix tree.
    """
    if answered:
        return ()
    orders = mode.orders[request.options.orders](2)
    shown = sorted(tuple(pair[k] for k in order) for pair in pairs_of(request) for order in orders)
    return passes_of(
        request,
        mode,
        template,
        (
            Transform(order=order, with_reference=with_reference, partial=True)
            for with_reference in reference_uses(request, mode)
            for order in shown
        ),
    )


def pairs_of(request: Request) -> tuple[Pair, ...]:
    """The pairs to judge: all, or as many as `options.pairs` says, drawn by the request's content."""
    count, wanted = len(request.candidates), request.options.pairs
    drawn = cycles(_shuffled(count, content_digest(request)))
    return tuple(sorted(drawn[:wanted] if wanted else drawn))


def problem(request: Request) -> str:
    """Why the pairs cannot rank all candidates; "" if they can."""
    least, wanted = len(request.candidates) - 1, request.options.pairs
    if not 0 < wanted < least:
        return ""
    return (
        f"options.pairs is {wanted}: {least + 1} candidates need at least {least} pairs to be"
        " compared with each other; 0 judges all pairs"
    )


def cycles(places: Sequence[int]) -> list[Pair]:
    """All pairs of candidates that stand in a circle: neighbours first, then those two places apart, and on.

    The first n - 1 pairs connect all n candidates, and with every further round each has two more opponents:
    the cyclic designs of paired comparisons (David 1963, "The Method of Paired Comparisons").
    """
    count = len(places)
    found: dict[Pair, None] = {}
    for apart in range(1, count // 2 + 1):
        for k in range(count):
            one, other = sorted((places[k], places[(k + apart) % count]))
            found[one, other] = None
    return list(found)


def _shuffled(count: int, seed: str) -> list[int]:
    """The candidates in an order that depends on the seed only, on every machine."""
    return sorted(range(count), key=lambda k: hashlib.sha256(f"{seed}:{k}".encode()).digest())
