"""What Triton's vLLM backend is asked and what it answers, as bytes and our types.

The backend takes one prompt per request and vLLM's sampling parameters as JSON. With `return_logprobs` it
adds an output `logprobs` (Triton 24.12 and later): JSON, a list with one object per written token; the
object's keys are token ids as texts, its values objects of `logprob`, `rank` (1: the likeliest) and
`decoded_token`. The written token comes first and, at temperature 0, has rank 1; behind it come the likeliest
others, as many as asked for. `null` stands there when no log-probabilities were asked for. Without
`exclude_input_in_output` its text repeats the prompt. `finish_reason` is `stop`, `length` or `abort`. A
sampling parameter that vLLM does not accept is logged, becomes None, and fails afterwards with a message
about `NoneType`.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp
from types import MappingProxyType
from typing import Any

from judgestream.backends.label_logprobs import Step, joint, others
from judgestream.core.errors import (
    JudgestreamError,
    JudgeUnavailable,
    PromptTooLong,
    RejectedByJudge,
)
from judgestream.core.prompt import Prompt
from judgestream.core.templates.base import Grammar

TOO_LONG = ("longer than the maximum model length", "maximum context length", "max_model_len")
"""What vLLM's refusals of a long prompt have in common, whatever its version."""

BAD_PARAMETER = "'NoneType' object has no attribute"


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """The backend's outputs for one request; `logprobs` as it came, empty if it was not asked for."""

    text: str
    finish_reason: str
    input_tokens: int
    output_tokens: int
    logprobs: bytes = b""


_NOTHING: Mapping[str, Answer] = MappingProxyType({})


@dataclass(frozen=True, kw_only=True, slots=True)
class ScoreLine:
    """A score line as vLLM wrote it.

    probs  joint probability of every line of the grammar; all zeros where this one has no end
    goes_on  a line break ended it, so that an explanation follows; else the reply ended with it
    others   first labels behind which it is worth asking how the line would have gone on
    """

    text: str
    probs: tuple[float, ...]
    complete: bool
    goes_on: bool
    others: tuple[str, ...] = ()


def line_sampling(grammar: Grammar, top_logprobs: int) -> str:
    """Sampling parameters for the score line: greedy, to the line's end, with alternatives."""
    return json.dumps(
        {
            "max_tokens": line_tokens(grammar),
            "temperature": 0,
            "logprobs": top_logprobs,
            "stop": ["\n"],
        }
    )


def explanation_sampling(prompt: Prompt) -> str:
    """Sampling parameters for what follows the score line."""
    return json.dumps(
        {
            "max_tokens": prompt.max_tokens,
            "temperature": prompt.temperature,
            "seed": prompt.seed,
            "stop": list(prompt.stop),
        }
    )


def line_tokens(grammar: Grammar) -> int:
    """Tokens that a score line may take, its line break and a space in front included: one per character,
    since a tokenizer may cut no finer here."""
    characters = (
        len(grammar.lead)
        + grammar.count * max(map(len, grammar.labels))
        + (grammar.count - 1) * len(grammar.separator)
    )
    return characters + 2


def score_line(
    answer: Answer, grammar: Grammar, behind: Mapping[str, Answer] = _NOTHING
) -> ScoreLine:
    """Read the score line. One that the token limit cut has no scores: `length` is never parsed.

    behind  the backend's answers to the prompt with another first label at its end, by that label

    Raises:
        JudgeUnavailable: the backend gave no log-probabilities, or none that can be read.
    """
    found = steps(answer.logprobs)
    complete = answer.finish_reason == "stop"
    probs = joint(found, grammar, {label: steps(one.logprobs) for label, one in behind.items()})
    return ScoreLine(
        text=answer.text,
        probs=probs if complete else (0.0,) * len(probs),
        complete=complete,
        goes_on=complete and bool(found) and "\n" in found[-1].token,
        others=tuple(others(found, answer.text, grammar)) if complete else (),
    )


def steps(raw: bytes) -> list[Step]:
    """The written tokens with their alternatives; the probabilities of tokens with one text are added.

    Raises:
        JudgeUnavailable: not the JSON that the module describes.
    """
    try:
        return [_step(one) for one in json.loads(raw)]
    except (ValueError, LookupError, TypeError, AttributeError, StopIteration) as error:
        raise JudgeUnavailable(
            f"Triton's vLLM backend gave no log-probabilities that can be read ({error!r}): it must"
            " know `return_logprobs` (Triton 24.12 or later)"
        ) from error


def _step(alternatives: Mapping[str, Mapping[str, Any]]) -> Step:
    texts: dict[str, float] = {}
    for one in alternatives.values():
        text = one["decoded_token"] or ""
        texts[text] = texts.get(text, 0.0) + exp(one["logprob"])
    written = next(iter(alternatives.values()))
    return Step(token=written["decoded_token"] or "", alternatives=texts)


def refusal(message: str) -> JudgestreamError:
    """The backend's error text -> our error: what is refused for good, and what may pass."""
    if any(sign in message for sign in TOO_LONG):
        return PromptTooLong(message)
    if BAD_PARAMETER in message:
        return RejectedByJudge(
            "Triton's vLLM backend does not accept the sampling parameters; its log says why"
        )
    return JudgeUnavailable(message)


def softened(probs: Sequence[float], temperature: float) -> tuple[float, ...]:
    """`calibration.soften` for one distribution, without torch: p^(1/T), scaled to the sum that it had."""
    mass = sum(probs)
    if temperature == 1.0 or mass == 0:
        return tuple(probs)
    powers = [p ** (1 / temperature) for p in probs]
    scale = mass / sum(powers)
    return tuple(p * scale for p in powers)
