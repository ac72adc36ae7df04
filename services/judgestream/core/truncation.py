"""Truncation of answers to fit a judge's context: all to the same limit, so that none has an advantage."""

from collections.abc import Iterator
from dataclasses import replace

from judgestream.core.types import Request

MARK = " […]"
"""The end of a cut answer, which shows the judge that the answer continues."""

SHORTEST = 200
"""The shortest limit in characters. A request that does not fit at this limit is refused."""

STEP = 0.7
"""The ratio of each limit to the previous one."""

CHARACTERS_PER_TOKEN = 4
"""Roughly the most in English text. It gives the first limit."""


def limits(request: Request, context_tokens: int, *, shown: int) -> Iterator[int]:
    """Decreasing limits on the answers' length, in characters, to try until one fits.

    Only the judge can count its tokens. So the first limit is an upper bound of what the context holds, below
    the longest answer, and each further one is 30 % lower, down to `SHORTEST`.

    shown   the most answers in one prompt
    """
    longest = max((len(candidate.text) for candidate in request.candidates), default=0)
    room = context_tokens * CHARACTERS_PER_TOKEN // max(1, shown)
    limit = min(int(longest * STEP), room)
    while limit >= SHORTEST:
        yield limit
        limit = int(limit * STEP)


def with_answers_cut(request: Request, limit: int) -> Request:
    """The request with every answer cut to at most `limit` characters, `MARK` included."""
    return replace(
        request,
        candidates=tuple(
            candidate
            if len(candidate.text) <= limit
            else replace(candidate, text=candidate.text[: limit - len(MARK)] + MARK)
            for candidate in request.candidates
        ),
    )
