"""The expected cost of a replay, in dollars and in time, before anything is asked.

Only the judge knows its tokens. So prompts are counted at `BYTES_PER_TOKEN`, and outputs at most as many as a
request allows. The passes of a later stage depend on the replies of an earlier one, and are not counted.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import fsum

from judgestream.core.costs import Prices
from judgestream.core.passes import Pass

BYTES_PER_TOKEN = 4.0
"""Of UTF-8 text. English has about 4 with most tokenizers, source code and other scripts 2 to 4."""

SCORE_TOKENS = 4
"""Tokens of a score line, at most."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Size:
    """The passes of one request at one release: bytes of their prompts, and output tokens at most."""

    prompt_bytes: int
    most_output_tokens: int

    @classmethod
    def of(cls, passes: Sequence[Pass]) -> "Size":
        return cls(
            prompt_bytes=sum(len(one.prompt.encode(errors="replace")) for one in passes),
            most_output_tokens=sum(
                SCORE_TOKENS
                + one.max_tokens
                + (one.reasoning.max_tokens if one.reasoning is not None else 0)
                for one in passes
            ),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """One release that is asked, or one member of a jury.

    known_good_bytes, known_good_s   size of the known good prompts, and seconds that their answer took
    """

    prices: Prices
    known_good_bytes: int
    known_good_s: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Estimate:
    """About what `requests` requests will cost.

    input_tokens    of all prompts, about
    output_tokens   of all replies, at most
    cost_in         dollars for the prompts, about; None where no release states prices
    cost_at_most    dollars with every reply at its limit; None as above
    seconds         about, at the speed of the known good prompt
    """

    requests: int
    input_tokens: int
    output_tokens: int
    cost_in: float | None
    cost_at_most: float | None
    seconds: float


def estimate(sizes: Iterable[Sequence[Size]], asked: Sequence[Asked], *, at_once: int) -> Estimate:
    """The cost of requests whose sizes are given for every release that is asked.

    Args:
        at_once: requests in flight.

    Raises:
        ValueError: a request has another number of sizes than there are releases.
    """
    rows = list(sizes)
    tokens_in = tokens_out = 0.0
    costs_in: list[float] = []
    costs_out: list[float] = []
    seconds = [0.0]
    for k, one in enumerate(asked):
        into = sum(row[k].prompt_bytes for row in rows) / BYTES_PER_TOKEN
        out = sum(row[k].most_output_tokens for row in rows)
        tokens_in += into
        tokens_out += out
        if one.prices.stated:
            costs_in.append(one.prices.cost(into, 0))
            costs_out.append(one.prices.cost(0, out))
        # a shorter prompt than the known good one takes as long: a call has its own cost
        times = fsum(max(1.0, row[k].prompt_bytes / max(1, one.known_good_bytes)) for row in rows)
        seconds.append(times * one.known_good_s / at_once)
    if any(len(row) != len(asked) for row in rows):
        raise ValueError("sizes and releases differ in number")
    return Estimate(
        requests=len(rows),
        input_tokens=round(tokens_in),
        output_tokens=round(tokens_out),
        cost_in=fsum(costs_in) if costs_in else None,
        cost_at_most=fsum(costs_in + costs_out) if costs_in else None,
        seconds=max(seconds),
    )
