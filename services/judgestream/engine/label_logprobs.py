"""Token log-probabilities of a chat endpoint -> the score distribution that our own engine reads.

An endpoint tells, for every token that it wrote, its likeliest alternatives; it cannot be asked about
branches that it did not take. So P(first score) is read where the first score stands, P(second score) where
the second stands given the first one written, and their product stands for the joint distribution. Both
means and the written scores are exact; what is lost is how the second score would have followed another
first. Tokens differ between models: a number may be one token, carry its space, or come digit by digit.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod

from judgestream.core.parsing import parse_labels
from judgestream.core.templates.base import Grammar


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One written token and the probabilities of it and its alternatives, by their text."""

    token: str
    alternatives: Mapping[str, float]


def joint(steps: Sequence[Step], grammar: Grammar) -> tuple[float, ...]:
    """Probability of every score line, row-major; they sum to 1 less what lies outside the grammar.

    All zeros when the first line cannot be followed as a score line: everything is outside.
    """
    positions: list[Mapping[str, float]] = []
    rest = list(steps)
    for _ in range(grammar.count):
        found = _label(rest, grammar.labels)
        if found is None:
            return (0.0,) * int(len(grammar.labels) ** grammar.count)
        distribution, rest = found
        positions.append(distribution)
    return tuple(
        float(prod(at.get(label, 0.0) for at, label in zip(positions, labels, strict=True)))
        for labels in product(grammar.labels, repeat=grammar.count)
    )


def certain(text: str, grammar: Grammar) -> tuple[float, ...]:
    """The distribution of an endpoint that gives no probabilities: all on the line that it wrote."""
    written = parse_labels(text, grammar)
    lines = product(range(len(grammar.labels)), repeat=grammar.count)
    return tuple(float(line == written) for line in lines)


def _label(
    steps: Sequence[Step], labels: Sequence[str]
) -> tuple[Mapping[str, float], list[Step]] | None:
    """The distribution of the label that comes next, and the steps behind it. White space is skipped."""
    rest = list(steps)
    while rest and not rest[0].token.strip():
        if "\n" in rest[0].token:
            return None  # the line is over
        rest.pop(0)
    if not rest:
        return None
    found: dict[str, float] = {}
    written = rest[0].token.strip()
    for token, probability in rest[0].alternatives.items():
        label = token.strip()
        if label in labels:
            found[label] = found.get(label, 0.0) + probability
    following = rest[1] if len(rest) > 1 else None
    longer = [label for label in labels if label != written and label.startswith(written)]
    if longer and following is not None:  # "1" may go on to be "10": only the path taken can tell
        share = found.pop(written, 0.0) or rest[0].alternatives.get(rest[0].token, 0.0)
        going_on = 0.0
        for label in longer:
            more = following.alternatives.get(label[len(written) :], 0.0)
            found[label] = found.get(label, 0.0) + share * more
            going_on += more
        if written in labels:
            found[written] = share * (1.0 - going_on)
        if written + following.token in labels:
            return found, rest[2:]
    return (found, rest[1:]) if written in labels else None
