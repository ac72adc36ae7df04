"""What a template is: how one judge family wants its prompt, and which scores it may answer with."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

JOINT_UP_TO = 2
"""Labels whose joint distribution is told; of more there is one distribution per position."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Grammar:
    """The score line that a judge writes right after its prompt.

    `count` labels joined by `separator`, after `lead`. JudgeLM's pair form is `8 7`: two of "1".."10",
    separated by a space, with nothing between the prompt and the first digit.

    scores    what each label counts for, where the labels are no numbers ("yes", "no")
    outcomes  of a choice between two answers, one label long: per label, whether it says that the first one
              is better (+1), worse (-1) or as good (0). A choice gives no scores.
    """

    labels: tuple[str, ...]
    count: int
    separator: str = " "
    lead: str = ""
    scores: tuple[float, ...] = ()
    outcomes: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        for name, values in (("scores", self.scores), ("outcomes", self.outcomes)):
            if values and len(values) != len(self.labels):
                raise ValueError(f"{len(values)} {name} for {len(self.labels)} labels")
        if self.outcomes and self.count != 1:
            raise ValueError("a choice is one label long")

    @property
    def values(self) -> tuple[float, ...]:
        """What the labels count for.

        Raises:
            ValueError: labels that are no numbers and have no scores.
        """
        return self.scores or tuple(float(label) for label in self.labels)

    @property
    def cells(self) -> int:
        """How many probabilities a distribution over it has: one per score line, or of three and more labels
        one per label and position."""
        size = len(self.labels)
        return size * self.count if self.count > JOINT_UP_TO else int(size**self.count)

    @property
    def numeric(self) -> bool:
        """Whether the labels are the numbers that they count for."""
        return not self.scores and not self.outcomes


@dataclass(frozen=True, kw_only=True, slots=True)
class Layout:
    """A rendered prompt, and where each answer slot's text stands in it.

    slots   per slot, in shown order: the first character in `text`, and the one after the last. What stands
            there is the answer as it is shown, with its markers escaped. JudgeLM's single form shows the
            reference in the first slot.
    """

    text: str
    slots: tuple[tuple[int, int], ...]


Render = Callable[[str, Sequence[str], str | None], Layout]
"""Question, answers in shown order and reference -> the prompt."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Form:
    """One prompt form of a family: how it lays a request out, and its score grammar.

    score_per_answer   the score line has one score for each answer shown, whatever their number
    """

    layout: Render
    grammar: Grammar
    score_per_answer: bool = False

    def grammar_for(self, answers: int) -> Grammar:
        """The grammar of a prompt that shows this number of answers."""
        return replace(self.grammar, count=answers) if self.score_per_answer else self.grammar

    def render(self, question: str, answers: Sequence[str], reference: str | None) -> str:
        """The prompt's text."""
        return self.layout(question, answers, reference).text


@dataclass(frozen=True, kw_only=True, slots=True)
class Template:
    """A judge family's forms by name (`pair`, `single`) and the markers that frame its prompts."""

    id: str
    forms: Mapping[str, Form]
    markers: tuple[str, ...]


def framed(before: str, frame: Callable[[int], str], shown: Sequence[str], after: str) -> Layout:
    """Answers as they are shown, each in its frame, between two fixed texts.

    frame   number of an answer, from 1 -> a text with one `{answer}` in it
    """
    parts, spans, at = [before], [], len(before)
    for number, answer in enumerate(shown, start=1):
        opening, _, closing = frame(number).partition("{answer}")
        start = at + len(opening)
        spans.append((start, start + len(answer)))
        parts += [opening, answer, closing]
        at = start + len(answer) + len(closing)
    return Layout(text="".join([*parts, after]), slots=tuple(spans))


def marker_escaper(markers: Sequence[str]) -> Callable[[str], str]:
    """A function that breaks every marker inside text under judgement, so that it cannot forge a frame.

    A space goes in after the marker's first character (`[System]` becomes `[ System]`). Letter case and
    the amount of white space do not matter. Text without a marker comes back unchanged, byte for byte.
    """
    alternatives = "|".join(
        r"\s+".join(re.escape(word) for word in marker.split()) for marker in markers
    )
    pattern = re.compile(alternatives, re.IGNORECASE)

    def escape(text: str) -> str:
        return pattern.sub(lambda found: found[0][0] + " " + found[0][1:], text)

    return escape
