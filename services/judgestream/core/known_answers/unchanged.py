"""Nothing changed but the place: the identical pair, and the swapped one."""

import random

from judgestream.core.known_answers.base import Effect, KnownAnswer, Pairing


def _as_it_is(answer: str, _: random.Random, __: str) -> str | None:
    return answer


def _equal(answer: str, changed: str) -> bool:
    return answer == changed


IDENTICAL = KnownAnswer(
    name="identical",
    meaning="the answer beside a copy of itself",
    effect=Effect.SAME,
    pairing=Pairing.ITSELF,
    rewrite=_as_it_is,
    holds=_equal,
)
SWAPPED = KnownAnswer(
    name="swapped",
    meaning="the request with its candidates in the other order",
    effect=Effect.MIRRORED,
    pairing=Pairing.RIVAL,
    rewrite=_as_it_is,
    holds=_equal,
)
