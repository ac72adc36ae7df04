"""`python -m tests.backends.record_vllm` writes `vllm_recorded.json`: vLLM's real answers.

vLLM runs on this machine's CPU in the environment of `tests.benchmarks.peers`. Each entry is one request as
the judge sends it to Triton's vLLM backend, and the answer as that backend would pass it on (see
`judgestream.backends.vllm_responses`): the same fields of the same vLLM objects, `logprobs` as JSON text.
"""

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

from judgestream.adapters.releases.model_config import bundled_models
from judgestream.backends.vllm_responses import explanation_sampling, line_sampling, score_line
from judgestream.core.prompt import Prompt
from judgestream.core.templates import JUDGELM
from tests.backends.recorded_vllm import RECORDED, answer_of
from tests.benchmarks.peers import Vllm

PAIRS = (
    ("What is the capital of France?", "Paris", "Berlin", "Paris"),
    ("How much is 3 + 4?", "7", "9", "7"),
    ("Name a colour.", "red", "the the the red is", None),
    ("How much is 12 - 5?", "7", "7", None),
)
"""Question, two answers, reference; each is recorded in both orders."""

MAX_LENGTH = 2048
EXPLAINED = 2
EXPLANATION_TOKENS = 24


def prompts() -> list[Prompt]:
    form = JUDGELM.forms["pair"]
    return [
        Prompt(text=form.render(question, answers, reference), grammar=form.grammar)
        for question, first, second, reference in PAIRS
        for answers in ((first, second), (second, first))
    ]


def others_of(recorded: dict[str, Any]) -> list[str]:
    """The prompt with each first score that its line does not say, but may be."""
    grammar = JUDGELM.forms["pair"].grammar
    found = score_line(answer_of(recorded), grammar).others
    return [f"{recorded['text_input']}{grammar.lead}{label}" for label in found]


def main() -> None:
    asked = prompts()
    entries: list[dict[str, Any]] = []

    def record(vllm: Vllm, texts: list[str], sampling: str) -> list[dict[str, Any]]:
        found = vllm.ask(texts, json.loads(sampling), outputs=True)["outputs"]
        new = [
            {
                "text_input": text,
                "sampling_parameters": sampling,
                "text_output": one["text"],
                "finish_reason": one["finish_reason"],
                "num_input_tokens": one["prompt_tokens"],
                "num_output_tokens": one["output_tokens"],
                "logprobs": json.dumps(one["logprobs"] or None),
            }
            for text, one in zip(texts, found, strict=True)
        ]
        entries.extend(new)
        return new

    refusal = ""
    with tempfile.TemporaryDirectory() as folder:
        # float32, as our engine computes on a CPU; one GiB of cache is plenty
        checkpoint = Path(folder) / "checkpoint"
        shutil.copytree(bundled_models() / "judges" / "tiny", checkpoint)
        log = Path(folder) / "vllm.log"
        with Vllm(checkpoint, dtype="float32", log=log, max_model_len=MAX_LENGTH) as vllm:
            lines = record(vllm, [one.text for one in asked], line_sampling(asked[0].grammar, 20))
            explained = explanation_sampling(
                Prompt(text="", grammar=asked[0].grammar, max_tokens=EXPLANATION_TOKENS)
            )
            starts = [f"{one['text_input']}{one['text_output']}\n" for one in lines[:EXPLAINED]]
            record(vllm, starts, explained)
            told = len(entries)
            line = line_sampling(asked[0].grammar, 20)
            record(vllm, [start for one in lines for start in others_of(one)], line)
            try:
                vllm.ask(["word " * 3 * MAX_LENGTH], json.loads(explained))
            except ValueError as error:
                refusal = str(error)
    whole = {"refusal": refusal, "answers": entries[:told], "behind": entries[told:]}
    RECORDED.write_text(json.dumps(whole, indent=1) + "\n")


if __name__ == "__main__":
    main()
