"""A model in front of Triton's vLLM backend: `VllmJudge`, with its requests sent by BLS.

Triton must load both models. This one cannot load the other: a BLS call while a model is initialised may
crash Triton 2.51 (boost's lock_exception, seen in one of a few starts).
"""

import asyncio
import functools
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from judgestream.backends.model_arguments import ModelArguments
from judgestream.backends.triton_metrics import Counters
from judgestream.backends.triton_requests import answer
from judgestream.backends.vllm import VllmJudge, VllmSettings
from judgestream.backends.vllm_responses import Answer, refusal
from judgestream.core.errors import JudgeUnavailable

COUNTERS = {
    "prompts": "Prompts judged",
    "requests": "Requests to the vLLM backend",
    "input_tokens": "Prompt tokens of all requests",
    "output_tokens": "Tokens generated",
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


class VllmModel:
    """Answers batches with requests to the model `engine`."""

    def __init__(self, arguments: ModelArguments, pb_utils: Any) -> None:
        parameters = arguments.parameters
        self._pb_utils = pb_utils
        self._name, self._engine = arguments.name, parameters["engine"]
        self._decoupled = arguments.decoupled
        settings = VllmSettings(
            concurrency=int(parameters["concurrency"]),
            top_logprobs=int(parameters["top_logprobs"]),
            deadline_s=float(parameters["deadline_s"]),
            max_input_tokens=int(parameters["max_input_tokens"]),
            temperature=float(parameters["temperature"]),
            start=parameters["start"],
        )
        loop = asyncio.new_event_loop()
        # async_exec waits in the loop's default executor, so each request in progress needs a thread
        loop.set_default_executor(ThreadPoolExecutor(settings.concurrency))
        self._judge = VllmJudge(self._ask, settings, loop)
        self._counters = Counters("judgestream_vllm", COUNTERS, arguments.labels, pb_utils)

    def execute(self, requests: list[Any]) -> None:
        stream = functools.partial(self._judge.stream, partial=self._decoupled)
        answer(requests, stream, self._pb_utils, self._name)
        self._counters.update(self._judge.work)

    def finalize(self) -> None:
        self._judge.close()

    async def _ask(self, text: str, sampling: str) -> Answer:
        """One request to the vLLM backend, not streamed: one response with all outputs."""
        pb_utils = self._pb_utils
        with_logprobs = '"logprobs"' in sampling
        inputs = [self._bytes("text_input", text), self._bytes("sampling_parameters", sampling)]
        inputs += [
            pb_utils.Tensor(flag, np.array([flag != "return_logprobs" or with_logprobs]))
            for flag in FLAGS
        ]
        request = pb_utils.InferenceRequest(
            model_name=self._engine,
            requested_output_names=list(OUTPUTS if with_logprobs else OUTPUTS[:-1]),
            inputs=inputs,
        )
        try:
            responses = list(await request.async_exec(decoupled=True))
        except pb_utils.TritonModelException as error:
            raise JudgeUnavailable(f"{self._engine}: {error}") from error
        for response in responses:
            if response.has_error():
                raise refusal(f"{self._engine}: {response.error().message()}")
            if response.output_tensors():
                return _answer(response)
        raise JudgeUnavailable(f"{self._engine} sent no response: check that it is loaded")

    def _bytes(self, name: str, text: str) -> Any:
        return self._pb_utils.Tensor(name, np.array([text.encode()], dtype=np.object_))


def _answer(response: Any) -> Answer:
    outputs = {
        tensor.name(): tensor.as_numpy().reshape(-1)[0] for tensor in response.output_tensors()
    }
    return Answer(
        text=outputs["text_output"].decode(),
        finish_reason=outputs["finish_reason"].decode(),
        input_tokens=int(outputs["num_input_tokens"]),
        output_tokens=int(outputs["num_output_tokens"]),
        logprobs=outputs.get("logprobs", b""),
    )
