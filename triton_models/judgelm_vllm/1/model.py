"""Triton's Python backend in front of its vLLM backend: our tensors, `VllmJudge`, and its requests by BLS.

Whoever loads this model loads its engine's, too. From here it cannot be done safely: a BLS call while a model
is initialised may end Triton 2.51 (boost's lock_exception, seen in one of a few starts).
"""

import asyncio
import functools
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils

COUNTERS = {
    "prompts": "Prompts judged",
    "requests": "Requests to the vLLM backend",
    "input_tokens": "Prompt tokens as they came, of all requests",
    "output_tokens": "Tokens written",
    "seconds": "Seconds that prompts waited for the vLLM backend",
}
FLAGS = (
    "exclude_input_in_output",
    "return_finish_reason",
    "return_logprobs",
    "return_num_input_tokens",
    "return_num_output_tokens",
)
OUTPUTS = ("text_output", "finish_reason", "num_input_tokens", "num_output_tokens", "logprobs")


class TritonPythonModel:
    def initialize(self, args: dict[str, str]) -> None:
        """Whatever is raised here is what `load_model` reports."""
        config = json.loads(args["model_config"])
        parameters = {key: value["string_value"] for key, value in config["parameters"].items()}
        self.decoupled = config.get("model_transaction_policy", {}).get("decoupled", False)
        self.name, self.engine = args["model_name"], parameters["engine"]
        path = parameters["python_path"]
        if path and Path(path).is_dir() and path not in sys.path:
            sys.path.insert(0, path)

        from judgestream.backends.triton_requests import Counters
        from judgestream.backends.vllm import VllmJudge, VllmSettings

        settings = VllmSettings(
            concurrency=int(parameters["concurrency"]),
            top_logprobs=int(parameters["top_logprobs"]),
            deadline_s=float(parameters["deadline_s"]),
            max_input_tokens=int(parameters["max_input_tokens"]),
            temperature=float(parameters["temperature"]),
            start=parameters["start"],
        )
        loop = asyncio.new_event_loop()
        # each request under way holds a thread: async_exec waits in the loop's default executor
        loop.set_default_executor(ThreadPoolExecutor(settings.concurrency))
        self.judge = VllmJudge(self.ask, settings, loop)
        labels = {"model": self.name, "version": args["model_version"]}
        self.counters = Counters("judgestream_vllm", COUNTERS, labels, pb_utils)

    def execute(self, requests: list[Any]) -> None:
        from judgestream.backends.triton_requests import answer

        stream = functools.partial(self.judge.stream, partial=self.decoupled)
        answer(requests, stream, pb_utils, self.name)
        self.counters.show(self.judge.work)

    async def ask(self, text: str, sampling: str) -> Any:
        """One request to the vLLM backend, not streamed: one response, with everything in it."""
        from judgestream.backends.vllm_responses import refusal
        from judgestream.core.errors import JudgeUnavailable

        scores = '"logprobs"' in sampling
        inputs = [_bytes("text_input", text), _bytes("sampling_parameters", sampling)]
        inputs += [
            pb_utils.Tensor(flag, np.array([flag != "return_logprobs" or scores])) for flag in FLAGS
        ]
        request = pb_utils.InferenceRequest(
            model_name=self.engine,
            requested_output_names=list(OUTPUTS if scores else OUTPUTS[:-1]),
            inputs=inputs,
        )
        try:
            responses = list(await request.async_exec(decoupled=True))
        except pb_utils.TritonModelException as error:
            raise JudgeUnavailable(f"{self.engine}: {error}") from error
        for response in responses:
            if response.has_error():
                raise refusal(f"{self.engine}: {response.error().message()}")
            if response.output_tensors():
                return _answer(response)
        raise JudgeUnavailable(f"{self.engine} sent no response: is it loaded?")

    def finalize(self) -> None:
        self.judge.close()


def _bytes(name: str, text: str) -> Any:
    return pb_utils.Tensor(name, np.array([text.encode()], dtype=np.object_))


def _answer(response: Any) -> Any:
    from judgestream.backends.vllm_responses import Answer

    found = {one.name(): one.as_numpy().reshape(-1)[0] for one in response.output_tensors()}
    return Answer(
        text=found["text_output"].decode(),
        finish_reason=found["finish_reason"].decode(),
        input_tokens=int(found["num_input_tokens"]),
        output_tokens=int(found["num_output_tokens"]),
        logprobs=found.get("logprobs", b""),
    )
