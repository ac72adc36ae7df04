"""Triton's Python backend over an OpenAI-compatible endpoint: the same tensors, somebody else's model."""

import asyncio
import json
import os
import sys
from pathlib import Path

import triton_python_backend_utils as pb_utils

COUNTERS = {
    "prompts": "Prompts judged",
    "input_tokens": "Prompt tokens, as the endpoint bills them",
    "output_tokens": "Written tokens, as the endpoint bills them",
    "retries": "Tries after a failure that may pass",
    "cost": "Spent, at the configured prices",
}


class TritonPythonModel:
    def initialize(self, args):
        parameters = {
            key: value["string_value"]
            for key, value in json.loads(args["model_config"])["parameters"].items()
        }
        self.name = args["model_name"]
        path = parameters["python_path"]
        if path and Path(path).is_dir() and path not in sys.path:
            sys.path.insert(0, path)

        from judgestream.engine.chat_completions import ChatJudge, Endpoint
        from judgestream.engine.serving import Counters

        variable = parameters["key_variable"]
        if variable and not os.environ.get(variable):
            raise pb_utils.TritonModelException(
                f"{self.name}: the environment variable {variable} holds no key; set it where Triton"
                " starts, or install the release without one"
            )
        self.loop = asyncio.new_event_loop()
        self.judge = ChatJudge(
            Endpoint(
                url=parameters["endpoint"],
                model=parameters["endpoint_model"],
                key=os.environ.get(variable, "") if variable else "",
                concurrency=int(parameters["concurrency"]),
                top_logprobs=int(parameters["top_logprobs"]),
                deadline_s=float(parameters["deadline_s"]),
                price_in=float(parameters["price_in"]),
                price_out=float(parameters["price_out"]),
            )
        )
        labels = {"model": self.name, "version": args["model_version"]}
        self.counters = Counters("judgestream_endpoint", COUNTERS, labels, pb_utils)

    def execute(self, requests):
        from judgestream.engine.serving import answer

        answer(requests, self.stream, pb_utils, self.name)
        self.counters.show(self.judge.usage)

    def stream(self, prompts, wanted):
        return enumerate(self.loop.run_until_complete(self.judge.read(prompts)))

    def finalize(self):
        self.loop.run_until_complete(self.judge.close())
        self.loop.close()
