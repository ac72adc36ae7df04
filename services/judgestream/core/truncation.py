"""Answers cut to fit a judge's context, evenly, so that none is judged by more of its text than another."""

from collections.abc import Iterator
from dataclasses import replace

from judgestream.core.types import Request

MARK = " […]"
"""Ends a cut answer, so that the judge can see that it goes on."""

SHORTEST = 200
"""Characters of an answer below which nothing is left to judge: the request is refused."""

STEP = 0.7
"""How much of an answer's limit is left for the next try."""

CHARACTERS_PER_TOKEN = 4
"""At most about this many in English text: the first limit that is worth a try."""


def limits(request: Request, context_tokens: int) -> Iterator[int]:
    """Limits to try on every answer, in characters, falling; the judge itself says which one fits.

    The first is what the context could hold at best, below the longest answer in any case. Nobody but the
    judge knows its tokens, so each further one is 30 % lower, down to `SHORTEST`.
    """
    longest = max((len(candidate.text) for candidate in request.candidates), default=0)
    shares = max(1, len(request.candidates))
    room = context_tokens * CHARACTERS_PER_TOKEN // shares
    limit = min(int(longest * STEP), room)
    while limit >= SHORTEST:
        yield limit
        limit = int(limit * STEP)


def with_answers_cut(request: Request, limit: int) -> Request:
    """The request with every answer in at most `limit` characters, `MARK` included; others as they are."""
    return replace(
        request,
        candidates=tuple(
            candidate
            if len(candidate.text) <= limit
            else replace(candidate, text=candidate.text[: limit - len(MARK)] + MARK)
            for candidate in request.candidates
        ),
    )
