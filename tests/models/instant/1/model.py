"""A judge whose scores follow from the prompt's length alone.

With the parameter `inverted` it prefers the other answer. `SLEEP <ms>` in a prompt delays its batch,
`FAIL THE JUDGE` fails it, `KILL THE JUDGE` ends the process. With `UNSURE` all scores are equally probable.
"""

import json
import os
import re
import time
from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils

SLEEP = re.compile(rb"SLEEP (\d+)")
LABELS = 10
TOO_LONG = 100_000  # bytes


class TritonPythonModel:
    def initialize(self, args: dict[str, str]) -> None:
        self._inverted = "inverted" in json.loads(args["model_config"])["parameters"]

    def execute(self, requests: list[Any]) -> list[Any]:
        responses = []
        pause = 0
        for request in requests:
            prompts = pb_utils.get_input_tensor_by_name(request, "text_input").as_numpy().ravel()
            grammar = pb_utils.get_input_tensor_by_name(request, "score_grammar")
            count = json.loads(grammar.as_numpy().ravel()[0])["count"] if grammar is not None else 2
            if any(b"FAIL THE JUDGE" in prompt for prompt in prompts):
                raise RuntimeError("a prompt on which this model fails, with all of its batch")
            if any(b"KILL THE JUDGE" in prompt for prompt in prompts):
                os._exit(1)
            pause = max([pause, *(int(ms) for p in prompts for ms in SLEEP.findall(p))])
            if any(len(prompt) > TOO_LONG for prompt in prompts):
                error = pb_utils.TritonError(
                    "prompt_too_long: more than this context holds",
                    pb_utils.TritonError.INVALID_ARG,
                )
                responses.append(pb_utils.InferenceResponse(error=error))
                continue
            responses.append(
                pb_utils.InferenceResponse(output_tensors=answer(prompts, count, self._inverted))
            )
        time.sleep(pause / 1000)
        return responses


def answer(prompts: Any, count: int, inverted: bool) -> list[Any]:
    rows = len(prompts)
    # a joint distribution of up to two scores, one distribution per score of more
    joint = count <= 2
    probs = np.zeros((rows, LABELS**count if joint else LABELS * count), dtype=np.float32)
    texts = []
    for row, prompt in enumerate(prompts):
        cell = len(prompt) % LABELS**count
        if inverted:
            cell = LABELS**count - 1 - cell
        scores = np.unravel_index(cell, (LABELS,) * count)
        cells = [cell] if joint else [k * LABELS + int(score) for k, score in enumerate(scores)]
        probs[row, cells] = 1.0
        if joint and b"UNSURE" in prompt:
            probs[row] = 1.0 / LABELS**count
        texts.append(" ".join(str(score + 1) for score in scores).encode())

    def column(values: list[Any], dtype: Any) -> Any:
        return np.array(values, dtype=dtype).reshape(rows, 1)

    return [
        pb_utils.Tensor("text_output", column(texts, np.object_)),
        pb_utils.Tensor("finish_reason", column([b"stop"] * rows, np.object_)),
        pb_utils.Tensor("num_input_tokens", column([len(p) // 4 for p in prompts], np.uint32)),
        pb_utils.Tensor("num_output_tokens", column([3] * rows, np.uint32)),
        pb_utils.Tensor("score_probs", probs),
    ]
