"""Templates: the prompt format of a judge family, and the grammar of its scores."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

MAX_REASONING_TOKENS = 8192
MAX_REASONINGS = 16
MAX_TEMPERATURE = 10
MAX_SEED = (1 << 63) - 1 - MAX_REASONINGS

LINE_TOKENS = 16
"""Tokens of a line of one or two scores, with room for what a model writes before and between them."""

JOINT_UP_TO = 2
"""Up to this many labels a judge returns their joint distribution; beyond it, one distribution per label."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Grammar:
    """The score line that a judge generates right after its prompt.

    `count` labels joined by `separator`, after `lead`. JudgeLM's pair form is `8 7`: two of "1".."10",
    separated by a space, with nothing between the prompt and the first digit.

    marker    the text before the score line where a judge reasons first, such as `Scores:`; its last place in
              a reply counts. "": the reply begins with the score line
    closing   the text that ends the scores on their line, such as `]]`; "": the line's end does
    scores    the score of each label, for labels that are not numbers ("yes", "no")
    reward    there are no labels: the judge returns one answer's value and the margin of a tie instead of
              probabilities (see `core.rewards`)
    outcomes  for a choice between two answers, which is one label long: whether each label says that the
              first answer is better (+1), worse (-1) or equal (0). A choice gives no scores.
    """

    labels: tuple[str, ...]
    count: int
    separator: str = " "
    lead: str = ""
    marker: str = ""
    closing: str = ""
    scores: tuple[float, ...] = ()
    outcomes: tuple[int, ...] = ()
    reward: bool = False

    def __post_init__(self) -> None:
        for name, values in (("scores", self.scores), ("outcomes", self.outcomes)):
            if values and len(values) != len(self.labels):
                raise ValueError(f"{len(values)} {name} for {len(self.labels)} labels")
        if self.outcomes and self.count != 1:
            raise ValueError("a choice is one label long")

    @property
    def values(self) -> tuple[float, ...]:
        """The scores of the labels.

        Raises:
            ValueError: the labels are not numbers and have no scores.
        """
        return self.scores or tuple(float(label) for label in self.labels)

    @property
    def line_tokens(self) -> int:
        """The most tokens that a judge needs for the line: 16, and 3 for each score beyond two."""
        return LINE_TOKENS + 3 * max(0, self.count - JOINT_UP_TO)

    @property
    def cells(self) -> int:
        """The size of a distribution: one probability per score line, or for three and more labels one per
        label and position. A value comes with the margin of a tie."""
        if self.reward:
            return 2
        size = len(self.labels)
        return size * self.count if self.count > JOINT_UP_TO else int(size**self.count)

    @property
    def numeric(self) -> bool:
        """Whether the labels are numbers, and their own scores."""
        return not self.scores and not self.outcomes and bool(self.numbers)

    @property
    def numbers(self) -> tuple[float, ...]:
        """The labels as numbers; () if any of them is a word."""
        return _numbers(self.labels)


@cache
def _numbers(labels: tuple[str, ...]) -> tuple[float, ...]:
    try:
        return tuple(float(label) for label in labels)
    except ValueError:
        return ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Reasoning:
    """How a judge reasons before its scores.

    max_tokens    limit of one reasoning. A judge in our engine or vLLM that reaches it gets the marker
                  written for it; a chat endpoint's reply without a marker is unreadable
    samples       reasonings whose score distributions are averaged
    temperature   of their sampling; 0: the most probable text, so there is only one
    seed          of the first reasoning; the next ones have the next numbers

    Raises:
        ValueError: a number out of range; the message names it.
    """

    max_tokens: int = 512
    samples: int = 1
    temperature: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        ranges = (
            ("max_tokens", self.max_tokens, 1, MAX_REASONING_TOKENS),
            ("samples", self.samples, 1, MAX_REASONINGS),
            ("temperature", self.temperature, 0, MAX_TEMPERATURE),
            ("seed", self.seed, 0, MAX_SEED),
        )
        for name, value, least, most in ranges:
            if not least <= value <= most:
                raise ValueError(f"{name} is {value}: it must be from {least} to {most}")
        if self.samples > 1 and self.temperature == 0:
            raise ValueError(
                f"samples is {self.samples} at temperature 0, which gives equal texts: set a temperature"
            )


