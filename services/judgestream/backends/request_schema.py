"""What a Triton request says, as bytes, -> prompts. The JSON of `sampling_parameters` and `score_grammar`.

The names are those of Triton's vLLM backend, so that one client speaks to both; `score_grammar` is ours.
"""

import json
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from judgestream.core.prompt import Prompt
from judgestream.core.templates import JUDGELM
from judgestream.core.templates.base import Grammar

DEFAULT_GRAMMAR = JUDGELM.forms["pair"].grammar

MAX_TEMPERATURE = 10
MAX_STOPS = 16


def prompts_of(
    texts: Sequence[bytes],
    sampling: Sequence[bytes] | None = None,
    grammars: Sequence[bytes] | None = None,
) -> list[Prompt]:
    """The rows of one request.

    sampling  per row JSON, all of it about the explanation, for scores are never sampled: `max_tokens`
              (after the score line; default 0: scores only), `stop` (texts that end it), `temperature`
              (default 0: the most probable token each time) and `seed` (default 0)
    grammars  per row JSON: `labels`, `count`, and if need be `separator` and `lead`; default: the pair
              grammar. The rows of one request share an output tensor, so all must have equally many
              labels and scores.

    Raises:
        ValueError: something is malformed; the message names the input and the field.
    """
    prompts = [
        Prompt(
            text=_text(text),
            grammar=_grammar(grammars[at]) if grammars is not None else DEFAULT_GRAMMAR,
            **(_sampling(sampling[at]) if sampling is not None else {}),
        )
        for at, text in enumerate(texts)
    ]
    if len({(len(prompt.grammar.labels), prompt.grammar.count) for prompt in prompts}) > 1:
        raise ValueError(
            "score_grammar: rows with different numbers of labels or scores; send them apart"
        )
    return prompts


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise ValueError(f"text_input is not UTF-8: {error}") from None


@lru_cache(maxsize=256)
def _sampling(raw: bytes) -> dict[str, Any]:
    """Checked fields of `Prompt`; shared by all who send the same, so not to be changed."""
    name = "sampling_parameters"
    fields = _object(name, raw, {"max_tokens", "stop", "temperature", "seed"})
    max_tokens, stop = fields.get("max_tokens", 0), fields.get("stop", [])
    temperature, seed = fields.get("temperature", 0), fields.get("seed", 0)
    stops = [stop] if isinstance(stop, str) else stop
    if not isinstance(max_tokens, int) or isinstance(max_tokens, bool) or max_tokens < 0:
        raise ValueError(f"{name}: max_tokens must be 0 or more, not {max_tokens!r}")
    if not isinstance(temperature, int | float) or isinstance(temperature, bool):
        raise ValueError(f"{name}: temperature must be a number, not {temperature!r}")
    if not 0 <= temperature <= MAX_TEMPERATURE:
        raise ValueError(f"{name}: temperature must be 0 to {MAX_TEMPERATURE}, not {temperature!r}")
    if not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed < 1 << 63:
        raise ValueError(f"{name}: seed must be a whole number from 0 up, not {seed!r}")
    if not isinstance(stops, list) or not all(isinstance(one, str) and one for one in stops):
        raise ValueError(f"{name}: stop must be a text or a list of texts, not {stop!r}")
    if len(stops) > MAX_STOPS:
        raise ValueError(f"{name}: stop may have {MAX_STOPS} texts, not {len(stops)}")
    return {
        "max_tokens": max_tokens,
        "stop": tuple(stops),
        "temperature": float(temperature),
        "seed": seed,
    }


@lru_cache(maxsize=256)
def _grammar(raw: bytes) -> Grammar:
    if not raw.strip():
        return DEFAULT_GRAMMAR
    fields = _object("score_grammar", raw, {"labels", "count", "separator", "lead"})
    labels, count = fields.get("labels"), fields.get("count")
    separator, lead = fields.get("separator", " "), fields.get("lead", "")
    if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
        raise ValueError(f"score_grammar: labels must be a list of strings, not {labels!r}")
    if not isinstance(count, int) or isinstance(count, bool):
        raise ValueError(f"score_grammar: count must be a whole number, not {count!r}")
    if not isinstance(separator, str) or not isinstance(lead, str):
        raise ValueError("score_grammar: separator and lead must be strings")
    return Grammar(labels=tuple(labels), count=count, separator=separator, lead=lead)


def _object(name: str, raw: bytes, known: set[str]) -> dict[str, Any]:
    if not raw.strip():
        return {}
    try:
        fields = json.loads(raw)
    except ValueError as error:
        raise ValueError(f"{name} is not JSON: {error}") from None
    if not isinstance(fields, dict):
        raise ValueError(f"{name} must be a JSON object, not {type(fields).__name__}")
    unknown = sorted(set(fields) - known)
    if unknown:
        raise ValueError(f"{name}: unknown {unknown}; known: {sorted(known)}")
    return fields
