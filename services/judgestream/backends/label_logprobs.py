"""Token log-probabilities of a chat endpoint -> the score distribution that our own engine reads.

An endpoint tells, for every token that it wrote, its likeliest alternatives. So P(first score) is read where
the first score stands, and P(second score) where the second stands, given the first one written. How the
second would have followed another first is known only where the model can be made to go on behind that one,
too (`others` says which are worth it); elsewhere the second of the written first stands for it, and the
product for the joint distribution. Of three and more scores each has a distribution of its own, given the
written ones. Tokens differ between models: a number may be one token, carry its space, or come in digits.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from types import MappingProxyType

from judgestream.core.parsing import parse_labels
from judgestream.core.templates.base import JOINT_UP_TO, Grammar

LEAST = 0.02
"""A first label that is less likely is not gone on behind: the outcome cannot change by more."""

MOST = 3
"""First labels beside the written one that are gone on behind."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One written token and the probabilities of it and its alternatives, by their text."""

    token: str
    alternatives: Mapping[str, float]


TOLERANT = " \t,;:/|*_`\"'()[]&-"
"""What a chat model may write between its scores and around them."""

_NOTHING: Mapping[str, Sequence[Step]] = MappingProxyType({})


def joint(
    steps: Sequence[Step],
    grammar: Grammar,
    behind: Mapping[str, Sequence[Step]] = _NOTHING,
    *,
    skip: str = "",
) -> tuple[float, ...]:
    """Probability of every score line, row-major; they sum to 1 less what lies outside the grammar. Of three
    and more scores: one distribution per score, each with that sum.

    behind  what the model wrote behind other first labels, by that label
    skip    characters, beside white space, that may stand before, between and at the labels
    All zeros when the first line cannot be followed as a score line: everything is outside.
    """
    found_line = _line(steps, grammar, skip)
    if found_line is None:
        return (0.0,) * grammar.cells
    positions = found_line[0]
    if grammar.count > JOINT_UP_TO:
        inside = [sum(at.values()) for at in positions]
        return tuple(
            at.get(label, 0.0) * prod(inside[:k] + inside[k + 1 :])
            for k, at in enumerate(positions)
            for label in grammar.labels
        )
    if grammar.count == 1:
        return tuple(positions[0].get(label, 0.0) for label in grammar.labels)
    first, second = dict(positions[0]), positions[1]
    rows: dict[str, Mapping[str, float]] = {}
    for label, following in behind.items():
        found = _label(following, grammar.labels)
        if found is not None:
            rows[label] = found[0]
            _longer(first, label, following[0], grammar.labels)
    return tuple(
        first.get(one, 0.0) * rows.get(one, second).get(other, 0.0)
        for one in grammar.labels
        for other in grammar.labels
    )


def others(steps: Sequence[Step], text: str, grammar: Grammar) -> list[str]:
    """First labels of a pair that were not written and are likely enough to be gone on behind, likeliest
    first; none where the line cannot be read."""
    found = _line(steps, grammar)
    labels = parse_labels(text, grammar)
    if grammar.count != JOINT_UP_TO or found is None or labels is None:
        return []
    first = {
        label: share
        for label, share in found[0][0].items()
        if share >= LEAST and label != grammar.labels[labels[0]]
    }
    return sorted(first, key=first.__getitem__, reverse=True)[:MOST]


def certain(text: str, grammar: Grammar) -> tuple[float, ...]:
    """The distribution of an endpoint that gives no probabilities: all on the line that it wrote."""
    written = parse_labels(text, grammar)
    if grammar.count > JOINT_UP_TO:
        at = written or (-1,) * grammar.count
        return tuple(float(k == one) for one in at for k in range(len(grammar.labels)))
    lines = product(range(len(grammar.labels)), repeat=grammar.count)
    return tuple(float(line == written) for line in lines)


def written(steps: Sequence[Step], grammar: Grammar, skip: str = "") -> tuple[str, ...] | None:
    """The labels that these tokens spell; None if they are not a score line."""
    found = _line(steps, grammar, skip)
    return None if found is None else found[1]


def _line(
    steps: Sequence[Step], grammar: Grammar, skip: str = ""
) -> tuple[list[dict[str, float]], tuple[str, ...]] | None:
    """The distribution of every label of the line, each given the written ones before it; and these."""
    positions: list[dict[str, float]] = []
    labels: list[str] = []
    rest = list(steps)
    for _ in range(grammar.count):
        found = _label(rest, grammar.labels, skip)
        if found is None:
            return None
        distribution, label, rest = found
        positions.append(distribution)
        labels.append(label)
    return positions, tuple(labels)


def _longer(first: dict[str, float], label: str, following: Step, labels: Sequence[str]) -> None:
    """Move to "10" what "1" has of it: what came behind "1" tells how often a "0" does."""
    share = first.get(label, 0.0)
    for longer in labels:
        if longer != label and longer.startswith(label):
            moved = share * following.alternatives.get(longer[len(label) :], 0.0)
            first[longer] = first.get(longer, 0.0) + moved
            first[label] = first.get(label, 0.0) - moved


def _label(
    steps: Sequence[Step], labels: Sequence[str], skip: str = ""
) -> tuple[dict[str, float], str, list[Step]] | None:
    """The distribution of the label that comes next, that label as written, and the steps behind it."""

    def bare(token: str) -> str:
        return token.strip().strip(skip).strip() if skip else token.strip()

    rest = list(steps)
    while rest and not bare(rest[0].token):
        if "\n" in rest[0].token:
            return None  # the line is over
        rest.pop(0)
    if not rest:
        return None
    found: dict[str, float] = {}
    first = bare(rest[0].token)
    for token, probability in rest[0].alternatives.items():
        label = bare(token)
        if label in labels:
            found[label] = found.get(label, 0.0) + probability
    following = rest[1] if len(rest) > 1 else None
    longer = [label for label in labels if label != first and label.startswith(first)]
    if longer and following is not None:  # "1" may go on to be "10": only the path taken can tell
        share = found.pop(first, 0.0) or rest[0].alternatives.get(rest[0].token, 0.0)
        going_on = 0.0
        for label in longer:
            more = following.alternatives.get(label[len(first) :], 0.0)
            found[label] = found.get(label, 0.0) + share * more
            going_on += more
        if first in labels:
            found[first] = share * (1.0 - going_on)
        if first + following.token in labels:
            return found, first + following.token, rest[2:]
    return (found, first, rest[1:]) if first in labels else None