@dataclass(frozen=True, kw_only=True, slots=True)
class Layout:
    """A rendered prompt, and the position of each answer in it.

    slots   per slot, in shown order: start and end (exclusive) in `text`, in characters. The slot holds the
            answer with its markers escaped. JudgeLM's single form shows the reference in the first slot.
    """

    text: str
    slots: tuple[tuple[int, int], ...]


TEXT = Grammar(labels=("text",), count=1)
"""Of a form whose whole reply is text, such as an analysis. Judges need a grammar; its label is not read."""


Render = Callable[[str, Sequence[str], str | None], Layout]
"""Question, answers in shown order and reference -> the prompt."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ImageCounts:
    """How many images stand before the question, and before each answer in shown order."""

    question: int = 0
    answers: tuple[int, ...] = ()


NO_IMAGES = ImageCounts()

RenderImages = Callable[[str, Sequence[str], str | None, ImageCounts], Layout]
"""`Render` with images: one placeholder for each of them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Form:
    """One prompt form of a family: its layout and its score grammar.

    score_per_answer   the score line has one score for each answer shown, whatever their number
    reasoning          for a judge that reasons before its scores: the grammar has a marker then
    markers            of this form alone, beside its template's; it escapes them in what it shows
    image_layout       of a form that shows images; None for one that shows texts only
    """

    layout: Render
    grammar: Grammar
    score_per_answer: bool = False
    reasoning: Reasoning | None = None
    markers: tuple[str, ...] = ()
    image_layout: RenderImages | None = None

    def __post_init__(self) -> None:
        if (self.reasoning is None) != (not self.grammar.marker):
            raise ValueError("a form that reasons first needs a marker before its scores")

    @property
    def explains(self) -> bool:
        """Whether the judge can write an explanation behind its scores."""
        return self.reasoning is None and not self.grammar.reward

    def grammar_for(self, answers: int) -> Grammar:
        """The grammar of a prompt that shows this number of answers."""
        return replace(self.grammar, count=answers) if self.score_per_answer else self.grammar

    def render(self, question: str, answers: Sequence[str], reference: str | None) -> str:
        """The prompt's text."""
        return self.layout(question, answers, reference).text


@dataclass(frozen=True, kw_only=True, slots=True)
class Template:
    """A judge family's forms by name, such as `pair`, and the markers that structure its prompts.

    fixed   of a template from a file: everything that it writes around the texts under judgement
    """

    id: str
    forms: Mapping[str, Form]
    markers: tuple[str, ...]
    fixed: tuple[str, ...] = ()

    def unescaped(self, texts: Sequence[str]) -> list[str]:
        """Those of these texts that stay as they are in text under judgement: no marker is in them."""
        escape = marker_escaper(self.markers) if self.markers else str
        return [text for text in texts if escape(text) == text]


def framed(before: str, frame: Callable[[int], str], shown: Sequence[str], after: str) -> Layout:
    """The shown answers, each in its frame, between two fixed texts.

    frame   number of an answer, from 1 -> a text that contains `{answer}` once
    """
    parts, spans, length = [before], [], len(before)
    for number, answer in enumerate(shown, start=1):
        opening, _, closing = frame(number).partition("{answer}")
        start = length + len(opening)
        spans.append((start, start + len(answer)))
        parts += [opening, answer, closing]
        length = start + len(answer) + len(closing)
    return Layout(text="".join([*parts, after]), slots=tuple(spans))


def marker_escaper(markers: Sequence[str]) -> Callable[[str], str]:
    """A function that escapes every marker in text under judgement, so that it cannot forge a frame.

    It inserts a space after the marker's first character (`[System]` becomes `[ System]`), in any letter case
    and with any amount of white space. Text without a marker is returned unchanged, byte for byte.
    """
    alternatives = "|".join(
        r"\s+".join(re.escape(word) for word in marker.split()) for marker in markers
    )
    pattern = re.compile(alternatives, re.IGNORECASE)

    def escape(text: str) -> str:
        return pattern.sub(lambda match: match[0][0] + " " + match[0][1:], text)

    return escape
