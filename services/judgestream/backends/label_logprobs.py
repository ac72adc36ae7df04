"""Score distributions from the token log-probabilities of an endpoint or of vLLM.

For every token that it generated, an endpoint gives the most likely alternatives. So P(first score) is read
at the first score, and P(second score) at the second, given the generated first one. P(second | another
first) is known only if the model can continue behind that other first label, too (`others` lists the labels
for which this is worthwhile). Otherwise P(second | generated first) is used, and the joint distribution is
the product. With three and more scores, each has its own distribution, given the generated ones before it.
Tokens differ between models: a number may be one token, include its space, or be split into digits.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from types import MappingProxyType

from judgestream.core.parsing import parse_labels
from judgestream.core.templates.base import JOINT_UP_TO, Grammar

MIN_SHARE = 0.02
"""No continuation is requested behind a first label below this probability, which bounds the error."""

MAX_OTHERS = 3
"""Largest number of first labels, beside the generated one, to continue behind."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One generated token, and the probabilities of it and its alternatives, by their text."""

    token: str
    alternatives: Mapping[str, float]


TOLERANT = " \t,;:/|*_`\"'()[]&-"
"""Characters that a chat model may put between and around its scores."""

_NOTHING: Mapping[str, Sequence[Step]] = MappingProxyType({})


def joint(
    steps: Sequence[Step],
    grammar: Grammar,
    behind: Mapping[str, Sequence[Step]] = _NOTHING,
    *,
    skip: str = "",
) -> tuple[float, ...]:
    """Probability of every score line, row-major. They sum to 1 less the mass outside the grammar.

    With three and more scores: one distribution per score, each with that sum. All zeros if the first line
    is not a score line.

    behind  the steps that the model generated behind other first labels, by label
    skip    characters, beside white space, that are ignored before, between and after the labels
    """
    found_line = _line(steps, grammar, skip)
    if found_line is None:
        return (0.0,) * grammar.cells
    positions = found_line[0]
    if grammar.count > JOINT_UP_TO:
        inside = [sum(distribution.values()) for distribution in positions]
        return tuple(
            distribution.get(label, 0.0) * prod(inside[:k] + inside[k + 1 :])
            for k, distribution in enumerate(positions)
            for label in grammar.labels
        )
    if grammar.count == 1:
        return tuple(positions[0].get(label, 0.0) for label in grammar.labels)
    first, second = dict(positions[0]), positions[1]
    rows: dict[str, Mapping[str, float]] = {}
    for label, following in behind.items():
        second_label = _label(following, grammar.labels)
        if second_label is not None:
            rows[label] = second_label[0]
            _move_to_longer(first, label, following[0], grammar.labels)
    return tuple(
        first.get(a, 0.0) * rows.get(a, second).get(b, 0.0)
        for a in grammar.labels
        for b in grammar.labels
    )


def others(steps: Sequence[Step], text: str, grammar: Grammar) -> list[str]:
    """Likely first labels of a pair beside the generated one, the most likely first; none if unreadable."""
    line = _line(steps, grammar)
    labels = parse_labels(text, grammar)
    if grammar.count != JOINT_UP_TO or line is None or labels is None:
        return []
    first = {
        label: share
        for label, share in line[0][0].items()
        if share >= MIN_SHARE and label != grammar.labels[labels[0]]
    }
    return sorted(first, key=first.__getitem__, reverse=True)[:MAX_OTHERS]


def certain(text: str, grammar: Grammar) -> tuple[float, ...]:
    """The distribution for an endpoint without log-probabilities: all mass on the generated line."""
    written = parse_labels(text, grammar)
    if grammar.count > JOINT_UP_TO:
        labels = written or (-1,) * grammar.count
        return tuple(float(k == label) for label in labels for k in range(len(grammar.labels)))
    lines = product(range(len(grammar.labels)), repeat=grammar.count)
    return tuple(float(line == written) for line in lines)


def written(steps: Sequence[Step], grammar: Grammar, skip: str = "") -> tuple[str, ...] | None:
    """The labels that these tokens spell; None if they are not a score line."""
    line = _line(steps, grammar, skip)
    return None if line is None else line[1]


def _line(
    steps: Sequence[Step], grammar: Grammar, skip: str = ""
) -> tuple[list[dict[str, float]], tuple[str, ...]] | None:
    """The distribution of every label, each given the generated labels before it, and these labels."""
    positions: list[dict[str, float]] = []
    labels: list[str] = []
    rest = list(steps)
    for _ in range(grammar.count):
        parsed = _label(rest, grammar.labels, skip)
        if parsed is None:
            return None
        distribution, label, rest = parsed
        positions.append(distribution)
        labels.append(label)
    return positions, tuple(labels)


def _move_to_longer(
    first: dict[str, float], label: str, following: Step, labels: Sequence[str]
) -> None:
    """Move to "10" its share of "1": the token behind "1" shows how often a "0" follows."""
    share = first.get(label, 0.0)
    for longer in labels:
        if longer != label and longer.startswith(label):
            moved = share * following.alternatives.get(longer[len(label) :], 0.0)
            first[longer] = first.get(longer, 0.0) + moved
            first[label] = first.get(label, 0.0) - moved


def _label(
    steps: Sequence[Step], labels: Sequence[str], skip: str = ""
) -> tuple[dict[str, float], str, list[Step]] | None:
    """The distribution of the next label, the generated label, and the steps behind it."""

    def bare(token: str) -> str:
        return token.strip().strip(skip).strip() if skip else token.strip()

    rest = list(steps)
    while rest and not bare(rest[0].token):
        if "\n" in rest[0].token:
            return None  # the line is over
        rest.pop(0)
    if not rest:
        return None
    distribution: dict[str, float] = {}
    first = bare(rest[0].token)
    for token, probability in rest[0].alternatives.items():
        label = bare(token)
        if label in labels:
            distribution[label] = distribution.get(label, 0.0) + probability
    following = rest[1] if len(rest) > 1 else None
    longer = [label for label in labels if label != first and label.startswith(first)]
    # "1" may be the start of "10": only the next token of the generated path can tell
    if longer and following is not None:
        share = distribution.pop(first, 0.0) or rest[0].alternatives.get(rest[0].token, 0.0)
        continued = 0.0
        for label in longer:
            more = following.alternatives.get(label[len(first) :], 0.0)
            distribution[label] = distribution.get(label, 0.0) + share * more
            continued += more
        if first in labels:
            distribution[first] = share * (1.0 - continued)
        if first + following.token in labels:
            return distribution, first + following.token, rest[2:]
    return (distribution, first, rest[1:]) if first in labels else None
