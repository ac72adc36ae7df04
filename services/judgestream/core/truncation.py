"""Truncation of answers to fit a judge's context: all to the same limit, so that none has an advantage.

Of a conversation, the limit is for all of its messages together. Every message is cut to the same length,
the longest that keeps the limit, so short ones stay whole. With the last turn in focus, half of the limit
is for the reply that is judged; what it does not need is for its context, and the other way round.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from judgestream.core.conversation import ASSISTANT, Focus, Turn
from judgestream.core.types import Candidate, Request

MARK = " […]"
"""The end of a cut answer, which shows the judge that the answer continues."""

SHORTEST = 200
"""The shortest limit in characters. A request that does not fit at this limit is refused."""

SHORTEST_TURN = 40
"""The same for each message of a conversation, on average."""

STEP = 0.7
"""The ratio of each limit to the previous one."""

CHARACTERS_PER_TOKEN = 4
"""Roughly the most in English text. It gives the first limit."""


def limits(request: Request, context_tokens: int, *, shown: int) -> Iterator[int]:
    """Decreasing limits on the answers' length, in characters, to try until one fits.

    Only the judge can count its tokens. So the first limit is an upper bound of what the context holds, below
    the longest answer, and each further one is 30 % lower, down to `SHORTEST` (of conversations,
    `SHORTEST_TURN` per message).

    shown   the most answers in one prompt
    """
    longest = max(map(_size, request.candidates), default=0)
    turns = max((len(candidate.turns) for candidate in request.candidates), default=0)
    shortest = max(SHORTEST, turns * SHORTEST_TURN)
    room = context_tokens * CHARACTERS_PER_TOKEN // max(1, shown)
    limit = min(int(longest * STEP), room)
    while limit >= shortest:
        yield limit
        limit = int(limit * STEP)


def with_answers_cut(request: Request, limit: int) -> Request:
    """The request with every answer cut to at most `limit` characters, `MARK` included."""
    return replace(
        request,
        candidates=tuple(
            candidate
            if _size(candidate) <= limit
            else replace(
                candidate,
                text=_cut(candidate.text, limit),
                turns=_turns_cut(candidate.turns, limit, request.options.focus),
            )
            for candidate in request.candidates
        ),
    )


def _size(candidate: Candidate) -> int:
    return len(candidate.text) + sum(len(turn.text) for turn in candidate.turns)


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: max(0, limit - len(MARK))] + MARK


def _turns_cut(turns: tuple[Turn, ...], limit: int, focus: Focus) -> tuple[Turn, ...]:
    lengths = [len(turn.text) for turn in turns]
    judged = _last_reply(turns) if focus is Focus.LAST_TURN else None
    if judged is None:
        level = _level(lengths, limit)
        return tuple(replace(turn, text=_cut(turn.text, level)) for turn in turns)
    context = lengths[:judged] + lengths[judged + 1 :]
    own = min(lengths[judged], max(limit // 2, limit - sum(context)))
    level = _level(context, limit - own)
    return tuple(
        replace(turn, text=_cut(turn.text, own if k == judged else level))
        for k, turn in enumerate(turns)
    )


def _last_reply(turns: Sequence[Turn]) -> int | None:
    replies = [k for k, turn in enumerate(turns) if turn.role == ASSISTANT]
    return replies[-1] if replies else None


def _level(lengths: Sequence[int], limit: int) -> int:
    """The largest length at which texts of these lengths, cut to it, have at most `limit` characters."""
    left, level = limit, 0
    for place, length in enumerate(sorted(lengths)):
        level = left // (len(lengths) - place)
        if length > level:
            return level
        left -= length
    return level if lengths else limit
