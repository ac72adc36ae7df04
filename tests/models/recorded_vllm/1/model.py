"""Stands where Triton's vLLM backend would: its tensors, and answers that vLLM really gave (`answers.json`
beside this file, from `tests/engine/record_vllm.py`). What was not recorded is refused in vLLM's words."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils

FLAGS = {
    "return_finish_reason": "finish_reason",
    "return_logprobs": "logprobs",
    "return_num_input_tokens": "num_input_tokens",
    "return_num_output_tokens": "num_output_tokens",
}


class TritonPythonModel:
    def initialize(self, args: dict[str, str]) -> None:
        folder = Path(args["model_repository"]) / args["model_version"]
        recorded = json.loads((folder / "answers.json").read_text())
        self.refusal = recorded["refusal"]
        self.answers = {
            (one["text_input"], one["sampling_parameters"]): one
            for one in (*recorded["answers"], *recorded["behind"])
        }

    def execute(self, requests: list[Any]) -> None:
        final = pb_utils.TRITONSERVER_RESPONSE_COMPLETE_FINAL
        for request in requests:
            request.get_response_sender().send(self._response(request), flags=final)

    def _response(self, request: Any) -> Any:
        text = _input(request, "text_input").decode()
        found = self.answers.get((text, _input(request, "sampling_parameters").decode()))
        if found is None:
            error = pb_utils.TritonError(f"Error generating stream: {self.refusal}")
            return pb_utils.InferenceResponse([_texts("text_output", "N/A")], error=error)
        shown = "" if _input(request, "exclude_input_in_output") else text
        tensors = [_texts("text_output", shown + found["text_output"])]
        for flag, name in FLAGS.items():
            if not _input(request, flag):
                continue
            value = found[name]
            tensors.append(
                _texts(name, value)
                if isinstance(value, str)
                else pb_utils.Tensor(name, np.asarray([value], dtype=np.uint32))
            )
        return pb_utils.InferenceResponse(tensors)


def _input(request: Any, name: str) -> Any:
    tensor = pb_utils.get_input_tensor_by_name(request, name)
    return None if tensor is None else tensor.as_numpy()[0]


def _texts(name: str, text: str) -> Any:
    return pb_utils.Tensor(name, np.array([text.encode()], dtype=np.object_))
