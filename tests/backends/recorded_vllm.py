"""The file that `record_vllm` writes: vLLM's answers to the bundled judge's prompts."""

import json
from functools import cache
from pathlib import Path
from typing import Any

from judgestream.backends.vllm_responses import Answer, refusal

RECORDED = Path(__file__).with_name("vllm_recorded.json")


@cache
def _recorded() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(RECORDED.read_text())
    return found


def answers() -> list[dict[str, Any]]:
    """One per request: the backend's inputs and outputs by name."""
    found: list[dict[str, Any]] = _recorded()["answers"]
    return found


def behind() -> list[dict[str, Any]]:
    """The same for prompts with another first score at their end than vLLM wrote."""
    found: list[dict[str, Any]] = _recorded()["behind"]
    return found


def refusal_text() -> str:
    """What vLLM says to a prompt that is too long."""
    return str(_recorded()["refusal"])


def answer_of(recorded: dict[str, Any]) -> Answer:
    return Answer(
        text=recorded["text_output"],
        finish_reason=recorded["finish_reason"],
        input_tokens=recorded["num_input_tokens"],
        output_tokens=recorded["num_output_tokens"],
        logprobs=recorded["logprobs"].encode(),
    )


async def replay(text: str, sampling: str) -> Answer:
    """The recorded answer; to anything else, the recorded refusal."""
    for one in (*answers(), *behind()):
        if (one["text_input"], one["sampling_parameters"]) == (text, sampling):
            return answer_of(one)
    raise refusal(refusal_text())
