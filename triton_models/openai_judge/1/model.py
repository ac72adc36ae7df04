"""Triton's Python backend over an OpenAI-compatible endpoint: the same tensors, somebody else's model."""

import asyncio
import json
import os
import sys
import threading
from concurrent.futures import Future, wait
from pathlib import Path
from typing import Any

import triton_python_backend_utils as pb_utils

COUNTERS = {
    "prompts": "Prompts judged",
    "input_tokens": "Prompt tokens, as the endpoint bills them",
    "output_tokens": "Written tokens, as the endpoint bills them",
    "retries": "Tries after a failure that may pass",
    "probes": "Known good prompts asked, to tell whose failure it is",
    "reused": "Prompts answered from a reply that was paid for already",
    "cost": "Spent, at the configured prices",
}

PATIENCE_S = 1.0
"""Failures that may pass are told after this long, so that the workers can show them and wait themselves."""

REUSE_S = 600.0
"""A paid reply serves a request that comes again: its other prompt failed, or its worker went away."""

FINISH_S = 5
"""How long an unloaded model may go on waiting for its endpoint."""


class TritonPythonModel:
    def initialize(self, args: dict[str, str]) -> None:
        parameters = {
            key: value["string_value"]
            for key, value in json.loads(args["model_config"])["parameters"].items()
        }
        self.name = args["model_name"]
        path = parameters["python_path"]
        if path and Path(path).is_dir() and path not in sys.path:
            sys.path.insert(0, path)

        from judgestream.backends.chat.completions import ChatJudge
        from judgestream.backends.chat.endpoint import Endpoint
        from judgestream.backends.triton_requests import Counters

        key = _key(parameters["key_variable"], self.name)
        concurrency = int(parameters["concurrency"])
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, name="endpoint", daemon=True)
        # requests at the endpoint; more of them queue in Triton, where the limits are
        self.room = threading.BoundedSemaphore(concurrency)
        self.judge = ChatJudge(
            Endpoint(
                url=parameters["endpoint"],
                model=parameters["endpoint_model"],
                key=key,
                concurrency=concurrency,
                top_logprobs=int(parameters["top_logprobs"]),
                thinking_tokens=int(parameters.get("thinking_tokens", "0")),
                deadline_s=float(parameters["deadline_s"]),
                patience_s=PATIENCE_S,
                prove=True,
                reuse_s=REUSE_S,
                price_in=float(parameters["price_in"]),
                price_out=float(parameters["price_out"]),
            ),
            say=lambda text: pb_utils.Logger.log_warn(f"{self.name}: {text}"),
        )
        labels = {"model": self.name, "version": args["model_version"]}
        self.counters = Counters("judgestream_endpoint", COUNTERS, labels, pb_utils)
        self.under_way: set[Future[None]] = set()
        self.thread.start()

    def execute(self, requests: list[Any]) -> None:
        """Hand each request over and return: one that waits for its endpoint keeps no other waiting."""
        for request in requests:
            self.room.acquire()
            self.under_way.add(asyncio.run_coroutine_threadsafe(self.one(request), self.loop))
        self.under_way = {one for one in self.under_way if not one.done()}

    async def one(self, request: Any) -> None:
        from judgestream.backends.triton_requests import answer_alone

        try:
            await answer_alone(request, self.judge.read, pb_utils, self.name)
            self.counters.show(self.judge.usage)
        finally:
            self.room.release()

    def finalize(self) -> None:
        wait(self.under_way, timeout=FINISH_S)
        asyncio.run_coroutine_threadsafe(self.judge.close(), self.loop).result(FINISH_S)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(FINISH_S)


def _key(variable: str, name: str) -> str:
    """The endpoint's key, which is never shown."""
    if not variable:
        return ""
    key = os.environ.get(variable, "").strip()
    if not key:
        raise pb_utils.TritonModelException(
            f"{name}: the environment variable {variable} holds no key; set it where Triton starts, or"
            " install the release without one"
        )
    if not (key.isascii() and key.isprintable()):
        raise pb_utils.TritonModelException(
            f"{name}: the environment variable {variable} holds characters that no key has; set it again"
        )
    return key
