"""The JSON of a Triton request, parsed into prompts: `sampling_parameters` and `score_grammar`.

The names are those of Triton's vLLM backend, so that one client can use both; `score_grammar` is ours.
"""

import base64
from collections.abc import Sequence
from functools import lru_cache
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from judgestream.core.prompt import Prompt
from judgestream.core.templates import JUDGELM
from judgestream.core.templates.base import (
    MAX_REASONING_TOKENS,
    MAX_REASONINGS,
    MAX_SEED,
    MAX_TEMPERATURE,
    Grammar,
    Reasoning,
)

DEFAULT_GRAMMAR = JUDGELM.forms["pair"].grammar

MAX_STOPS = 16


def _as_list(value: object) -> object:
    """A single stop text counts as a list of one."""
    return [value] if isinstance(value, str) else value


class _Strict(BaseModel):
    """No unknown fields; no conversion between types ("9" is not a number, nor is true)."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class ReasoningFirst(_Strict):
    """What the judge writes before its scores, see `core.templates.base.Reasoning`."""

    max_tokens: int = Field(512, ge=1, le=MAX_REASONING_TOKENS)
    samples: int = Field(1, ge=1, le=MAX_REASONINGS)
    temperature: float = Field(0.0, ge=0, le=MAX_TEMPERATURE)
    seed: int = Field(0, ge=0, le=MAX_SEED)


class Sampling(_Strict):
    """How the text around the scores is generated; scores are never sampled.

    max_tokens   after the score line; 0: scores only
    stop         texts that end the explanation
    temperature  0: the most probable token each time
    reasoning    before the score line, whose grammar has a marker then
    """

    max_tokens: int = Field(0, ge=0)
    stop: Annotated[
        list[Annotated[str, Field(min_length=1)]],
        BeforeValidator(_as_list),
        Field(max_length=MAX_STOPS),
    ] = []
    temperature: float = Field(0.0, ge=0, le=MAX_TEMPERATURE)
    seed: int = Field(0, ge=0, lt=1 << 63)
    reasoning: ReasoningFirst | None = None


class ScoreGrammar(_Strict):
    """The score lines, or a reward model's value; see `core.templates.base.Grammar`."""

    labels: list[str]
    count: int
    separator: str = " "
    lead: str = ""
    reward: bool = False
    marker: str = ""
    closing: str = ""


def prompts_of(
    texts: Sequence[bytes],
    sampling: Sequence[bytes] | None = None,
    grammars: Sequence[bytes] | None = None,
    images: Sequence[Sequence[bytes]] | None = None,
) -> list[Prompt]:
    """The rows of one request.

    sampling  per row the JSON of `Sampling`; default, and for an empty text: its defaults
    grammars  per row the JSON of `ScoreGrammar`; default, and for an empty text: the pair grammar. The rows
              of one request share an output tensor, so all need equally many labels and scores.
    images    per row its images in base64; empty ones are left out

    Raises:
        ValueError: malformed input; the message names the input and the field.
    """
    prompts = [
        Prompt(
            text=_text(text),
            grammar=_grammar(grammars[row]) if grammars is not None else DEFAULT_GRAMMAR,
            images=_images(images[row]) if images is not None else (),
            **(_sampling(sampling[row]) if sampling is not None else {}),
        )
        for row, text in enumerate(texts)
    ]
    shapes = {(len(p.grammar.labels), p.grammar.count, p.grammar.reward) for p in prompts}
    if any((prompt.reasoning is None) != (not prompt.grammar.marker) for prompt in prompts):
        raise ValueError(
            "sampling_parameters.reasoning and score_grammar.marker belong together: give both or neither"
        )
    if len(shapes) > 1:
        raise ValueError(
            "score_grammar: the rows have different numbers of labels or scores; send them in separate"
            " requests"
        )
    return prompts


def _images(row: Sequence[bytes]) -> tuple[bytes, ...]:
    try:
        return tuple(base64.b64decode(image, validate=True) for image in row if image)
    except ValueError as error:
        raise ValueError(f"image is not base64: {error}") from None


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise ValueError(f"text_input is not UTF-8: {error}") from None


@lru_cache(maxsize=256)
def _sampling(raw: bytes) -> dict[str, Any]:
    """Fields of `Prompt`. Cached and shared, so callers must not change it."""
    fields = _parsed("sampling_parameters", Sampling, raw)
    reasoning = fields.reasoning
    try:
        first = None if reasoning is None else Reasoning(**reasoning.model_dump())
    except ValueError as error:
        raise ValueError(f"sampling_parameters: reasoning.{error}") from None
    return {**fields.model_dump(), "stop": tuple(fields.stop), "reasoning": first}


@lru_cache(maxsize=256)
def _grammar(raw: bytes) -> Grammar:
    if not raw.strip():
        return DEFAULT_GRAMMAR
    fields = _parsed("score_grammar", ScoreGrammar, raw)
    return Grammar(
        labels=tuple(fields.labels),
        count=fields.count,
        separator=fields.separator,
        lead=fields.lead,
        reward=fields.reward,
        marker=fields.marker,
        closing=fields.closing,
    )


Model = TypeVar("Model", bound=_Strict)


def _parsed(name: str, model: type[Model], raw: bytes) -> Model:
    try:
        return model.model_validate_json(raw.strip() or b"{}")
    except ValidationError as error:
        raise ValueError(f"{name}: {_problem(error, model)}") from None


def _problem(error: ValidationError, model: type[BaseModel]) -> str:
    """The first problem: the field, what is wrong, and the value. The caller's text is not repeated whole."""
    details = error.errors(include_url=False)[0]
    kind, location = details["type"], ".".join(map(str, details["loc"]))
    if kind == "extra_forbidden":
        return f"unknown field {location!r}; known: {', '.join(model.model_fields)}"
    if not location:
        return details["msg"]
    if kind == "missing":
        return f"{location} is missing"
    value = repr(details["input"])
    return f"{location}: {details['msg']}, not {value if len(value) <= 80 else value[:77] + '...'}"
