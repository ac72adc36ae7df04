"""The keys of a template file, and what is wrong with their values.

id         of the template; a new id for every change
summary    one line for people
markers    texts that structure the prompt; they are escaped in text under judgement
scores     the score line: labels, separator, lead, closing, values, outcomes
reasoning  for judges that reason first: marker, max_tokens, samples, temperature, seed
limits     prompt_tokens: longer prompts are refused or cut
forms      per form: text or messages in Jinja2; its own scores where they differ
frames     of a checkpoint's chat template; written by `release install`
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from judgestream.core.errors import ConfigurationError
from judgestream.core.templates.base import (
    MAX_REASONING_TOKENS,
    MAX_REASONINGS,
    MAX_SEED,
    MAX_TEMPERATURE,
)

MOST_ANSWERS = 16

ANSWERS: dict[str, range] = {
    "pair": range(2, 3),
    "single": range(1, 2),
    "plain": range(1, 2),
    "multi": range(2, MOST_ANSWERS + 1),
}
"""Form -> the numbers of answers that it shows."""

NEEDS_REFERENCE, WITHOUT_REFERENCE = frozenset({"single"}), frozenset({"plain"})
"""Forms that always have a reference, and those that never have one. The others may have one."""

PRIVATE = "\ue000\ue001"
"""Characters that mark the places of texts while a prompt is rendered."""


def _number_as_text(value: object) -> object:
    """YAML reads `1` as a number; as a label it is text."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f"{value:g}"
    return value


def _text_problem(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("YAML reads yes, no, on and off as true and false: put the text in quotes")
    return value


Label = Annotated[
    str,
    BeforeValidator(_number_as_text),
    BeforeValidator(_text_problem),
    Field(min_length=1, max_length=40),
]
Short = Annotated[str, Field(max_length=200)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Scores(_Strict):
    """The score line, as `core.templates.base.Grammar`.

    values    the score of each label, for labels that are not numbers
    outcomes  for a choice between two answers: 1 for labels that prefer the first, -1 the second, 0 neither
    """

    labels: Annotated[list[Label], Field(min_length=2, max_length=100)] = [
        str(n) for n in range(1, 11)
    ]
    separator: Short = " "
    lead: Short = ""
    closing: Short = ""
    values: list[float | int] = []
    outcomes: list[Literal[-1, 0, 1]] = []

    @model_validator(mode="after")
    def _fits(self) -> "Scores":
        if len(set(self.labels)) != len(self.labels):
            raise ValueError("labels are given twice: make them distinct")
        if "\n" in "".join((*self.labels, self.separator, self.lead, self.closing)):
            raise ValueError("a score line cannot contain a line break: remove it")
        if not self.separator:
            raise ValueError(
                "separator is empty: scores need something between them, such as a space"
            )
        if self.values and self.outcomes:
            raise ValueError("values and outcomes exclude each other: a choice has no scores")
        for name, given in (("values", self.values), ("outcomes", self.outcomes)):
            if given and len(given) != len(self.labels):
                raise ValueError(
                    f"{len(given)} {name} for {len(self.labels)} labels: give one per label, in their order"
                )
        if not self.values and not self.outcomes and not all(map(_is_score, self.labels)):
            raise ValueError(
                "labels that are not numbers from 0 to 10 need values, or outcomes for a choice: add them"
            )
        return self


def _is_score(label: str) -> bool:
    try:
        return 0 <= float(label) <= 10
    except ValueError:
        return False


class ReasoningFirst(_Strict):
    """The reasoning before the scores, as `core.templates.base.Reasoning`, and the marker behind it."""

    marker: Annotated[str, Field(min_length=2, max_length=80)]
    max_tokens: Annotated[int, Field(ge=1, le=MAX_REASONING_TOKENS)] = 512
    samples: Annotated[int, Field(ge=1, le=MAX_REASONINGS)] = 1
    temperature: Annotated[float | int, Field(ge=0, le=MAX_TEMPERATURE)] = 0
    seed: Annotated[int, Field(ge=0, le=MAX_SEED)] = 0

    @model_validator(mode="after")
    def _fits(self) -> "ReasoningFirst":
        if self.marker != self.marker.strip() or "\n" in self.marker:
            raise ValueError(
                "marker begins or ends with white space, or has a line break: remove it"
            )
        if self.samples > 1 and not self.temperature:
            raise ValueError("samples above 1 need a temperature: set one, such as 0.7")
        return self


class Limits(_Strict):
    """prompt_tokens: the longest prompt, if less than the checkpoint's context holds."""

    prompt_tokens: Annotated[int, Field(ge=64)] | None = None


class Message(_Strict):
    role: Literal["system", "user", "assistant"]
    content: str


class FormText(_Strict):
    """One form: plain `text`, or `messages` for a chat model; `scores` where they differ from the file's."""

    text: str | None = None
    messages: list[Message] | None = None
    scores: Scores | None = None

    @model_validator(mode="after")
    def _fits(self) -> "FormText":
        if (self.text is None) == (self.messages is None):
            raise ValueError("give either text or messages")
        if self.messages is not None:
            roles = [message.role for message in self.messages]
            if roles not in (
                ["user"],
                ["system", "user"],
                ["user", "assistant"],
                ["system", "user", "assistant"],
            ):
                raise ValueError(
                    f"the roles are {', '.join(roles) or 'missing'}: give an optional system message, one"
                    " user message, and optionally an assistant message that begins the reply"
                )
        return self


class Frames(_Strict):
    """What a checkpoint's chat template writes around the messages.

    The system message stands between `system` and `user`. `alone` comes before a user message without a
    system message, and `reply` comes after the user message.
    """

    system: str
    user: str
    alone: str
    reply: str


class TemplateFile(_Strict):
    id: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]{2,63}$")]
    summary: Short = ""
    markers: Annotated[
        list[Annotated[str, Field(min_length=2, max_length=200)]], Field(max_length=64)
    ] = []
    scores: Scores = Scores()
    reasoning: ReasoningFirst | None = None
    limits: Limits = Limits()
    forms: Annotated[
        dict[Literal["pair", "single", "plain", "multi"], FormText], Field(min_length=1)
    ]
    frames: Frames | None = None

    @model_validator(mode="after")
    def _fits(self) -> "TemplateFile":
        if "pair" not in self.forms:
            raise ValueError("forms.pair is missing: add it, workers test every judge with a pair")
        return self


def checked(data: dict[str, Any], where: str) -> TemplateFile:
    """The file's values.

    Raises:
        ConfigurationError: with every problem, each by the path of its key.
    """
    try:
        return TemplateFile.model_validate(data)
    except ValidationError as error:
        lines = [_problem(one) for one in error.errors(include_url=False)]
        raise ConfigurationError(
            f"{where} is not a valid template:\n  " + "\n  ".join(lines)
        ) from None


_HINTS = {
    "missing": "is missing: add it",
    "extra_forbidden": "is unknown: remove it, or correct its name",
    "string_pattern_mismatch": "must be 3 to 64 small letters, digits, dots and hyphens",
    "literal_error": "is not one of the allowed values",
}


def _problem(details: Any) -> str:
    path = ".".join(str(part) for part in details["loc"] if part != "[key]") or "the file"
    kind, message = details["type"], str(details["msg"]).removeprefix("Value error, ")
    if kind == "literal_error":
        return f"{path}: must be {details['ctx']['expected']}, not {_shown(details['input'])}"
    if kind in _HINTS:
        return f"{path}: {_HINTS[kind]}"
    if kind == "value_error":
        return f"{path}: {message}"
    return f"{path}: {message[:1].lower()}{message[1:]}, not {_shown(details['input'])}"


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
