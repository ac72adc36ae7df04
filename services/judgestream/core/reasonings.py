"""Several reasonings of one judge about one prompt, as one reply."""

from collections.abc import Sequence
from dataclasses import replace
from math import fsum

from judgestream.core.parsing import score_line_of
from judgestream.core.templates.base import Grammar
from judgestream.core.types import Reply


def averaged(replies: Sequence[Reply]) -> Reply:
    """The mean of the replies' distributions; tokens are added up, and the text is the first one's.

    Its `finish_reason` is "length" where a limit ended one of them.
    """
    columns = zip(*(reply.score_probs for reply in replies), strict=True)
    costs = [reply.cost for reply in replies if reply.cost is not None]
    return replace(
        replies[0],
        score_probs=tuple(fsum(column) / len(replies) for column in columns),
        finish_reason="length" if any(r.finish_reason == "length" for r in replies) else "stop",
        input_tokens=sum(reply.input_tokens for reply in replies),
        output_tokens=sum(reply.output_tokens for reply in replies),
        latency_s=max(reply.latency_s for reply in replies),
        cost=fsum(costs) if costs else None,
        reasonings=len(replies),
    )


def averaged_readable(replies: Sequence[Reply], grammar: Grammar) -> Reply:
    """The mean over the replies with scores, for judges whose marker nobody else writes.

    Where more than half have none, it is the first of those: unreadable, as a single one would be. The tokens
    are those of all.
    """
    readable = [
        reply for reply in replies if score_line_of(reply.text, grammar) and any(reply.score_probs)
    ]
    unreadable = [reply for reply in replies if reply not in readable]
    whole = averaged(replies)
    if 2 * len(readable) < len(replies):
        first = unreadable[0]
        return replace(
            whole,
            text=first.text,
            score_probs=first.score_probs,
            finish_reason=first.finish_reason,
            reasonings=len(readable),
        )
    mean = averaged(readable)
    return replace(
        whole,
        text=mean.text,
        score_probs=mean.score_probs,
        finish_reason=mean.finish_reason,
        reasonings=mean.reasonings,
    )
