"""What a template is: how one judge family wants its prompt, and which scores it may answer with."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Grammar:
    """The score line that a judge writes right after its prompt.

    `count` labels joined by `separator`, after `lead`. JudgeLM's pair form is `8 7`: two of "1".."10",
    separated by a space, with nothing between the prompt and the first digit. Labels are numbers here;
    `values` are what they count for.
    """

    labels: tuple[str, ...]
    count: int
    separator: str = " "
    lead: str = ""

    @property
    def values(self) -> tuple[float, ...]:
        return tuple(float(label) for label in self.labels)


@dataclass(frozen=True, kw_only=True, slots=True)
class Form:
    """One prompt form of a family: `render(question, answers, reference)` and its score grammar."""

    render: Callable[[str, Sequence[str], str | None], str]
    grammar: Grammar


@dataclass(frozen=True, kw_only=True, slots=True)
class Template:
    """A judge family's forms by name (`pair`, `single`) and the markers that frame its prompts."""

    id: str
    forms: Mapping[str, Form]
    markers: tuple[str, ...]


def defuser(markers: Sequence[str]) -> Callable[[str], str]:
    """A function that breaks every marker inside text under judgement, so that it cannot forge a frame.

    A space goes in after the marker's first character (`[System]` becomes `[ System]`). Letter case and
    the amount of white space do not matter. Text without a marker comes back unchanged, byte for byte.
    """
    alternatives = "|".join(
        r"\s+".join(re.escape(word) for word in marker.split()) for marker in markers
    )
    pattern = re.compile(alternatives, re.IGNORECASE)

    def defuse(text: str) -> str:
        return pattern.sub(lambda found: found[0][0] + " " + found[0][1:], text)

    return defuse
